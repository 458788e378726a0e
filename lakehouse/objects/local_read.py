# SPDX-License-Identifier: Apache-2.0
"""Reading bytes of a file: at once when the system has them in memory, on a thread only when it must read the disk.

A read through a thread costs twice the time of one that finds its pages cached, and a read of the disk on the event
loop would hold up everybody; `preadv` with RWF_NOWAIT tells the two apart.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageUnavailable
from lakehouse.objects.body import CHUNK
from lakehouse.objects.disk_errors import disk_error
from lakehouse.objects.local_file import path_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from lakehouse.objects.manifest import FileSpan

OPEN_AT_ONCE = 64
"""Files of an object of parts that are open while it is read."""
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)


def read_cached(file: int, offset: int, length: int) -> bytes | None:
    """`length` bytes at `offset` if all of them are in memory, else None."""
    if not _NOWAIT or not hasattr(os, "preadv"):
        return None
    buffer = bytearray(length)
    try:
        found = os.preadv(file, [buffer], offset, _NOWAIT)
    except OSError:  # nothing is cached, or the file system does not know the flag
        return None
    return bytes(buffer) if found == length else None


def read_disk(file: int, offset: int, length: int) -> bytes:
    """`length` bytes at `offset`, waiting for the disk. Raises StorageUnavailable, also when the file is shorter."""
    try:
        data = os.pread(file, length, offset)
        while len(data) < length:
            more = os.pread(file, length - len(data), offset + len(data))
            if not more:
                raise StorageUnavailable("an object's file is shorter than the index says; check the disk")
            data += more
    except OSError as error:
        raise disk_error(error) from error
    return data


class FileBody:
    """Part of an open file as a stream of chunks. Owns the descriptor, and closes it at the end, or when dropped."""

    def __init__(self, file: int, offset: int, length: int, executor: Executor) -> None:
        self._file = file
        self._at = offset
        self._end = offset + length
        self._executor = executor

    def __aiter__(self) -> FileBody:
        return self

    async def __anext__(self) -> bytes:
        length = min(CHUNK, self._end - self._at)
        if length <= 0 or self._file < 0:
            await self.aclose()
            raise StopAsyncIteration
        data = read_cached(self._file, self._at, length)
        if data is None:
            # A copy of the descriptor: the thread may still read after this stream was cancelled and closed.
            copy = os.dup(self._file)
            data = await read_on_thread(self._executor, copy, self._at, length)
        self._at += length
        if self._at >= self._end:
            await self.aclose()
        return data

    async def aclose(self) -> None:
        """Close the file; may be called again."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


async def read_on_thread(executor: Executor, file: int, offset: int, length: int) -> bytes:
    """As `read_disk`, on a thread; closes the file, also when it is cancelled before its turn comes."""
    reading = executor.submit(read_disk, file, offset, length)
    reading.add_done_callback(lambda _: os.close(file))
    return await asyncio.wrap_future(reading)


class SpanBody:
    """Bytes of several files, one after another, as a stream of chunks.

    The first files are opened at once (FileNotFoundError), so that they are read to their end whatever happens to the
    object; those of an object of very many parts when their turn comes.
    """

    def __init__(self, root: Path, spans: Sequence[FileSpan], executor: Executor) -> None:
        self._root = root
        self._executor = executor
        self._later = deque(span for span in spans if span.size)
        self._open: deque[FileBody] = deque()
        try:
            while self._later and len(self._open) < OPEN_AT_ONCE:
                self._open.append(self._opened(self._later.popleft()))
        except OSError:
            self._open.clear()
            raise

    def __aiter__(self) -> SpanBody:
        return self

    async def __anext__(self) -> bytes:
        while True:
            if not self._open:
                if not self._later:
                    raise StopAsyncIteration
                try:
                    self._open.append(self._opened(self._later.popleft()))
                except OSError as error:
                    raise disk_error(error) from error
            try:
                return await anext(self._open[0])
            except StopAsyncIteration:
                self._open.popleft()

    async def aclose(self) -> None:
        """Close the files; may be called again."""
        self._later.clear()
        while self._open:
            await self._open.popleft().aclose()

    def _opened(self, span: FileSpan) -> FileBody:
        file = os.open(path_of(self._root, span.file), os.O_RDONLY | os.O_CLOEXEC)
        return FileBody(file, span.start, span.size, self._executor)
