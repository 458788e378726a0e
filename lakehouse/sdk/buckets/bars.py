# SPDX-License-Identifier: Apache-2.0
"""Progress for people: bars in a terminal, and plain lines where the output is none.

    await buckets.upload_dir(src, dst, progress=TransferBar())
    await buckets.blob_rm(uri, recursive=True, progress=DeleteBar())

A bar is one line that is written over; it is drawn a few times a second, however often there is news.
"""

from __future__ import annotations

import shutil
import sys
import time
from os.path import commonprefix
from typing import TYPE_CHECKING, TextIO

from lakehouse.sdk.buckets.progress import AbstractDeleteProgress, AbstractRecursiveFileProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

    from lakehouse.sdk.buckets.progress import (
        StorageProgressComplete,
        StorageProgressDelete,
        StorageProgressEnterDir,
        StorageProgressFail,
        StorageProgressLeaveDir,
        StorageProgressStart,
        StorageProgressStep,
    )

PAUSE = 0.1
"""Seconds between two drawings."""
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


class Line:
    """One line of a terminal, drawn over and over; elsewhere it shows only what stays."""

    def __init__(self, out: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._drawn = float("-inf")
        self._there = False
        self.terminal = self._out.isatty()

    def draw(self, text: Callable[[], str]) -> None:
        """Show what `text` makes, unless that was done a moment ago."""
        now = self._clock()
        if self.terminal and now >= self._drawn + PAUSE:
            self._drawn = now
            self._over(text())

    def keep(self, text: str) -> None:
        """Write a line that stays."""
        self._over(text)
        self._out.write("\n")
        self._out.flush()
        self._there = False

    def _over(self, text: str) -> None:
        if self.terminal:
            text = text[: shutil.get_terminal_size().columns - 1]
            self._out.write(f"\r\x1b[K{text}" if self._there else text)
            self._there = True
        else:
            self._out.write(text)
        self._out.flush()


class TransferBar(AbstractRecursiveFileProgress):
    """Files and bytes of an upload or download, of one file or of a folder. `out` is standard error by default."""

    def __init__(self, out: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = Line(out, clock=clock)
        self._clock = clock
        self._began = clock()
        self._files = 0
        self._done = 0
        self._folders = 0
        self._running: dict[URL, tuple[int, int]] = {}

    def start(self, data: StorageProgressStart) -> None:
        self._running[data.src] = (0, data.size)
        self._line.draw(self._text)

    def step(self, data: StorageProgressStep) -> None:
        self._running[data.src] = (data.current, data.size)
        self._line.draw(self._text)

    def complete(self, data: StorageProgressComplete) -> None:
        self._running.pop(data.src, None)
        self._files += 1
        self._done += data.size
        if self._folders == 0 and not self._running:
            self._line.keep(self._text())
        else:
            self._line.draw(self._text)

    def enter(self, data: StorageProgressEnterDir) -> None:
        self._folders += 1
        self._line.draw(self._text)

    def leave(self, data: StorageProgressLeaveDir) -> None:
        self._folders -= 1
        if self._folders == 0:
            self._line.keep(self._text())

    def fail(self, data: StorageProgressFail) -> None:
        self._line.keep(f"left out: {data.message}")

    def _text(self) -> str:
        now = self._done + sum(current for current, _ in self._running.values())
        rate = now / max(self._clock() - self._began, 1e-6)
        text = f"{self._files} files, {_amount(now)}, {_amount(rate)}/s"
        if len(self._running) == 1:
            [(current, size)] = self._running.values()
            text += f" {_bar(current, size)}"
        return text


class DeleteBar(AbstractDeleteProgress):
    """How many blobs are gone. `out` is standard error by default."""

    def __init__(self, out: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = Line(out, clock=clock)
        self._gone = 0
        self._above: str | None = None
        """What all that went begins with."""

    def delete(self, data: StorageProgressDelete) -> None:
        uri = str(data.uri)
        self._above = uri if self._above is None else commonprefix((self._above, uri))  # noqa: RUF071  (of texts)
        self._gone += not data.is_dir
        if not data.is_dir:
            self._line.draw(lambda: f"{self._gone} blobs deleted")
        elif uri == self._above:  # the folder above all others goes last
            self._line.keep(f"{self._gone} blobs deleted, all of {uri}")


def _bar(current: int, size: int, width: int = 20) -> str:
    part = 1.0 if size == 0 else min(current / size, 1.0)
    return f"[{'#' * int(part * width):.<{width}}] {part:4.0%}"


def _amount(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < _STEP:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _STEP
    return f"{count:.1f} {_UNITS[-1]}"
