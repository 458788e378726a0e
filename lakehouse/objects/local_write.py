# SPDX-License-Identifier: Apache-2.0
"""Getting bytes into files of the embedded store, and files into its index.

Invariant: whatever happens to a caller, a file that was written ends either with a row that names it or removed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lakehouse.core.errors import FailedPrecondition, InvalidArgument, NotFound, StorageFull
from lakehouse.objects.body import Pieces
from lakehouse.objects.local_file import MANIFEST_FLAG, PART, FileWriter, Label, Written, write_small
from lakehouse.objects.local_trash import remove
from lakehouse.objects.manifest import MANIFEST, encode
from lakehouse.objects.segment_record import NewRecord, is_segment, left_of
from lakehouse.objects.segments import Segments

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Coroutine, Sequence
    from pathlib import Path

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_layout import Process
    from lakehouse.objects.manifest import FileSpan

T = TypeVar("T")
Commit = Callable[[Written], Awaitable[tuple[T, list[str]]]]
"""Makes the row of what was written: the result for the caller, and what is left without a row."""

THREADS = 8
SMALL = 256 * 1024
"""Bodies up to this size are written in one visit to a thread."""
RECORD = 128 * 1024
"""Bodies up to this size are records of segments."""
PIECE = 1024 * 1024
"""Bytes handed to the writing thread at once."""


class Span(msgspec.Struct, frozen=True):
    """Bytes of an open file; who gets it closes the file."""

    file: int
    start: int
    size: int


class Files:
    """Writes files, and keeps the tasks that must run to their end."""

    def __init__(self, root: Path, index: Index, process: Process, *, clock: Clock) -> None:
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")
        self._root = root
        self._index = index
        self._process = process
        self._clock = clock
        self._tasks: set[asyncio.Task[object]] = set()
        self.segments = Segments(root, index, process, clock=clock, spawn=self.spawn, remove_later=self.remove_later)

    async def write(
        self, label: Label, body: bytes | AsyncIterable[bytes], commit: Commit[T], *, part: bool = False
    ) -> T:
        """Store a body and commit it. Raises what `commit` raises, StorageFull, StorageUnavailable."""
        if isinstance(body, bytes):
            return await self._write_small(label, body, commit, part=part)
        pieces = Pieces(body, PIECE)
        first = await pieces.next()
        if len(first) <= SMALL and pieces.ended:
            return await self._write_small(label, first, commit, part=part)
        writer = FileWriter(self._root, self._process.new_name(), label, part=part)
        await self._stream(writer, first, pieces)
        return await self.shielded(self._publish(self._finish(writer), commit))

    async def record(self, label: Label, data: bytes, commit: Commit[T], *, etag: str | None = None) -> T:
        """Store a small object as a record of a segment and commit it; `etag` None: the MD5 of its bytes."""
        made = NewRecord(label, data, self._clock(), etag)
        return await self.shielded(self._publish(self._appended(made), commit))

    async def manifest(self, label: Label, spans: Sequence[FileSpan], etag: str, commit: Commit[T]) -> T:
        """Store a manifest of these spans and commit it; of what is written, `size` is the object's."""
        name, now = self._process.new_name(), self._clock()

        def write() -> Written:
            data = encode(spans)
            made = write_small(self._root, name, label, data, modified=now, flags=MANIFEST_FLAG, etag=etag)
            return Written(made.name, MANIFEST, sum(span.size for span in spans), etag, now)

        return await self.shielded(self._publish(self.thread(write), commit))

    async def join(self, label: Label, spans: Sequence[Span], etag: str, commit: Commit[T]) -> T:
        """Store the bytes of `spans`, one after another, as one file and commit it. The bytes stay in the system."""
        return await self.shielded(self._publish(self._joined(label, spans, etag), commit))

    # -- parts of it -----------------------------------------------------------------------------------------------

    async def _write_small(self, label: Label, data: bytes, commit: Commit[T], *, part: bool) -> T:
        if len(data) <= RECORD and not part:
            return await self.record(label, data, commit)
        return await self.shielded(self._publish(self._small(label, data, part=part), commit))

    async def _appended(self, record: NewRecord) -> Written:
        (written,) = await self.segments.append([record])
        return written

    async def _small(self, label: Label, data: bytes, *, part: bool) -> Written:
        name, now = self._process.new_name(), self._clock()
        return await self.thread(
            lambda: write_small(self._root, name, label, data, modified=now, flags=PART if part else 0)
        )

    async def _stream(self, writer: FileWriter, first: bytes, pieces: Pieces) -> None:
        """One piece is written while the next one arrives; nothing is in place before the body has ended."""
        writing: asyncio.Future[None] = asyncio.ensure_future(self.thread(writer.write, first))
        try:
            while not pieces.ended:
                piece = await pieces.next()
                await asyncio.shield(writing)
                writing = asyncio.ensure_future(self.thread(writer.write, piece))
            await asyncio.shield(writing)
        except BaseException:
            self.spawn(self._discard(writer, writing))
            raise

    async def _finish(self, writer: FileWriter) -> Written:
        try:
            return await self.thread(writer.finish, self._clock())
        except BaseException:
            await self.thread(writer.discard)
            raise

    async def _joined(self, label: Label, spans: Sequence[Span], etag: str) -> Written:
        writer = FileWriter(self._root, self._process.new_name(), label)
        try:
            for span in spans:
                await self.thread(writer.copy_from, span.file, span.start, span.size)
            return await self.thread(writer.finish, self._clock(), etag)
        except BaseException:
            await self.thread(writer.discard)
            raise
        finally:
            for span in spans:
                os.close(span.file)

    async def _discard(self, writer: FileWriter, writing: asyncio.Future[None]) -> None:
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()
        await self.thread(writer.discard)

    async def _publish(self, writing: Coroutine[None, None, Written], commit: Commit[T]) -> T:
        written = await writing
        try:
            result, left = await commit(written)
        except (FailedPrecondition, InvalidArgument, NotFound, StorageFull):
            await self.thread(remove, self._root, [left_of(written.name, written.offset)])
            raise
        except BaseException:
            # Whether the row was committed is not known, so the bytes stay. A file is judged at the next start.
            if is_segment(written.name):
                self.segments.doubt([written])
            else:
                self._process.doubtful = True
            raise
        finally:
            if is_segment(written.name):
                self.segments.release([written])
        self.remove_later(left)
        return result

    def remove_later(self, names: Sequence[str]) -> None:
        """Remove files and records that have no row any more."""
        if names:
            self.spawn(self._remove(names))

    async def _remove(self, names: Sequence[str]) -> None:
        await self.thread(remove, self._root, names)
        self._index.removed(names)

    # -- tasks -----------------------------------------------------------------------------------------------------

    async def thread(self, function: Callable[..., T], *args: object) -> T:
        """Run on one of the store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)

    def spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Run in the background; `settle` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def shielded(self, work: Coroutine[None, None, T]) -> T:
        """Run to the end even if the caller is cancelled: what has begun either happens or leaves nothing."""
        return await asyncio.shield(self.spawn(work))

    async def settle(self) -> None:
        """Wait until nothing runs any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)
