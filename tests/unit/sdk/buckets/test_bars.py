# SPDX-License-Identifier: Apache-2.0
"""Bars: what people see in a terminal, and what is written elsewhere."""

from __future__ import annotations

import io

from yarl import URL

from lakehouse.sdk.buckets import (
    DeleteBar,
    StorageProgressComplete,
    StorageProgressDelete,
    StorageProgressEnterDir,
    StorageProgressFail,
    StorageProgressLeaveDir,
    StorageProgressStart,
    StorageProgressStep,
    TransferBar,
)

A, B = URL("file:///a"), URL("blob://c/o/p/b/a")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_one_file_in_a_terminal() -> None:
    out, clock = Terminal(), Clock()
    bar = TransferBar(out, clock=clock)
    clock.now += 1
    bar.start(StorageProgressStart(A, B, 4096))
    clock.now += 0.01
    bar.step(StorageProgressStep(A, B, 1024, 4096))  # too soon to be drawn
    clock.now += 0.99
    bar.step(StorageProgressStep(A, B, 2048, 4096))
    bar.complete(StorageProgressComplete(A, B, 4096))
    first, second, last = out.getvalue().split("\r\x1b[K")
    assert first == "0 files, 0 B, 0 B/s [....................]   0%"
    assert second == "0 files, 2.0 KiB, 1.0 KiB/s [##########..........]  50%"
    assert last == "1 files, 4.0 KiB, 2.0 KiB/s\n"


def test_a_folder_elsewhere_is_one_line() -> None:
    out, clock = io.StringIO(), Clock()
    bar = TransferBar(out, clock=clock)
    clock.now += 1
    bar.enter(StorageProgressEnterDir(A, B))
    for name in ("x", "y"):
        bar.start(StorageProgressStart(A / name, B / name, 0))
        bar.complete(StorageProgressComplete(A / name, B / name, 0))
    bar.fail(StorageProgressFail(A / "z", B / "z", "a pipe"))
    bar.leave(StorageProgressLeaveDir(A, B))
    assert out.getvalue() == "left out: a pipe\n2 files, 0 B, 0 B/s\n"


def test_deletions() -> None:
    out, clock = Terminal(), Clock()
    bar = DeleteBar(out, clock=clock)
    for name in ("d/1", "d/e/2"):
        clock.now += 1
        bar.delete(StorageProgressDelete(B / name, is_dir=False))
    bar.delete(StorageProgressDelete(B / "d/e/", is_dir=True))
    bar.delete(StorageProgressDelete(B / "d/", is_dir=True))
    assert out.getvalue().split("\r\x1b[K") == [
        "1 blobs deleted", "2 blobs deleted", f"2 blobs deleted, all of {B}/d/\n",
    ]  # fmt: skip
