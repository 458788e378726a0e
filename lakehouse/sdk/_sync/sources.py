# SPDX-License-Identifier: Apache-2.0
"""What can be uploaded: bytes, a file by its path, an open file, or a stream of chunks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 1024 * 1024


class Source:
    """Data to upload. `size` in bytes, None when it is not known; `replayable` when it can be read again.

    `content` is what a request takes: bytes, or a function that begins the stream.
    """

    def __init__(self, data: bytes | Path | BinaryIO | Iterable[bytes], *, size: int | None = None) -> None:
        self._data = data
        self.content: bytes | Callable[[], Iterator[bytes]] = data if isinstance(data, bytes) else self._stream
        self.replayable = isinstance(data, bytes | Path)
        if isinstance(data, bytes):
            self.size: int | None = len(data)
        else:
            self.size = data.stat().st_size if isinstance(data, Path) else size

    @property
    def headers(self) -> dict[str, str]:
        """Content-Length, when it is known: stores insist on it."""
        return {} if self.size is None else {"content-length": str(self.size)}

    def _stream(self) -> Iterator[bytes]:
        sent = 0
        for chunk in _chunks(self._data):
            sent += len(chunk)
            yield chunk
        self.size = sent


def _chunks(data: bytes | Path | BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, Path):
        file = data.open("rb")
        try:
            while chunk := file.read(CHUNK):
                yield chunk
        finally:
            file.close()
    elif hasattr(data, "read"):
        while chunk := data.read(CHUNK):
            yield chunk
    else:
        for chunk in data:
            yield chunk
