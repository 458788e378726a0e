# SPDX-License-Identifier: Apache-2.0
"""Appending small objects to segments: those that come while others are being synced go together with the next sync.

Nobody waits for a timer: who comes while nothing is under way is written at once, and whoever comes meanwhile shares
the next write. What is small does not wait for others' bulk. A segment is closed when it is large, and only when the
index has heard of each of its records: so the index may take a closed segment without a row for rubbish.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageUnavailable
from lakehouse.objects import segment_index
from lakehouse.objects.disk_errors import translated
from lakehouse.objects.local_file import path_of
from lakehouse.objects.segment_file import SegmentFile
from lakehouse.objects.segment_record import head_before, segment_name, strike

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from pathlib import Path

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_file import Written
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_layout import Process
    from lakehouse.objects.segment_record import NewRecord

log = logging.getLogger(__name__)

SEGMENT = 32 * 1024 * 1024
"""Bytes after which a segment is closed."""
GROUP = 4 * 1024 * 1024
"""Bytes after which no more is taken into one write."""
BULK = 256 * 1024
"""Bytes from which on what comes together is bulk: a write takes one such at most, after all that is small."""


class _Waiting:
    __slots__ = ("future", "records", "size")

    def __init__(self, records: Sequence[NewRecord], future: asyncio.Future[list[Written]]) -> None:
        self.records = records
        self.future = future
        self.size = sum(len(record.body) for record in records)


def strike_unnamed(root: Path, index: Index, segment: str, starts: Sequence[int]) -> None:
    """Strike out those of the records of a segment, by where their bytes begin, that no row names."""
    with translated():
        file = os.open(path_of(root, segment), os.O_RDWR | os.O_CLOEXEC)
        try:
            for start in starts:
                header = head_before(file, start)
                if header is not None and not segment_index.names(index, segment, header):
                    strike(file, start)
        finally:
            os.close(file)


class Segments:
    """This process's segments. For one event loop."""

    def __init__(
        self,
        root: Path,
        index: Index,
        process: Process,
        *,
        clock: Clock,
        spawn: Callable[[Coroutine[None, None, None]], object],
        remove_later: Callable[[Sequence[str]], None],
    ) -> None:
        """`spawn` runs work in the background, `remove_later` removes what is left without a row."""
        self._root = root
        self._index = index
        self._process = process
        self._clock = clock
        self._spawn = spawn
        self._remove_later = remove_later
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="segments")
        self._waiting: deque[_Waiting] = deque()
        self._bulk: deque[_Waiting] = deque()
        self._writing = False
        self._current: SegmentFile | None = None
        self._begun = 0.0
        self._full: dict[str, SegmentFile] = {}
        """Segments that get no more records but are not closed."""
        self._held = Counter[str]()
        """Records of each segment of which the index has yet to hear."""
        self._doubtful: dict[str, list[int]] = {}

    async def append(self, records: Sequence[NewRecord]) -> list[Written]:
        """Store records durably, all or none; `release` what it returns when the index has heard of them.

        Raises StorageFull, StorageUnavailable. Must not be cancelled.
        """
        future: asyncio.Future[list[Written]] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(records, future)
        (self._bulk if waiting.size >= BULK else self._waiting).append(waiting)
        if not self._writing:
            self._writing = True
            self._spawn(self._write())
        return await future

    def release(self, written: Iterable[Written]) -> None:
        """The index has the rows of these records, or will never have them."""
        for record in written:
            self._held[record.name] -= 1
            self._settle(record.name)

    def doubt(self, written: Iterable[Written]) -> None:
        """Whether the index has the rows of these records is not known: it is asked when their segment is closed."""
        for record in written:
            self._doubtful.setdefault(record.name, []).append(record.offset)

    def finish(self, *, begun_before: float | None = None) -> None:
        """Close the segment that is being written, in the background; with `begun_before` (seconds since 1970) only
        one that is older. What is under way comes first.
        """
        current = self._current
        if current is None or self._writing or (begun_before is not None and self._begun >= begun_before):
            return
        self._retire(current)

    def shutdown(self) -> None:
        """Let go of the thread. Blocks until it has ended."""
        self._executor.shutdown()

    async def _write(self) -> None:
        try:
            while self._waiting or self._bulk:
                await self._store(self._group())
        finally:
            self._writing = False

    async def _store(self, group: Sequence[_Waiting]) -> None:
        records = [record for one in group for record in one.records]
        try:
            written = await asyncio.get_running_loop().run_in_executor(self._executor, self._append, records)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._look_after_current()
            if len(group) > 1 and not isinstance(error, StorageUnavailable):
                for one in group:  # what one of them cannot have, such as room for much, others may
                    await self._store([one])
                return
            for one in group:
                one.future.set_exception(error)
        except BaseException:
            for one in group:
                one.future.cancel()
            raise
        else:
            self._held.update(record.name for record in written)
            at = 0
            for one in group:
                one.future.set_result(written[at : at + len(one.records)])
                at += len(one.records)
            self._look_after_current()

    def _look_after_current(self) -> None:
        current = self._current
        if current is not None and (current.failed or current.end >= SEGMENT):
            self._retire(current)

    def _group(self) -> list[_Waiting]:
        """Who is next: those who come with little, in their order, and one who comes with much."""
        group: list[_Waiting] = []
        size = 0
        while self._waiting and size < GROUP:
            group.append(self._waiting.popleft())
            size += group[-1].size
        if self._bulk:
            group.append(self._bulk.popleft())
        return group

    def _append(self, records: Sequence[NewRecord]) -> list[Written]:
        """On the thread."""
        if self._current is None:
            self._begun = self._clock()
            self._current = SegmentFile(self._root, segment_name(self._process.new_name()))
        return self._current.append(records)

    def _retire(self, segment: SegmentFile) -> None:
        self._current = None
        self._full[segment.name] = segment
        self._settle(segment.name)

    def _settle(self, name: str) -> None:
        if self._held[name] > 0:
            return
        del self._held[name]
        if name in self._full:
            self._spawn(self._close(self._full.pop(name)))

    async def _close(self, segment: SegmentFile) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._executor, segment.close)
            doubtful = self._doubtful.pop(segment.name, ())
            if doubtful:
                await loop.run_in_executor(
                    self._executor, strike_unnamed, self._root, self._index, segment.name, doubtful
                )
            left = await self._index.run(
                lambda connection: segment_index.close(connection, segment.name, segment.total)
            )
        except Exception:  # nobody else would hear of it, and nothing was lost
            log.warning("a segment could not be closed; the next start does it", exc_info=True)
            self._process.doubtful = True
        else:
            self._remove_later(left)
