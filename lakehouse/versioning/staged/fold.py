# SPDX-License-Identifier: Apache-2.0
"""Folding: many sealed staging areas of a branch become one, so that reads do not pay for each of them.

Commits that fail, merges that find uncommitted changes and atomic batches leave sealed areas behind. What the branch
shows does not change: the newest row of each path goes under a new token, page by page, and one guarded change of the
token list puts that token in place of the others. A fold that is cut off leaves rows to the sweeper.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from lakehouse.core.clock import random_token
from lakehouse.core.errors import LakehouseError, LostRace, NotFound
from lakehouse.core.ids import StagingToken
from lakehouse.meta import refs, staged_pages, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.staged import changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake

MOST = 4
"""Sealed areas that a branch may keep."""
DEADLINE = 86_400
"""Seconds after which the sweeper takes the rows of a fold that never ended."""
logger = logging.getLogger(__name__)


def fold_if_many(lake: Lake, repository: Repository, branch: Branch, sealed: Sequence[StagingToken]) -> None:
    """Fold in the background, when it is the branch's turn, if more than `MOST` areas are sealed."""
    if len(sealed) > MOST:
        lake.background.start(_fold_quietly(lake, repository, branch))


async def _fold_quietly(lake: Lake, repository: Repository, branch: Branch) -> None:
    try:
        await fold(lake, repository.name, branch)
    except LakehouseError as error:
        logger.warning("repository %s, branch %s: could not be folded: %s", repository.name, branch.name, error)


async def fold(lake: Lake, repository: str, branch: Branch) -> bool:
    """Put one sealed area in place of all that are sealed now, if they are more than `MOST`; whether it did.

    What lost a race against another mover of the branch is left as it was. A repeat is harmless.
    """
    async with lake.turn(branch.id):
        try:
            _, current = await resolve.branch(lake, repository, branch.name)
        except NotFound:
            return False
        if current.id != branch.id or len(current.sealed) <= MOST:
            return False
        return await _fold(lake, current)


async def _fold(lake: Lake, branch: Branch) -> bool:
    target = StagingToken(random_token())
    await lake.db.apply(staging.reserve(target, until=lake.now + DEADLINE))
    rows = changes.rows(lake.db, branch.sealed)
    async with aclosing(lake.pace.spread(rows, wanted=lambda: lake.turns.wanted(branch.id))) as pages:
        async for page in pages:
            await lake.db.apply(*staged_pages.put(target, page))
    try:
        await lake.db.apply(
            refs.replace_sealed(branch, taken=branch.sealed, by=target),
            staging.keep(target, now=lake.now),
            *staging.drop(branch.sealed, now=lake.now),
        )
    except LostRace:
        await lake.db.apply(staging.abandon(target, now=lake.now))
        return False
    return True
