# SPDX-License-Identifier: Apache-2.0
"""What both directions of a transfer share: how many files go at once, when a folder is done, and what is up to date.

Folders are walked one after the other and their files handed to a few workers, so that memory does not grow with the
number of files. The first error ends the whole transfer.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse.sdk.buckets.progress import (
    StorageProgressComplete,
    StorageProgressEnterDir,
    StorageProgressLeaveDir,
    StorageProgressStart,
    StorageProgressStep,
)
from lakehouse.sdk.buckets.upload import first_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from yarl import URL

    from lakehouse.sdk.buckets.progress import AbstractFileProgress, AbstractRecursiveFileProgress

FILES = 16
"""Files that are under way."""
CERTAIN = 2.0
"""Seconds by which one side must be newer to be so for certain: times are cut to whole seconds on both."""


@dataclass(frozen=True)
class Wish:
    """What is to be left alone: files that are up to date (`update`); files of which the beginning is there
    (`continue_`) are finished.
    """

    update: bool = False
    continue_: bool = False

    def __bool__(self) -> bool:
        return self.update or self.continue_

    def offset(self, *, src: tuple[int, float], dst: tuple[int, float]) -> int | None:
        """From where on to transfer a file, by size and time of both sides; None: it is up to date."""
        if dst[1] - src[1] < CERTAIN:
            return 0
        if self.update or (self.continue_ and dst[0] == src[0]):
            return None
        return dst[0] if self.continue_ and dst[0] < src[0] else 0


class Folder:
    """A folder that is being transferred: left when it was walked and all in it is done."""

    def __init__(self, src: URL, dst: URL, progress: AbstractRecursiveFileProgress, parent: Folder | None) -> None:
        self._told = StorageProgressLeaveDir(src, dst)
        self._progress = progress
        self._parent = parent
        self._open = 1
        if parent is not None:
            parent.add()
        progress.enter(StorageProgressEnterDir(src, dst))

    def add(self) -> None:
        """Something in it begins."""
        self._open += 1

    def done(self) -> None:
        """Something in it, or the walk itself, has ended."""
        self._open -= 1
        if self._open == 0:
            self._progress.leave(self._told)
            if self._parent is not None:
                self._parent.done()


class Workers:
    """The files under way."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._free = asyncio.Semaphore(FILES)

    async def begin(self, folder: Folder, work: Coroutine[object, object, None]) -> None:
        """Do `work` for a file of `folder`; returns when there was room for it."""
        try:
            await self._free.acquire()
        except BaseException:
            work.close()
            raise
        folder.add()
        self._group.create_task(self._run(folder, work))

    async def _run(self, folder: Folder, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        finally:
            self._free.release()
        folder.done()


@asynccontextmanager
async def workers() -> AsyncIterator[Workers]:
    """Workers for as long as the block lasts; it ends when all is done. Raises the first error as it was."""
    try:
        async with asyncio.TaskGroup() as group:
            yield Workers(group)
    except BaseExceptionGroup as error:
        raise first_of(error) from None


async def one_file(
    src: URL,
    dst: URL,
    *,
    size: int,
    begun: int,
    progress: AbstractFileProgress,
    move: Callable[[Callable[[int], object]], Coroutine[object, object, None]],
) -> None:
    """Transfer a file by `move`, which tells how many bytes it has moved; `begun` of `size` bytes are there."""
    progress.start(StorageProgressStart(src, dst, size))
    await move(lambda moved: progress.step(StorageProgressStep(src, dst, begun + moved, size)))
    progress.complete(StorageProgressComplete(src, dst, size))
