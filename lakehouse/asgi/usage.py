# SPDX-License-Identifier: Apache-2.0
"""How many requests this installation answers: counted in memory, added to the database now and then.

Counting costs nothing that a request would notice. A process that is killed loses what it counted since it last added.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.meta import usage

if TYPE_CHECKING:
    from lakehouse.core.clock import Clock
    from lakehouse.db.port import Database

PAUSE = 60.0
"""Seconds between two additions."""
logger = logging.getLogger(__name__)


class UsageCounter:
    """The requests of this process."""

    def __init__(self, db: Database, *, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._some = 0

    def count(self) -> None:
        """One more."""
        self._some += 1

    async def flush(self) -> None:
        """Add what was counted, to the month that it is now. Raises DatabaseUnavailable, and then loses nothing."""
        some = self._some
        if not some:
            return
        self._some = 0
        now = datetime.fromtimestamp(self._clock(), UTC)
        try:
            await self._db.apply(usage.add({now.year * 100 + now.month: some}))
        except BaseException:
            self._some += some
            raise

    async def counted(self) -> list[tuple[int, int]]:
        """All months (`year * 100 + month`) and their requests, oldest first, with those of this process."""
        await self.flush()
        return await usage.by_month(self._db)

    async def flush_for_ever(self) -> None:
        """Add what was counted every `PAUSE` seconds until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.flush()
            except LakehouseError as error:
                logger.warning("the count of requests could not be stored: %s", error)
