# SPDX-License-Identifier: Apache-2.0
"""Automatic commits: history for repositories whose users write objects and know nothing of commits.

A repository takes part when its metadata has the mark. Every few seconds one of the server processes looks for default
branches that have changes, and commits those whose head is old enough, or on which enough objects were changed. It is
a commit like any other: hooks and protection rules are asked, and writers never wait for it. A repeat is harmless: a
branch without changes is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from lakehouse.core.errors import LakehouseError, NoChanges
from lakehouse.meta import leases, waiting
from lakehouse.versioning.commits.commit import CommitRequest, commit
from lakehouse.versioning.lake import Actor

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake

MARK: Final = "lakehouse.auto-commit"
"""Key of a repository's metadata: with the value `true`, its default branch is committed automatically."""
MESSAGE = "Automatic commit"
PAUSE = 5.0
"""Seconds between two looks."""
LEASE = "auto-commit"
COMMITTER = Actor(committer="lakehouse", name="lakehouse")
logger = logging.getLogger(__name__)


class Schedule(msgspec.Struct, frozen=True):
    """When to commit: `every` so many seconds, and when `changes` objects wait; 0 is never."""

    every: int = 0
    changes: int = 0

    def __bool__(self) -> bool:
        return bool(self.every or self.changes)


async def commit_what_waits(lake: Lake, schedule: Schedule) -> int:
    """Commit each branch whose time has come; how many were. One that cannot be committed is logged and left."""
    made, after = 0, ""
    while found := await waiting.page(
        lake.db,
        mark=MARK,
        before=lake.now - schedule.every if schedule.every else None,
        changes=schedule.changes or None,
        after=after,
    ):
        for repository, branch in found:
            made += await _commit_one(lake, repository, branch)
            after = repository
    return made


async def _commit_one(lake: Lake, repository: str, branch: str) -> bool:
    try:
        await commit(lake, repository, branch, CommitRequest(MESSAGE), COMMITTER)
    except NoChanges:
        return False
    except LakehouseError as error:
        logger.warning("repository %s, branch %s: no automatic commit: %s", repository, branch, error)
        return False
    return True


async def commit_for_ever(lake: Lake, schedule: Schedule) -> None:
    """Commit what waits until cancelled, unless another process does it."""
    owner = lake.turns.owner
    while True:
        await asyncio.sleep(PAUSE)
        try:
            if await _is_mine(lake, owner):
                await commit_what_waits(lake, schedule)
        except LakehouseError as error:
            logger.warning("what waits to be committed could not be looked for: %s", error)


async def _is_mine(lake: Lake, owner: str) -> bool:
    now = lake.now
    await lake.db.apply(leases.claim(LEASE, owner, now=now, until=now + int(3 * PAUSE)))
    found = await leases.holder(lake.db, LEASE, now=now)
    return found is not None and found[0] == owner
