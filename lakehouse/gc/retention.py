# SPDX-License-Identifier: Apache-2.0
"""Which commits retention keeps.

From every branch head, and from every commit that is nobody's first parent, history is followed along first parents. A
head stays; a parent stays while its child is younger than the rule of the path says. What tags name and where branches
were within their retention stays too. Of several paths to a commit the longest retention counts.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import CommitId
from lakehouse.gc.rules import DAY
from lakehouse.meta import collection
from lakehouse.meta.collection import CommitRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.core.records import Repository
    from lakehouse.gc.rules import RetentionRules
    from lakehouse.meta.collection import HeldRef
    from lakehouse.versioning.lake import Lake

_BREATH = 1000


class Retained(msgspec.Struct, frozen=True):
    """Commits that stay, by id; those that do not; and of them those that are not expired yet."""

    active: dict[CommitId, CommitRow]
    others: list[CommitRow]
    dropped: list[CommitId]


async def retained(
    lake: Lake, repository: Repository, rules: RetentionRules, refs: Iterable[HeldRef], *, now: int
) -> Retained:
    """Judge all commits of a repository by its rules. Holds a row for each commit in memory."""
    named = list(refs)
    starts: list[tuple[int, CommitId]] = []
    for ref in named:
        since = now - rules.days(ref.name) * DAY
        starts.append((since if ref.is_branch else now + 1, ref.commit))
        if ref.is_branch:
            starts += [(now + 1, commit) for commit in await collection.moved_to(lake.db, ref.id, since=since)]
    commits: dict[CommitId, CommitRow] = {}
    async for page in collection.commit_rows(lake.db, repository.id):
        commits.update((row.id, row) for row in page)
        await asyncio.sleep(0)
    since = now - rules.default_days * DAY
    parents = {row.parent for row in commits.values()}
    starts += [(since, row.id) for row in commits.values() if row.id not in parents and row.created >= since]
    active = await _followed(commits, starts)
    others = [row for row in commits.values() if row.id not in active]
    return Retained(active, others, [row.id for row in others if not row.expired])


async def _followed(
    commits: dict[CommitId, CommitRow], starts: list[tuple[int, CommitId]]
) -> dict[CommitId, CommitRow]:
    """All that is kept from `starts`: (time from which on a child keeps its parent, commit)."""
    active: dict[CommitId, CommitRow] = {}
    walked: set[CommitId] = set()
    steps = 0
    for since, start in sorted(starts):  # the longest retention first: what it has walked, no other path goes beyond
        at = commits.get(start)
        while at is not None and at.id not in walked:
            active[at.id] = at
            if at.created < since:
                break
            walked.add(at.id)
            at = None if at.parent is None else commits.get(at.parent)
            steps += 1
            if steps % _BREATH == 0:
                await asyncio.sleep(0)
    return active
