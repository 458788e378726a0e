# SPDX-License-Identifier: Apache-2.0
"""Nodes that garbage collection deletes, and builds of trees that make the same nodes again.

A node has the name of its content. A build may store one that was garbage a moment ago, just before the collector
deletes it. So the collector counts `repositories.sweeping` up before it deletes nodes and again after it, and the
transaction that makes a tree visible requires that the count is what it was before the build; else the build is done
again, and stores its nodes again.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lakehouse.core.errors import LostRace
from lakehouse.meta import leases, repositories

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.ids import RepositoryId
    from lakehouse.core.records import Repository
    from lakehouse.versioning.lake import Lake

LEASE = 300
"""Seconds that one batch of deletes may take; whoever dies in one holds builds up for that long."""
_PAUSE = 0.02


def lease_name(repository: RepositoryId) -> str:
    """The lease of whoever deletes nodes of a repository."""
    return f"sweep:{repository}"


async def waited(lake: Lake, repository: Repository) -> bool:
    """Whether nodes of the repository were being deleted when it was read: then not any more, and it is to be read
    again. What a collector that died left is put right.
    """
    if repository.sweeping % 2 == 0:
        return False
    if await leases.holder(lake.db, lease_name(repository.id), now=lake.now) is None:
        try:
            await lake.db.apply(repositories.step_sweeping(repository.id, seen=repository.sweeping))
        except LostRace:
            return True
    else:
        await asyncio.sleep(_PAUSE)
    return True


@asynccontextmanager
async def deleting_nodes(lake: Lake, repository: RepositoryId, owner: str) -> AsyncIterator[None]:
    """While this is held, no tree becomes visible that was built before it is let go of. Raises LostRace when another
    collector deletes nodes of this repository.
    """
    seen = (await repositories.by_id(lake.db, repository)).sweeping
    if seen % 2:
        raise LostRace
    now = lake.now
    await lake.db.apply(
        leases.claim(lease_name(repository), owner, now=now, until=now + LEASE),
        repositories.step_sweeping(repository, seen=seen),
    )
    try:
        yield
    finally:
        await lake.db.apply(
            repositories.step_sweeping(repository, seen=seen + 1), leases.release(lease_name(repository), owner)
        )
