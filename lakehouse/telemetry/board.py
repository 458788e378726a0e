# SPDX-License-Identifier: Apache-2.0
"""Where the processes of one machine put their figures up, so that a scrape of any of them shows the sum.

Each process writes a file of its own in `metrics/` of the data directory, mapped into its memory: an update is a store
into memory. A file begins with a description of its cells, so whoever reads it need not know the same families.

A process takes the first file that nobody holds (flock) and, if it describes the same cells, goes on with its counters:
a worker that is replaced never makes a sum go down. Gauges of a process that has not been heard of for `SILENCE`
seconds are left out.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from typing import TYPE_CHECKING

import msgspec

from lakehouse.telemetry.metrics import Family

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.telemetry.metrics import Metrics

MAGIC = b"LHMETR01"
SILENCE = 30.0
MOST = 1024
"""Files of one folder."""
_HEAD = struct.Struct("<8sQQ")
"""Magic, bytes of the description, number of cells. Cells begin at the next multiple of 8."""
_families = msgspec.json.Decoder(list[Family])


class Sheet(msgspec.Struct, frozen=True):
    """What one process has put up. `alive`: its gauges count."""

    families: list[Family]
    cells: memoryview[float]
    alive: bool


class Board:
    """This process's file. Cell 0 of it is the time of its last sign of life, in seconds."""

    def __init__(self, folder: Path, metrics: Metrics, *, clock: Callable[[], float] = time.time) -> None:
        """Take a file and publish `metrics` there. Raises OSError."""
        self._folder = folder
        self._metrics = metrics
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        description = msgspec.json.encode(list(metrics.families.values()))
        start = _start(len(description))
        size = start + 8 * len(metrics.cells)
        self._file = _taken(folder)
        try:
            known = _same(self._file, description, len(metrics.cells))
            _reserve(self._file, size)
            self._map = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise
        if not known:
            self._map[:start] = _HEAD.pack(MAGIC, len(description), len(metrics.cells)) + description.ljust(
                start - _HEAD.size
            )
            self._map[start:] = bytes(size - start)
        self._cells = memoryview(self._map)[start:].cast("d")
        for family in metrics.families.values():
            if family.kind == "gauge":
                for number in range(family.start, family.end):
                    self._cells[number] = 0.0
        metrics.publish(self._cells)
        self.beat()

    def beat(self) -> None:
        """Bring what is sampled up to date, and show that this process lives."""
        self._metrics.sampled()
        self._cells[0] = self._clock()

    def sheets(self) -> list[Sheet]:
        """What all processes have put up, this one first."""
        self.beat()
        own = own_sheet(self._metrics)
        mine = os.fstat(self._file).st_ino
        others = [
            sheet
            for path in sorted(self._folder.glob("*.cells"))
            if (sheet := _read(path, mine=mine, now=self._clock())) is not None
        ]
        return [own, *others]

    def close(self) -> None:
        """Let go of the file; its counters stay, for the next process."""
        self._cells[0] = 0.0
        self._metrics.withdraw()
        self._cells.release()
        self._map.close()
        os.close(self._file)


def own_sheet(metrics: Metrics) -> Sheet:
    """What this process has counted, as it is now."""
    metrics.sampled()
    return Sheet(list(metrics.families.values()), memoryview(bytes(metrics.cells)).cast("d"), alive=True)


def _start(description: int) -> int:
    return -(-(_HEAD.size + description) // 8) * 8


def _taken(folder: Path) -> int:
    """A file that this process alone holds. Raises OSError."""
    for number in range(MOST):
        file = os.open(folder / f"{number}.cells", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return file
    raise OSError(f"all {MOST} files in {folder} are taken")


def _reserve(file: int, size: int) -> None:
    """Make a file so long, with room on the disk: to write to a mapped page that has none would end the process.

    Raises OSError.
    """
    os.ftruncate(file, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)


def _same(file: int, description: bytes, cells: int) -> bool:
    """Whether a file has these cells."""
    head = _HEAD.pack(MAGIC, len(description), cells) + description
    return os.fstat(file).st_size == _start(len(description)) + 8 * cells and os.pread(file, len(head), 0) == head


def _read(path: Path, *, mine: int, now: float) -> Sheet | None:
    """Another process's file; None when it is none, or is just being made."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_ino == mine:
                return None
            content = file.read()
    except OSError:
        return None
    try:
        magic, length, cells = _HEAD.unpack_from(content)
        start = _start(length)
        if magic != MAGIC or len(content) != start + 8 * cells:
            return None
        families = _families.decode(content[_HEAD.size : _HEAD.size + length])
    except (struct.error, msgspec.MsgspecError):
        return None
    shown = memoryview(content)[start:].cast("d")
    return Sheet(families, shown, alive=bool(cells) and now - SILENCE < shown[0] < now + SILENCE)
