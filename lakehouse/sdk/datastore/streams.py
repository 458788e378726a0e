# SPDX-License-Identifier: Apache-2.0
"""Bodies on their way: objects as files to read from, and files as bodies whose length is watched."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from lakehouse.core.errors import InvalidArgument
from lakehouse.sdk.context import Context, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

CHUNK = 1024 * 1024


class Source(Protocol):
    """What can be read in pieces."""

    def read(self, size: int = -1, /) -> bytes: ...


class ObjectStream(io.RawIOBase):
    """An object's bytes as they come in. Closing it early ends the transfer."""

    def __init__(self, opened: AbstractContextManager[Iterator[bytes]], ctx: Context | None) -> None:
        """`opened` is entered at once: it raises what is wrong with the object."""
        super().__init__()
        self._stack = ExitStack()
        self._chunks = self._stack.enter_context(opened)
        self._ctx = ctx
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            check(self._ctx)
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        if not self.closed:
            self._stack.close()
        super().close()


def body_of(raw: Source, size: int, ctx: Context | None) -> bytes | Iterator[bytes]:
    """The body of a write: bytes if it is short, so that it can be sent again; else chunks as they are read.

    A body that is not `size` bytes long (below 0: any length) raises InvalidArgument at its end, before it is whole at
    the other side: nothing is stored.
    """
    check(ctx)
    first = _filled(raw, CHUNK)
    if len(first) < CHUNK:
        _require(len(first), size)
        return first
    return _counted(first, lambda: raw.read(CHUNK), size, ctx)


def _counted(first: bytes, more: Callable[[], bytes], size: int, ctx: Context | None) -> Iterator[bytes]:
    total, chunk = 0, first
    while chunk:
        check(ctx)
        total += len(chunk)
        if 0 <= size < total:
            _require(total, size)
        yield chunk
        chunk = more()
    _require(total, size)


def _filled(raw: Source, size: int) -> bytes:
    """Up to `size` bytes: fewer only at the end."""
    pieces, missing = [], size
    while missing and (piece := raw.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _require(came: int, size: int) -> None:
    if 0 <= size != came:
        raise InvalidArgument(f"size: {size} bytes were announced and {came} or more came; nothing was stored")
