# SPDX-License-Identifier: Apache-2.0
"""Bodies of objects as streams of chunks: making them, counting them, gathering them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import IncompleteBody

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

CHUNK = 256 * 1024
"""Bytes of a chunk that is read."""


class ChunkBody:
    """Bytes that are in memory already, as a stream."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __aiter__(self) -> ChunkBody:
        return self

    async def __anext__(self) -> bytes:
        at, data = self._at, self._data
        if at >= len(data):
            raise StopAsyncIteration
        self._at = at + CHUNK
        return data if len(data) <= CHUNK else data[at : at + CHUNK]


class Pieces:
    """A body cut into pieces of `size` bytes; the last one is shorter, perhaps empty."""

    def __init__(self, body: bytes | AsyncIterable[bytes], size: int) -> None:
        self._chunks = aiter(ChunkBody(body) if isinstance(body, bytes) else body)
        self._size = size
        self._left = b""
        self.ended = False
        """Whether the body has come to its end: there are no further pieces."""

    async def next(self) -> bytes:
        """The next piece."""
        gathered, self._left = [self._left], b""
        size = len(gathered[0])
        while size < self._size:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                self.ended = True
                break
            gathered.append(chunk)
            size += len(chunk)
        piece = gathered[-1] if len(gathered) == 2 and not gathered[0] else b"".join(gathered)
        if size > self._size:
            self._left, piece = piece[self._size :], piece[: self._size]
        return piece


def exactly(body: bytes | AsyncIterable[bytes], size: int | None) -> bytes | AsyncIterable[bytes]:
    """`body`, raising IncompleteBody when it turns out to be another length than `size` (None: any length)."""
    if size is None:
        return body
    if isinstance(body, bytes):
        _check(len(body), size)
        return body
    return _counted(body, size)


async def whole(body: bytes | AsyncIterable[bytes]) -> bytes:
    """All of `body` in memory."""
    return body if isinstance(body, bytes) else b"".join([chunk async for chunk in body])


async def _counted(body: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    seen = 0
    async for chunk in body:
        seen += len(chunk)
        if seen > size:
            break
        yield chunk
    _check(seen, size)


def _check(seen: int, size: int) -> None:
    if seen != size:
        raise IncompleteBody(
            f"the body has {'more than ' * (seen > size)}{min(seen, size)} bytes where {size} were declared; "
            "nothing was stored"
        )
