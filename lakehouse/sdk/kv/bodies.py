# SPDX-License-Identifier: Apache-2.0
"""Values as bodies of requests: text is UTF-8 however it comes, and what can be read twice can be sent twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, cast, runtime_checkable

import msgspec

CHUNK = 256 * 1024
"""Characters or bytes that are read at a time."""


@runtime_checkable
class Readable(Protocol):
    """A file, of bytes or of text."""

    def read(self, size: int = ..., /) -> bytes | str: ...


Value = str | bytes | bytearray | memoryview | Readable | Iterable[bytes]


class Body(msgspec.Struct, frozen=True):
    """`again` gives the whole body, from where the file stood at first; `repeatable`: more than once."""

    again: Callable[[], bytes | Iterator[bytes]]
    repeatable: bool = True


def body_of(value: Value) -> Body:
    """Raises TypeError for what is neither text, bytes, a file nor an iterable of bytes."""
    if isinstance(value, str):
        encoded = value.encode()
        return Body(lambda: encoded)
    if isinstance(value, bytes | bytearray | memoryview):
        held = bytes(value)
        return Body(lambda: held)
    if isinstance(value, Readable):
        return _of_file(value)
    if isinstance(value, Iterator) or (isinstance(value, Iterable) and not isinstance(value, dict)):
        given: Iterable[Any] = value
        return Body(lambda: _pieces(given), repeatable=not isinstance(value, Iterator))
    raise TypeError(f"a value is text, bytes or a file, not {type(value).__name__}; for a file's name use set_file")


def _of_file(file: Readable) -> Body:
    start = _position(file)
    if start is None:
        return Body(lambda: _read(file), repeatable=False)

    def again() -> Iterator[bytes]:
        cast("Any", file).seek(start)
        return _read(file)

    return Body(again)


def _position(file: Readable) -> int | None:
    """Where a file stands; None when it cannot be taken back there."""
    try:
        return int(cast("Any", file).tell()) if cast("Any", file).seekable() else None
    except (AttributeError, OSError):
        return None


def _read(file: Readable) -> Iterator[bytes]:
    while piece := file.read(CHUNK):
        yield piece.encode() if isinstance(piece, str) else piece


def _pieces(given: Iterable[Any]) -> Iterator[bytes]:
    for piece in given:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise TypeError(f"a value's pieces are bytes, not {type(piece).__name__}")
        if len(piece):  # an empty one would be taken for the end
            yield bytes(piece)
