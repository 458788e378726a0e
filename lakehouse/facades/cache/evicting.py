# SPDX-License-Identifier: Apache-2.0
"""The cache's own work in the background: old entries and forgotten reservations go, a little at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError

if TYPE_CHECKING:
    from lakehouse.facades.cache.service import CacheService

PAUSE = 60.0
logger = logging.getLogger(__name__)


async def evict(cache: CacheService) -> int:
    """Evict what can go now; how many entries and reservations that was."""
    gone = 0
    while found := await cache.evict_old():
        gone += found
        await asyncio.sleep(0)
    return gone


async def evict_for_ever(cache: CacheService) -> None:
    """Evict every `PAUSE` seconds until cancelled."""
    while True:
        await asyncio.sleep(PAUSE)
        try:
            await evict(cache)
        except LakehouseError as error:
            logger.warning("old cache entries could not be evicted: %s", error)
