# SPDX-License-Identifier: Apache-2.0
"""Protocol Buffers messages as the JSON that stands for them, without the library that made them.

A message tells its own fields, so nothing has to be imported for any of its kinds; what is JSON already stays as it is.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

_FLOATS, _LONG, _BYTES, _ENUM, _BOOL = frozenset({1, 2}), frozenset({3, 4, 6, 16, 18}), 12, 14, 8
"""Numbers of field types: double and float; those of 64 bits, which JSON has as text; bytes; enum; bool."""
_SPECIAL = {
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
}


def tree_of(value: Any) -> Any:
    """The JSON of a message, with absent fields left out; anything else as it is. None is the empty message."""
    if value is None:
        return {}
    if not hasattr(value, "DESCRIPTOR"):
        return value
    name = value.DESCRIPTOR.full_name
    if name in _SPECIAL:
        return value.ToJsonString()
    if name == "google.protobuf.Struct":
        return {key: tree_of(one) for key, one in value.fields.items()}
    if name == "google.protobuf.ListValue":
        return [tree_of(one) for one in value.values]
    if name == "google.protobuf.Value":
        return _any_value(value)
    return {field.json_name: _field(field, one) for field, one in value.ListFields()}


def _any_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    return None if kind in (None, "null_value") else tree_of(getattr(value, kind))


def _field(field: Any, value: Any) -> Any:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        of = inner.fields_by_name["value"]
        return {_key(key): _one(of, one) for key, one in value.items()}
    if isinstance(value, str | bytes | int | float) or hasattr(value, "DESCRIPTOR"):
        return _one(field, value)
    return [_one(field, one) for one in value]


def _one(field: Any, value: Any) -> Any:
    kind = field.type
    if kind in _LONG:
        return str(value)
    if kind == _BYTES:
        return base64.b64encode(value).decode()
    if kind == _ENUM:
        known = field.enum_type.values_by_number.get(value)
        return value if known is None else known.name
    if kind in _FLOATS and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return tree_of(value)


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def is_tree(value: Any) -> bool:
    """Whether a value is a message or what stands for one."""
    return value is None or isinstance(value, Mapping) or hasattr(value, "DESCRIPTOR")
