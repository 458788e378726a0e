# SPDX-License-Identifier: Apache-2.0
"""What can be uploaded: bytes, a file by its path, an open file, or a stream of chunks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable

CHUNK = 1024 * 1024


class Source:
    """Data to upload. `size` in bytes, None when it is not known; `replayable` when it can be read again.

    `content` is what a request takes: bytes, or a function that begins the stream.
    """

    def __init__(self, data: bytes | Path | BinaryIO | AsyncIterable[bytes], *, size: int | None = None) -> None:
        self._data = data
        self.content: bytes | Callable[[], AsyncIterator[bytes]] = data if isinstance(data, bytes) else self._stream
        self.replayable = isinstance(data, bytes | Path)
        if isinstance(data, bytes):
            self.size: int | None = len(data)
        else:
            self.size = data.stat().st_size if isinstance(data, Path) else size

    @property
    def headers(self) -> dict[str, str]:
        """Content-Length, when it is known: stores insist on it."""
        return {} if self.size is None else {"content-length": str(self.size)}

    async def _stream(self) -> AsyncIterator[bytes]:
        sent = 0
        async for chunk in _chunks(self._data):
            sent += len(chunk)
            yield chunk
        self.size = sent


async def _chunks(data: bytes | Path | BinaryIO | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, Path):
        file = await asyncio.to_thread(data.open, "rb")
        try:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk
        finally:
            file.close()
    elif hasattr(data, "read"):
        while chunk := await asyncio.to_thread(data.read, CHUNK):
            yield chunk
    else:
        async for chunk in data:
            yield chunk
