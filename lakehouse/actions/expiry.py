# SPDX-License-Identifier: Apache-2.0
"""Removal of old runs of hooks, with their outputs: by age, and by how many of a repository there are.

A repeat is harmless, and so are several processes at it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import LakehouseError
from lakehouse.core.ordered_ids import descending_id
from lakehouse.meta import action_runs

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake

PAUSE = 3600.0
"""Seconds between two removals."""
BATCH = 100
"""Runs that one transaction removes: outputs may be large."""
logger = logging.getLogger(__name__)


class Kept(msgspec.Struct, frozen=True):
    """Which runs are kept: no older than `seconds`, and the newest `most` of each repository. 0 is no limit."""

    seconds: int = 90 * 86_400
    most: int = 10_000


async def remove_old_runs(lake: Lake, kept: Kept) -> int:
    """Remove what is not kept; the number of runs that went. Raises DatabaseUnavailable."""
    gone = 0
    aged = [descending_id(lake.clock() - kept.seconds)] if kept.seconds else []
    repository = await action_runs.next_repository(lake.db, 0)
    while repository is not None:
        surplus = await action_runs.at_rank(lake.db, repository, kept.most) if kept.most else None
        starts = aged if surplus is None else [*aged, surplus]
        while starts and (old := await action_runs.from_id(lake.db, repository, min(starts), limit=BATCH)):
            await lake.db.apply(*action_runs.forget(repository, old))
            gone += len(old)
        repository = await action_runs.next_repository(lake.db, repository)
    return gone


async def remove_old_runs_for_ever(lake: Lake, kept: Kept) -> None:
    """Remove what is not kept every `PAUSE` seconds until cancelled."""
    while True:
        try:
            await remove_old_runs(lake, kept)
        except LakehouseError as error:
            logger.warning("old runs of hooks could not be removed: %s", error)
        await asyncio.sleep(PAUSE)
