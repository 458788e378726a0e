# SPDX-License-Identifier: Apache-2.0
"""What an operation's caller needs to be allowed: its permission templates, filled in from the request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.wire.operation import Access

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.asgi.call import Call
    from lakehouse.wire.operation import Operation

Need = tuple[str, str]
"""An action such as `fs:ReadObject`, and a resource such as `repository/a/object/b`."""

_NAME = re.compile(r"\{(\w+)\}")


def resource_builder(operation: Operation) -> Callable[[Call[Any, Any]], tuple[Need, ...]]:
    """A function from a call to what its caller needs. Raises ValueError when a template names what requests lack."""
    allow = () if isinstance(operation.allow, Access) else operation.allow
    parts = [(need.action, _filler(operation, need.resource)) for need in allow]

    def build(call: Call[Any, Any]) -> tuple[Need, ...]:
        return tuple([(action, fill(call)) for action, fill in parts])

    return build


def _filler(operation: Operation, template: str) -> Callable[[Call[Any, Any]], str]:
    pieces = _NAME.split(template)
    getters = [_getter(operation, name) for name in pieces[1::2]]
    form = "%s".join(piece.replace("%", "%%") for piece in pieces[::2])
    return lambda call: form % tuple([get(call) for get in getters])


def _getter(operation: Operation, name: str) -> Callable[[Call[Any, Any]], str]:
    if name in operation.parameters:
        return lambda call: call.path[name]
    for source in ("query", "body"):
        attribute = _attribute(getattr(operation, source), name)
        if attribute is not None:
            return lambda call: _text(getattr(getattr(call, source), attribute))
    raise ValueError(f"{operation.name}: no request has {name!r}")


def _attribute(struct: object, name: str) -> str | None:
    if not isinstance(struct, type) or not issubclass(struct, msgspec.Struct):
        return None
    return next((field.name for field in msgspec.structs.fields(struct) if field.encode_name == name), None)


def _text(value: object) -> str:
    return "" if value is msgspec.UNSET else str(value)
