# SPDX-License-Identifier: Apache-2.0
"""Commits, merges, folds and other movers of one branch take turns: first come first served within a process.

Between processes a lease says that somebody is at work: whoever sealed a staging area or lost a race holds one, and
whoever wants the branch's turn waits for it to end. The turn keeps movers from running against each other for nothing;
what keeps them correct is the guard of each one's last statement. The lease of a process that died runs out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import LakehouseError
from lakehouse.meta import leases

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import AsyncIterator, Coroutine

    from lakehouse.core.clock import Clock
    from lakehouse.core.ids import BranchId
    from lakehouse.db.port import Database
    from lakehouse.db.statement import Statement

LEASE = 3
"""Seconds that a lease lasts without a sign of life."""
_FIRST_LOOK, _LAST_LOOK = 0.002, 0.05
"""Seconds between two looks at another's lease."""
logger = logging.getLogger(__name__)


class Turn:
    """The turn of a branch, held."""

    def __init__(self, db: Database, name: str, owner: str, clock: Clock, patience: float) -> None:
        self._db = db
        self._name = name
        self._owner = owner
        self._clock = clock
        self._patience = patience
        self._held = False
        self._alive: asyncio.Task[None] | None = None

    def claim(self) -> Statement:
        """Part of a transaction that others would take for uncommitted changes: they wait from now on."""
        self._held = True
        if self._alive is None:
            self._alive = asyncio.get_running_loop().create_task(self._stay())
        now = int(self._clock())
        return leases.claim(self._name, self._owner, now=now, until=now + LEASE)

    def release(self) -> list[Statement]:
        """Part of the transaction that ends the turn's work."""
        return [leases.release(self._name, self._owner)] if self._held else []

    def released(self) -> None:
        """That transaction was carried out."""
        self._held = False

    async def others(self) -> bool:
        """Wait while another process holds the lease; whether there was anything to wait for.

        Whoever gives no sign of life for `patience` seconds is not waited for.
        """
        waited, pause, seen, since = False, _FIRST_LOOK, 0, 0.0
        loop = asyncio.get_running_loop()
        while True:
            found = await leases.holder(self._db, self._name, now=int(self._clock()))
            if found is None or found[0] == self._owner:
                return waited
            if found[1] != seen:
                seen, since = found[1], loop.time()
            elif loop.time() - since > self._patience:
                return False
            waited = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)

    async def insist(self) -> None:
        """After a lost race: wait for whoever is at work, then make the others wait."""
        await self.others()
        await self._db.apply(self.claim())

    async def end(self) -> None:
        """Let the others go on."""
        if self._alive is not None:
            self._alive.cancel()
        if self._held:
            self._held = False
            try:
                await self._db.apply(leases.release(self._name, self._owner))
            except LakehouseError as error:
                logger.warning("the lease %s could not be given back, it runs out: %s", self._name, error)

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            now = int(self._clock())
            try:
                await self._db.apply(leases.claim(self._name, self._owner, now=now, until=now + LEASE))
            except LakehouseError as error:
                logger.warning("the lease %s could not be made longer: %s", self._name, error)


class Turns:
    """One queue for each branch that somebody moves now.

    `patience`: seconds to wait for another process that gives no sign of life.
    """

    def __init__(self, *, patience: float = LEASE) -> None:
        self._locks: dict[BranchId, tuple[asyncio.Lock, int]] = {}
        self._patience = patience
        self.trains: dict[BranchId, deque[Any]] = {}
        """Who waits to go onto a clean branch, where somebody does."""
        self.owner = os.urandom(8).hex()
        """Whose leases this process's are."""

    @asynccontextmanager
    async def of(self, branch: BranchId) -> AsyncIterator[None]:
        """Wait for the branch's turn in this process and hold it."""
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

    def wanted(self, branch: BranchId) -> bool:
        """Whether somebody in this process waits for the branch's turn while another holds it."""
        return self._locks.get(branch, (None, 0))[1] > 1

    @asynccontextmanager
    async def among_all(self, branch: BranchId, db: Database, clock: Clock) -> AsyncIterator[Turn]:
        """As `of`, and wait for other processes that hold the branch's lease."""
        async with self.of(branch):
            turn = Turn(db, f"branch/{branch}", self.owner, clock, self._patience)
            await turn.others()
            try:
                yield turn
            finally:
                await turn.end()


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
