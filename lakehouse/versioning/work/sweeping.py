# SPDX-License-Identifier: Apache-2.0
"""The sweeper: deletes staged rows that no branch shows any more, a little at a time, ten minutes after, and gives up
uploads in parts that nobody finished.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.meta import staging
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake

KEPT = 600
"""Seconds for which rows of a dropped token can still be read, by whoever read the branch before it was dropped."""
PAUSE = 30.0
logger = logging.getLogger(__name__)


async def sweep(lake: Lake) -> int:
    """Delete what can be deleted now; the number of rows, tokens and uploads that went. A repeat is harmless."""
    gone = 0
    while found := await staging.sweep(lake.db, before=lake.now - KEPT):
        gone += found
        await asyncio.sleep(0)
    return gone + await multipart.give_up_old(lake)


async def sweep_for_ever(lake: Lake) -> None:
    """Sweep every `PAUSE` seconds until cancelled."""
    while True:
        await asyncio.sleep(PAUSE)
        try:
            await sweep(lake)
        except LakehouseError as error:
            logger.warning("dropped rows or old uploads could not be deleted: %s", error)
