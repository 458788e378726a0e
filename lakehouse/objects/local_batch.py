# SPDX-License-Identifier: Apache-2.0
"""Many small objects of the embedded store written together: nodes of trees.

They are records of segments like any small object, but all rows are committed in one transaction: so either all of
them exist or none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageFull
from lakehouse.objects.address import key_bytes
from lakehouse.objects.local_file import Label, Written
from lakehouse.objects.local_index import Row
from lakehouse.objects.local_trash import remove
from lakehouse.objects.port import ObjectInfo
from lakehouse.objects.segment_record import NewRecord, left_of
from lakehouse.objects.segments import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_write import Files
    from lakehouse.objects.port import Small


class Batches:
    """Writes batches into the folder `root`."""

    def __init__(self, root: Path, index: Index, files: Files, *, clock: Clock) -> None:
        self._root = root
        self._index = index
        self._files = files
        self._clock = clock

    async def put(self, objects: Sequence[Small], content_type: str) -> None:
        """Store all of them. Raises StorageFull, StorageUnavailable."""
        last = {small.location: small for small in objects}
        if last:
            await self._files.shielded(self._put(list(last.values()), content_type))

    async def _put(self, objects: Sequence[Small], content_type: str) -> None:
        now = self._clock()
        records = [
            NewRecord(
                Label(small.location.bucket, key_bytes(small.location.key), content_type, {}),
                small.body,
                now,
                small.etag,
            )
            for small in objects
        ]
        appending = [self._files.segments.append(some) for some in _cut(records)]
        done = await asyncio.gather(*appending, return_exceptions=True)
        written = [one for some in done if not isinstance(some, BaseException) for one in some]
        try:
            for result in done:
                if isinstance(result, BaseException):
                    await self._strike(written)
                    raise result
            await self._commit(records, written)
        finally:
            self._files.segments.release(written)

    async def _commit(self, records: Sequence[NewRecord], written: Sequence[Written]) -> None:
        rows = []
        for record, made in zip(records, written, strict=True):
            label = record.label
            info = ObjectInfo(made.size, made.etag, made.modified, label.content_type, {})
            rows.append((label.bucket, label.key, Row(made.name, made.offset, info)))
        try:
            left = await self._index.put_many(rows)
        except StorageFull:
            await self._strike(written)
            raise
        except BaseException:
            # Whether the rows were committed is not known, so the records stay for now.
            self._files.segments.doubt(written)
            raise
        self._files.remove_later(left)

    async def _strike(self, written: Sequence[Written]) -> None:
        await self._files.thread(remove, self._root, [left_of(one.name, one.offset) for one in written])


def _cut(records: Sequence[NewRecord]) -> Iterator[list[NewRecord]]:
    """The records in pieces that are written at once."""
    piece: list[NewRecord] = []
    size = 0
    for record in records:
        if piece and size + len(record.body) > GROUP:
            yield piece
            piece, size = [], 0
        piece.append(record)
        size += len(record.body)
    yield piece
