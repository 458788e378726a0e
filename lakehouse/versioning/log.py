# SPDX-License-Identifier: Apache-2.0
"""The log: the commits that a ref can reach, newest first, a parent never before its child."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import Page
from lakehouse.format.changed_paths import may_contain, may_contain_prefix
from lakehouse.format.entry import same_identity
from lakehouse.meta import commits
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup
from lakehouse.versioning import resolve
from lakehouse.versioning.ancestry import descending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit, Repository
    from lakehouse.versioning.lake import Lake

MAX_SCANNED = 100_000
"""Commits that one page of a filtered log looks at before it answers with what it has."""


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
    async for commit in walk(lake, repo, head, query):
        scanned += 1
        if skipping:
            skipping = commit.id != after
        elif await _touches(lake, repo, commit, query):
            if len(found) == query.amount:
                return Page(tuple(found), has_more=True)
            found.append(commit)
            if query.exact and len(found) == query.amount:
                break
        if commit.id == stop_at or scanned >= MAX_SCANNED:
            break
    return Page(tuple(found))


async def walk(lake: Lake, repository: Repository, head: Commit, query: LogQuery) -> AsyncIterator[Commit]:
    """Commits from `head` down, by creation date, then id, both descending; each once."""
    heap: list[tuple[int, str, Commit]] = [(-head.created, descending(head.id), head)]
    seen: set[CommitId] = {head.id}
    while heap:
        _, _, commit = heappop(heap)
        if query.since is not None and commit.created < query.since:
            continue
        yield commit
        for parent in commit.parents[:1] if query.first_parent else commit.parents:
            if parent not in seen:
                seen.add(parent)
                found = await resolve.get_commit(lake, repository, parent)
                heappush(heap, (-found.created, descending(found.id), found))


async def _touches(lake: Lake, repository: Repository, commit: Commit, query: LogQuery) -> bool:
    """Whether a commit with a single parent changed one of the wanted paths; all do when none are named."""
    if not query.objects and not query.prefixes:
        return True
    if len(commit.parents) != 1:
        return False
    known = await commits.paths_filter(lake.db, repository.id, commit.id)
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
        async for page in diff(tree, parent.root, commit.root, prefix=prefix):
            if page:
                return True
    return False
