# SPDX-License-Identifier: Apache-2.0
"""The log: the commits that a ref can reach, newest first; within one second a parent never before its child."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import Page
from lakehouse.format.changed_paths import Probe, may_contain_prefix, prefix_probe
from lakehouse.format.entry import same_identity
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.ancestry import descending
from lakehouse.versioning.history.ancestors import Ancestors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit
    from lakehouse.meta.commits import Ancestor
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake

BREATH = 256
"""Commits after which others may run: all that is read may be in memory."""


class LogQuery(msgspec.Struct, frozen=True):
    """Which commits: `since` in seconds; `objects` and `prefixes` keep those that changed one of them.

    `exact` means `amount` in all, so that the page never says that there is more.
    """

    amount: int = 100
    after: str = ""
    objects: Sequence[bytes] = ()
    prefixes: Sequence[bytes] = ()
    first_parent: bool = False
    since: int | None = None
    stop_at: str = ""
    exact: bool = False


async def log_commits(lake: Lake, repository: str, ref: str, query: LogQuery) -> Page[Commit]:
    """A page of the history of `ref`. Raises RepositoryNotFound, InvalidRef, NotFound."""
    repo, head = await resolve.commit_record(lake, repository, ref)
    after = (await resolve.commit_record(lake, repository, query.after))[1].id if query.after else None
    stop_at = (await resolve.commit_record(lake, repository, query.stop_at))[1].id if query.stop_at else None
    ancestors = Ancestors(lake.db, repo.id)
    touches = _Touches(lake.tree(repo), ancestors, query)
    found: list[CommitId] = []
    skipping = after is not None
    more = False
    async with aclosing(walk(ancestors, head.id, query)) as history:
        async for commit in history:
            if skipping:
                skipping = commit.id != after
            elif await touches(commit):
                if len(found) == query.amount:
                    more = True
                    break
                found.append(commit.id)
                if query.exact and len(found) == query.amount:
                    break
            if commit.id == stop_at:
                break
    by_id = await resolve.get_commits(lake, repo, found)
    return Page(tuple(by_id[one] for one in found), has_more=more)


async def walk(ancestors: Ancestors, head: CommitId, query: LogQuery) -> AsyncGenerator[Ancestor, None]:
    """Commits from `head` down, each once.

    By creation date, then generation, then id, all descending: commits of one second come child before parent.
    """
    heap: list[tuple[int, int, str, Ancestor]] = []
    seen: set[CommitId] = set()
    wanted: Sequence[CommitId] = (head,)
    visited = 0
    while wanted or heap:
        for commit_id in wanted:
            if commit_id not in seen:
                seen.add(commit_id)
                found = await ancestors.get(commit_id)
                heappush(heap, (-found.created, -found.generation, descending(found.id), found))
        if not heap:
            return
        *_, commit = heappop(heap)
        wanted = ()
        if query.since is None or commit.created >= query.since:
            yield commit
            wanted = commit.parents[:1] if query.first_parent else commit.parents
        visited += 1
        if visited % BREATH == 0:
            await asyncio.sleep(0)


class _Touches:
    """Whether a commit with a single parent changed one of the wanted paths; all commits do when none are named."""

    def __init__(self, tree: NodeStore, ancestors: Ancestors, query: LogQuery) -> None:
        self._tree = tree
        self._ancestors = ancestors
        self._objects = [(path, Probe(path)) for path in query.objects]
        self._prefixes = [(prefix, prefix_probe(prefix)) for prefix in query.prefixes]

    async def __call__(self, commit: Ancestor) -> bool:
        if not self._objects and not self._prefixes:
            return True
        if len(commit.parents) != 1:
            return False
        objects = [path for path, probe in self._objects if probe(commit.paths)]
        prefixes = [
            prefix
            for prefix, probe in self._prefixes
            if (may_contain_prefix(commit.paths, prefix) if probe is None else probe(commit.paths))
        ]
        if not objects and not prefixes:
            return False
        old = (await self._ancestors.look(commit.parents[0])).root
        for path in objects:
            before, after = await lookup(self._tree, old, path), await lookup(self._tree, commit.root, path)
            if before != after and (before is None or after is None or not same_identity(before, after)):
                return True
        for prefix in prefixes:
            async with aclosing(diff(self._tree, old, commit.root, prefix=prefix)) as pages:
                if await anext(pages, None):
                    return True
        return False
