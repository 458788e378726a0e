# SPDX-License-Identifier: Apache-2.0
"""Many small objects of the embedded store written together: nodes of trees.

Each is a file of its own, as any object; but one visit to a thread writes several, their folder is synced once, and all
rows are committed in one transaction. So either all of them exist or none.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from lakehouse.core.errors import StorageFull
from lakehouse.objects.address import key_bytes
from lakehouse.objects.disk_errors import translated
from lakehouse.objects.local_file import Label, Written, folder_of, head_of, path_of, remove, sync_folder, write_all
from lakehouse.objects.local_index import Row
from lakehouse.objects.local_write import THREADS
from lakehouse.objects.port import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_layout import Process
    from lakehouse.objects.local_write import Files
    from lakehouse.objects.port import Small


class Batches:
    """Writes batches into the folder `root`."""

    def __init__(self, root: Path, index: Index, files: Files, process: Process, *, clock: Clock) -> None:
        self._root = root
        self._index = index
        self._files = files
        self._process = process
        self._clock = clock

    async def put(self, objects: Sequence[Small], content_type: str) -> None:
        """Store all of them. Raises StorageFull, StorageUnavailable."""
        last = {small.location: small for small in objects}
        if last:
            await self._files.shielded(self._put(list(last.values()), content_type))

    async def _put(self, objects: Sequence[Small], content_type: str) -> None:
        now = self._clock()
        share = -(-len(objects) // THREADS)
        shares = [objects[at : at + share] for at in range(0, len(objects), share)]
        names = [self._names(len(part)) for part in shares]
        writing = [
            self._files.thread(write_together, self._root, part_names, part, content_type, now)
            for part_names, part in zip(names, shares, strict=True)
        ]
        done = await asyncio.gather(*writing, return_exceptions=True)
        written: list[Written] = []
        try:
            for result in done:
                if isinstance(result, BaseException):
                    raise result
                written += result
            rows = [
                (
                    small.location.bucket,
                    key_bytes(small.location.key),
                    Row(file.name, file.offset, ObjectInfo(file.size, file.etag, now, content_type, {})),
                )
                for small, file in zip(objects, written, strict=True)
            ]
        except BaseException:
            await self._files.thread(remove, self._root, [name for part in names for name in part])
            raise
        await self._commit(rows)

    async def _commit(self, rows: list[tuple[str, bytes, Row]]) -> None:
        try:
            left = await self._index.put_many(rows)
        except StorageFull:
            await self._files.thread(remove, self._root, [row.file for _, _, row in rows])
            raise
        except BaseException:
            # Whether the rows were committed is not known, so the files stay; the next start judges them.
            self._process.doubtful = True
            raise
        self._files.remove_later(left)

    def _names(self, number: int) -> list[str]:
        """Names of files that are in one folder."""
        first = self._process.new_name()
        return [first, *[first[:2] + self._process.new_name()[2:] for _ in range(number - 1)]]


def write_together(
    root: Path, names: Sequence[str], objects: Sequence[Small], content_type: str, modified: float
) -> list[Written]:
    """Store objects as files of one folder, durably. Raises StorageFull or StorageUnavailable, then nothing is left."""
    written: list[Written] = []
    files: list[int] = []
    with translated(on_error=lambda: _undo(root, names)):
        try:
            for name, small in zip(names, objects, strict=True):
                label = Label(small.location.bucket, key_bytes(small.location.key), content_type, {})
                head = head_of(label, size=len(small.body), modified=modified, etag=small.etag)
                flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
                files.append(os.open(path_of(root, name) + ".tmp", flags, 0o600))
                write_all(files[-1], head + small.body)
                written.append(Written(name, len(head), len(small.body), small.etag, modified))
            for file in files:
                os.fsync(file)
        finally:
            for file in files:
                os.close(file)
        for name in names:
            os.rename(path_of(root, name) + ".tmp", path_of(root, name))  # noqa: PTH104
        sync_folder(folder_of(root, names[0]))
    return written


def _undo(root: Path, names: Sequence[str]) -> None:
    remove(root, names)
    remove(root, [f"{name}.tmp" for name in names])
