# SPDX-License-Identifier: Apache-2.0
"""Giving back the room of deleted small objects: what is left of a segment is written again elsewhere, then it goes.

One process at a time does it. It may be killed anywhere: an object's row names a durable record at all times, the old
one or the new one, and what it had not finished is found again by the account of the segments. Memory is bounded by
`PAGE_BYTES`, and it works half of the time at most.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse.core.errors import DataTooNew, StorageUnavailable
from lakehouse.core.offload import PAGE, breathe
from lakehouse.objects import segment_index
from lakehouse.objects.disk_errors import translated
from lakehouse.objects.local_file import path_of
from lakehouse.objects.local_read import read_disk
from lakehouse.objects.segment_index import MOVED_STAYS, Move, Place
from lakehouse.objects.segment_record import NewRecord, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_file import Written
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_write import Files
    from lakehouse.objects.segment_record import Record

log = logging.getLogger(__name__)

PAGE_BYTES = 1024 * 1024
"""Bytes after which what was read is written."""
LONGEST_PAUSE = 1.0


class Compactor:
    """Compacts the segments in the folder `root`."""

    def __init__(self, root: Path, index: Index, files: Files, *, clock: Clock) -> None:
        self._root = root
        self._index = index
        self._files = files
        self._clock = clock
        self._stuck: set[str] = set()
        """Segments that failed, or have objects whose records are damaged: they are not tried again."""

    async def run(self) -> int:
        """Compact what is worth it, unless another process is at it; how many segments were emptied.

        Raises StorageFull, StorageUnavailable; what was done until then stays done.
        """
        with _alone(self._root) as alone:
            if not alone:
                return 0
            now = self._clock()
            gone = await self._index.run(lambda connection: segment_index.expire(connection, now - MOVED_STAYS))
            self._files.remove_later(gone)
            await self._index.run(lambda connection: segment_index.note_dead(connection, now))
            emptied = 0
            for segment in await self._files.thread(segment_index.worth_moving, self._index, now):
                if segment not in self._stuck:
                    emptied += await self._tried(segment)
            return emptied

    async def _tried(self, segment: str) -> bool:
        """As `_empty`; a segment that fails does not keep the others from their turn."""
        try:
            return await self._empty(segment)
        except (StorageUnavailable, DataTooNew):
            log.warning("the segment %s could not be compacted; the next start tries it again", segment, exc_info=True)
            self._stuck.add(segment)
            return False

    async def _empty(self, segment: str) -> bool:
        """Move every object out of a segment. False when some could not be."""
        records = _records(path_of(self._root, segment))
        while page := await self._files.thread(self._page, segment, records):
            began = time.monotonic()
            await self._files.shielded(self._move(segment, page))
            await asyncio.sleep(min(time.monotonic() - began, LONGEST_PAUSE))
        left = self._index.all("select live from segments where file = ?", (segment,))
        if left:
            log.warning("the segment %s has %d objects whose records are damaged; run fsck", segment, left[0][0])
            self._stuck.add(segment)
        return not left

    def _page(self, segment: str, records: Iterator[tuple[int, Record]]) -> list[tuple[Place, NewRecord]]:
        """The next live records of a segment; none at its end. On a thread."""
        page: list[tuple[Place, NewRecord]] = []
        size = 0
        with translated():
            for number, (file, record) in enumerate(records, 1):
                header = record.header
                if record.whole and segment_index.names(self._index, segment, header):
                    body = read_disk(file, header.offset, header.size)
                    made = NewRecord(header.label, body, header.modified, header.etag)
                    page.append((Place(segment, header.offset, header.size), made))
                    size += header.size
                if size >= PAGE_BYTES or len(page) >= PAGE:
                    break
                if number % PAGE == 0:
                    breathe()
        return page

    async def _move(self, segment: str, page: Sequence[tuple[Place, NewRecord]]) -> None:
        written = await self._files.segments.append([record for _, record in page])
        moves = [_moved(old, record, new) for (old, record), new in zip(page, written, strict=True)]
        now = self._clock()
        try:
            left = await self._index.run(lambda connection: segment_index.move(connection, moves, now))
        except BaseException:
            self._files.segments.doubt(written)
            raise
        finally:
            self._files.segments.release(written)
        self._files.remove_later(left)


def _records(path: str) -> Iterator[tuple[int, Record]]:
    """The open segment with each of its records; none when it has gone. The file is closed with the iterator, which may
    still be at work in a thread when nobody waits for it any more.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        for record in scan(file):
            yield file, record
    finally:
        os.close(file)


def _moved(old: Place, record: NewRecord, new: Written) -> Move:
    return Move(record.label.bucket, record.label.key, old, Place(new.name, new.offset, new.size))


@contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """Whether no other process compacts; none begins while the block runs."""
    with translated():
        file = os.open(root / "processes" / "compaction.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)
