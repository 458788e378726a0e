# SPDX-License-Identifier: Apache-2.0
"""Query strings as the Structs that operations declare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable

_convert = msgspec.convert


def query_reader(struct: type[msgspec.Struct]) -> Callable[[bytes], Any]:
    """A function from a raw query string to `struct`.

    Unknown parameters are ignored. Of a parameter that is given more than once the first value counts, unless its type
    is a list, which takes them all. The function raises InvalidArgument, naming the parameter.
    """
    lists = frozenset(
        field.encode_name
        for field in msgspec.structs.fields(struct)
        if isinstance(msgspec.inspect.type_info(field.type), msgspec.inspect.ListType)
    )
    default = None if any(field.required for field in msgspec.structs.fields(struct)) else struct()

    def read(raw: bytes) -> Any:
        if not raw and default is not None:
            return default
        try:
            return _convert(_members(raw, lists), struct, strict=False)
        except UnicodeDecodeError as error:
            raise InvalidArgument("query string: not UTF-8: invalid value: validation error") from error
        except msgspec.ValidationError as error:
            raise InvalidArgument(f"query string: {error}: invalid value: validation error") from error

    return read


def _members(raw: bytes, lists: frozenset[str]) -> dict[str, str | list[str]]:
    members: dict[str, str | list[str]] = {}
    for pair in raw.split(b"&"):
        if not pair:
            continue
        key, _, encoded = pair.partition(b"=")
        name, value = _text(key), _text(encoded)
        if name in lists:
            held = members.setdefault(name, [])
            held.append(value)  # type: ignore[union-attr]
        elif name not in members:
            members[name] = value
    return members


def _text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode()
