# SPDX-License-Identifier: Apache-2.0
"""The log: the commits that a ref can reach, newest first; within one second a parent never before its child."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import CommitNotFound
from lakehouse.core.records import Page
from lakehouse.format.changed_paths import may_contain, may_contain_prefix
from lakehouse.format.entry import same_identity
from lakehouse.meta import commits
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup
from lakehouse.versioning import resolve
from lakehouse.versioning.ancestry import descending

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit, Repository
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
    repo, head = await resolve.commit(lake, repository, ref)
    after = (await resolve.commit(lake, repository, query.after))[1].id if query.after else None
    stop_at = (await resolve.commit(lake, repository, query.stop_at))[1].id if query.stop_at else None
    found: list[Commit] = []
    skipping = after is not None
    scanned = 0
    async with aclosing(walk(lake, repo, head, query)) as history:
        async for commit, known in history:
            scanned += 1
            if skipping:
                skipping = commit.id != after
            elif await _touches(lake, repo, commit, known, query):
                if len(found) == query.amount:
                    return Page(tuple(found), has_more=True)
                found.append(commit)
                if query.exact and len(found) == query.amount:
                    break
            if commit.id == stop_at:
                break
            if scanned % BREATH == 0:
                await asyncio.sleep(0)
    return Page(tuple(found))


async def walk(
    lake: Lake, repository: Repository, head: Commit, query: LogQuery
) -> AsyncGenerator[tuple[Commit, bytes | None], None]:
    """Commits from `head` down, each once and with the filter over its paths (None: unknown, or not asked for).

    By creation date, then generation, then id, all descending: commits of one second come child before parent.
    """
    filtered = bool(query.objects or query.prefixes)
    heap: list[tuple[int, int, str, Commit, bytes | None]] = []
    seen: set[CommitId] = set()
    wanted: Sequence[CommitId] = (head.id,)
    while wanted or heap:
        for commit_id in wanted:
            if commit_id not in seen:
                seen.add(commit_id)
                found, known = await _read(lake, repository, commit_id, filtered=filtered)
                heappush(heap, (-found.created, -found.generation, descending(found.id), found, known))
        if not heap:
            return
        *_, commit, known = heappop(heap)
        wanted = ()
        if query.since is None or commit.created >= query.since:
            yield commit, known
            wanted = commit.parents[:1] if query.first_parent else commit.parents


async def _read(
    lake: Lake, repository: Repository, commit_id: CommitId, *, filtered: bool
) -> tuple[Commit, bytes | None]:
    if not filtered:
        return await resolve.get_commit(lake, repository, commit_id), None
    found = await commits.find_with_paths(lake.db, repository.id, commit_id)
    if found is None:
        raise CommitNotFound
    return found


async def _touches(lake: Lake, repository: Repository, commit: Commit, known: bytes | None, query: LogQuery) -> bool:
    """Whether a commit with a single parent changed one of the wanted paths; all do when none are named."""
    if not query.objects and not query.prefixes:
        return True
    if len(commit.parents) != 1:
        return False
    objects = [path for path in query.objects if may_contain(known, path)]
    prefixes = [prefix for prefix in query.prefixes if may_contain_prefix(known, prefix)]
    if not objects and not prefixes:
        return False
    parent = await resolve.get_commit(lake, repository, commit.parents[0])
    tree = lake.tree(repository)
    for path in objects:
        old, new = await lookup(tree, parent.root, path), await lookup(tree, commit.root, path)
        if old != new and (old is None or new is None or not same_identity(old, new)):
            return True
    for prefix in prefixes:
        async with aclosing(diff(tree, parent.root, commit.root, prefix=prefix)) as pages:
            if await anext(pages, None):
                return True
    return False
