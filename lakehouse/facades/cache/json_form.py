# SPDX-License-Identifier: Apache-2.0
"""The same messages in JSON, by the rules of Protocol Buffers.

Names come in camel case, or as the messages have them; null is absence; unknown members are ignored; numbers of 64 bits
may be text; times are RFC 3339, intervals such as `1.5s`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.errors import InvalidArgument
from lakehouse.facades.cache.messages import RESOURCE_TYPES, Kind

if TYPE_CHECKING:
    from lakehouse.facades.cache.messages import Field, Message, Shape

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_INTERVAL = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_INT = re.compile(r"-?\d{1,19}", re.ASCII)


# -- reading -----------------------------------------------------------------------------------------------------------


def decode(shape: Shape, raw: bytes) -> Message:
    """A message from JSON. Raises InvalidArgument."""
    try:
        members = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(f"the body is no JSON: {error}: invalid value: validation error") from error
    return _message(shape, members)


def _message(shape: Shape, members: Any) -> Message:
    if not isinstance(members, dict):
        raise _wrong(shape.name, "an object")
    found: Message = {}
    seen: set[str] = set()
    for field in shape.fields:
        value = members.get(field.camel)
        value = members.get(field.name) if value is None else value
        if value is None:
            continue
        if field.alone and field.alone in seen:
            raise InvalidArgument(f"{field.alone}: given twice: invalid value: validation error")
        seen.add(field.alone)
        found[field.name] = _value(field, value)
    return found


def _value(field: Field, value: Any) -> Any:
    match field.kind:
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.BOOL if isinstance(value, bool):
            return value
        case Kind.RESOURCE if value in RESOURCE_TYPES:
            return RESOURCE_TYPES.index(value)
        case Kind.INT | Kind.RESOURCE:
            return _integer(field, value)
        case Kind.TIME if isinstance(value, str):
            return parse_time(field.name, value)
        case Kind.INTERVAL if isinstance(value, str):
            return parse_interval(field.name, value)
        case Kind.TEXTS if isinstance(value, dict) and all(isinstance(one, str) for one in value.values()):
            return value
        case Kind.OPAQUE if isinstance(value, dict):
            return b""
        case Kind.MESSAGE if field.of is not None:
            return _message(field.of, value)
    raise _wrong(field.name, f"a {field.kind.value}")


def _integer(field: Field, value: Any) -> int:
    if isinstance(value, str) and _INT.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
        return value
    raise _wrong(field.name, "a whole number")


def parse_time(name: str, text: str) -> tuple[int, int]:
    """Seconds since 1970 and nanoseconds. Raises InvalidArgument."""
    match = _TIME.fullmatch(text)
    try:
        moment = datetime.fromisoformat(match[1].upper() + match[3].upper()) if match else None
    except ValueError:
        moment = None
    if match is None or moment is None:
        raise _wrong(name, "a time such as 2026-01-31T12:00:00Z")
    return (moment - _EPOCH) // _SECOND, int((match[2] or "").ljust(9, "0"))


def parse_interval(name: str, text: str) -> tuple[int, int]:
    """Seconds and nanoseconds, both with the sign. Raises InvalidArgument."""
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise _wrong(name, "an interval such as 1.5s")
    sign = -1 if match[1] else 1
    return sign * int(match[2]), sign * int((match[3] or "").ljust(9, "0"))


def _wrong(name: str, expected: str) -> InvalidArgument:
    return InvalidArgument(f"{name}: expected {expected}: invalid value: validation error")


# -- writing -----------------------------------------------------------------------------------------------------------


def encode(shape: Shape, message: Message) -> bytes:
    """The JSON of a message."""
    return msgspec.json.encode(_members(shape, message))


def _members(shape: Shape, message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in shape.fields:
        value = message.get(field.name)
        if field.kind in (Kind.TIME, Kind.INTERVAL, Kind.MESSAGE) or field.alone:
            if value is not None:
                found[field.camel] = _shown(field, value)
        elif value:
            found[field.camel] = _shown(field, value)
    return found


def _shown(field: Field, value: Any) -> Any:
    match field.kind:
        case Kind.RESOURCE:
            return RESOURCE_TYPES[value] if 0 <= value < len(RESOURCE_TYPES) else value
        case Kind.INT:
            return str(value)
        case Kind.TIME:
            moment = (_EPOCH + timedelta(seconds=value[0])).replace(tzinfo=None)
            return f"{moment.isoformat()}{_fraction(value[1])}Z"
        case Kind.INTERVAL:
            sign = "-" if value[0] < 0 or value[1] < 0 else ""
            return f"{sign}{abs(value[0])}{_fraction(abs(value[1]))}s"
        case Kind.MESSAGE if field.of is not None:
            return _members(field.of, value)
    return value


def _fraction(nanos: int) -> str:
    """Of 3, 6 or 9 digits; none for 0."""
    if not nanos:
        return ""
    digits = f"{nanos:09}"
    return "." + (digits[:3] if digits.endswith("000000") else digits[:6] if digits.endswith("000") else digits)
