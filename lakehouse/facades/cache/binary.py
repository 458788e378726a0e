# SPDX-License-Identifier: Apache-2.0
"""Protocol Buffers, as much of the format as the messages of the cache use.

Unknown fields, and known ones in a form that is not theirs, are skipped; of a field that comes again the last value
counts, and messages are merged. What is written is byte for byte what Google's library writes: fields in order of their
numbers, nothing for a value that is its type's zero unless its presence means something. Only maps have no order there;
here they have that of their keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import InvalidArgument
from lakehouse.facades.cache.messages import MOMENT, Field, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakehouse.facades.cache.messages import Message, Shape

_VARINT, _EIGHT, _BYTES, _GROUP, _END, _FOUR = 0, 1, 2, 3, 4, 5
_NUMBERS = frozenset({Kind.BOOL, Kind.INT, Kind.RESOURCE})
_MASK = (1 << 64) - 1
_DEEPEST = 64
_PAIR = (Field(1, "key", Kind.TEXT), Field(2, "value", Kind.TEXT))


# -- reading -----------------------------------------------------------------------------------------------------------


def decode(shape: Shape, raw: bytes) -> Message:
    """A message from its bytes. Raises InvalidArgument."""
    message: Message = {}
    _read(shape, raw, message)
    return message


def _read(shape: Shape, raw: bytes, message: Message) -> None:
    """Merge the fields in `raw` into `message`."""
    by_number = {field.number: field for field in shape.fields}
    for number, form, value in _records(raw):
        field = by_number.get(number)
        if field is None or form != (_VARINT if field.kind in _NUMBERS else _BYTES):
            continue
        if field.alone:
            for other in shape.fields:
                if other.alone == field.alone and other is not field:
                    message.pop(other.name, None)
        _take(field, value, message)


def _take(field: Field, value: Any, message: Message) -> None:
    name = field.name
    match field.kind:
        case Kind.TEXT:
            message[name] = _text(name, value)
        case Kind.BOOL:
            message[name] = bool(value)
        case Kind.INT | Kind.RESOURCE:
            message[name] = value - (1 << 64) if value >> 63 else value
        case Kind.TIME | Kind.INTERVAL:
            seconds, nanos = message.get(name, (0, 0))
            parts: Message = {"seconds": seconds, "nanos": nanos}
            _read(MOMENT, value, parts)
            message[name] = (parts["seconds"], parts["nanos"])
        case Kind.TEXTS:
            key, text = _pair(value)
            message.setdefault(name, {})[key] = text
        case Kind.OPAQUE:
            message[name] = message.get(name, b"") + value
        case Kind.MESSAGE:
            _read(_of(field), value, message.setdefault(name, {}))


def _pair(raw: bytes) -> tuple[str, str]:
    found = {"key": "", "value": ""}
    for number, form, value in _records(raw):
        if form == _BYTES and number in (1, 2):
            found[_PAIR[number - 1].name] = _text("values", value)
    return found["key"], found["value"]


def _records(raw: bytes) -> Iterator[tuple[int, int, Any]]:
    """Number, form and value of each field; groups are skipped. Raises InvalidArgument."""
    at, depth = 0, 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, form = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _malformed()
        value: int | bytes = 0
        if form == _VARINT:
            value, at = _varint(raw, at)
        elif form in (_EIGHT, _FOUR):
            at += 8 if form == _EIGHT else 4
        elif form == _BYTES:
            size, at = _varint(raw, at)
            value, at = raw[at : at + size], at + size
        elif form in (_GROUP, _END):
            depth += 1 if form == _GROUP else -1
        else:
            raise _malformed()
        if at > len(raw) or not 0 <= depth <= _DEEPEST:
            raise _malformed()
        if depth == 0 and form != _END:
            yield number, form, value
    if depth:
        raise _malformed()


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            break
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
    raise _malformed()


def _text(name: str, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{name}: not UTF-8: invalid value: validation error") from error


def _malformed() -> InvalidArgument:
    return InvalidArgument("the body is no message of this service: invalid value: validation error")


# -- writing -----------------------------------------------------------------------------------------------------------


def encode(shape: Shape, message: Message) -> bytes:
    """The bytes of a message."""
    return b"".join([_written(field, message[field.name]) for field in shape.fields if field.name in message])


def _written(field: Field, value: Any) -> bytes:
    match field.kind:
        case Kind.TEXT:
            return _block(field.number, value.encode()) if value or field.alone else b""
        case Kind.BOOL | Kind.INT | Kind.RESOURCE:
            return _number(field.number << 3) + _number(int(value)) if value else b""
        case Kind.TIME | Kind.INTERVAL:
            return _block(field.number, encode(MOMENT, {"seconds": value[0], "nanos": value[1]}))
        case Kind.TEXTS:
            return b"".join(
                [
                    _block(field.number, _block(1, key.encode()) + _block(2, text.encode()))
                    for key, text in sorted(value.items())
                ]
            )
        case Kind.OPAQUE:
            return _block(field.number, value)
        case Kind.MESSAGE:
            return _block(field.number, encode(_of(field), value))


def _block(number: int, raw: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(raw)) + raw


def _number(value: int) -> bytes:
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _of(field: Field) -> Shape:
    assert field.of is not None  # a field of a message has its shape
    return field.of
