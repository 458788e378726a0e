# SPDX-License-Identifier: Apache-2.0
"""The segment that a process is writing: records are appended and synced, some at a time.

Invariant: what `append` returned is durable, and nothing that failed stands before `end`. For one thread at a time.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from lakehouse.objects.disk_errors import translated
from lakehouse.objects.local_file import Written, folder_of, path_of, sync_folder, unlink
from lakehouse.objects.segment_index import weight
from lakehouse.objects.segment_record import FIRST, encode, segment_head

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lakehouse.objects.segment_record import NewRecord

AHEAD = 256 * 1024
"""Zeros that are written behind records: a sync of bytes in the middle of a file leaves the file's size and blocks
alone, and takes half the time of one that must note them in the file system's journal."""
FEW = 64 * 1024
"""Bytes of records up to which it is worth to write zeros."""


class SegmentFile:
    """A segment that was begun. Raises StorageFull, StorageUnavailable, and then there is none."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.end = FIRST
        """Where the next record begins."""
        self.total = 0
        """Weight of all records."""
        self.failed = False
        """Whether nothing may be added any more: what the disk has of it is not known."""
        self._salt = int.from_bytes(os.urandom(8), "big")
        self._reserved = FIRST
        path = path_of(root, name)
        with translated(on_error=lambda: unlink(path)):
            self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                _write(self._file, segment_head(self._salt), 0)
                sync_folder(folder_of(root, name))
            except OSError:
                os.close(self._file)
                raise

    def append(self, records: Sequence[NewRecord]) -> list[Written]:
        """Store records durably, all or none. Raises StorageFull, StorageUnavailable."""
        pieces: list[bytes] = []
        written: list[Written] = []
        end = self.end
        for record in records:
            etag = record.etag
            if etag is None:
                etag = hashlib.md5(record.body, usedforsecurity=False).hexdigest()
            before, behind = encode(record, etag=etag, salt=self._salt)
            start, size = end + len(before), len(record.body)
            written.append(Written(self.name, start, size, etag, record.modified))
            pieces += (before, record.body, behind)
            end = start + size + len(behind)
        with translated(on_error=self._undo):
            _write(self._file, b"".join(pieces), self.end)
            self._reserve(end)
            try:
                os.fdatasync(self._file)
            except OSError:
                self.failed = True  # the system has dropped what it could not write, and will say so only once
                raise
        self.end = end
        self.total += weight(len(record.body) for record in records)
        return written

    def close(self) -> None:
        """Cut off what was reserved, and let go of the file."""
        with suppress(OSError):  # zeros at the end do no harm
            os.ftruncate(self._file, self.end)
        os.close(self._file)

    def _reserve(self, end: int) -> None:
        if end <= self._reserved or end - self.end > FEW:
            return
        with suppress(OSError):  # the records have found room, and the next ones will say when they do not
            _write(self._file, bytes(AHEAD), end)
            self._reserved = end + AHEAD

    def _undo(self) -> None:
        try:
            os.ftruncate(self._file, self.end)
        except OSError:
            self.failed = True
        self._reserved = self.end


def _write(file: int, data: bytes, at: int) -> None:
    done = os.pwrite(file, data, at)
    while done < len(data):
        done += os.pwrite(file, memoryview(data)[done:], at + done)
