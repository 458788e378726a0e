# SPDX-License-Identifier: Apache-2.0
"""Commits, merges and other movers of one branch take turns, first come first served.

The turn keeps them from running against each other for nothing; what keeps them correct, also between processes, is
the guard of each one's last statement.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from lakehouse.core.ids import BranchId


class Turns:
    """One queue for each branch that somebody moves now."""

    def __init__(self) -> None:
        self._locks: dict[BranchId, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, branch: BranchId) -> AsyncIterator[None]:
        """Wait for the branch's turn and hold it."""
        lock, waiting = self._locks.get(branch, (None, 0))
        if lock is None:
            lock = asyncio.Lock()
        self._locks[branch] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._locks[branch]
            if waiting == 1:
                del self._locks[branch]
            else:
                self._locks[branch] = (lock, waiting - 1)


class Background:
    """Work that outlives the request that began it; `drain` waits for all of it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> None:
        """Run `work` beside the requests. Its failure is the loop's to report."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)
