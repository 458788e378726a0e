# SPDX-License-Identifier: Apache-2.0
"""The history of a path, and for each item of a listing the commit that it is from."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import ChangeKind, Commit, Entry, Page
from lakehouse.format.entry import unpack
from lakehouse.tree.lookup import scan
from lakehouse.tree.rollup import roll_up
from lakehouse.versioning import resolve
from lakehouse.versioning.history.trace import Place, Trace

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId, EntryPath
    from lakehouse.core.records import Repository
    from lakehouse.versioning.history.trace import Change
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.objects.listing import Query


class PathChange(msgspec.Struct, frozen=True):
    """A commit changed the path; `entry` is what it has there since, None when it was removed."""

    kind: ChangeKind
    commit: Commit
    entry: Entry | None


class Origin(msgspec.Struct, frozen=True):
    """An item of a listing, a common prefix if `whole`, and the commit that last changed it."""

    path: bytes
    whole: bool
    commit: Commit


async def log_path(
    lake: Lake, repository: str, ref: str, path: EntryPath, *, after: str, amount: int, first_parent: bool = False
) -> tuple[Repository, Page[PathChange]]:
    """A page of the changes of a path that led to what the commit of `ref` has there, newest first.

    `after` is a commit of the page before. With `first_parent` a merge counts as one change, whatever it brought.
    O(commits), of which all but a few pass by their filters. Raises RepositoryNotFound, InvalidRef, NotFound.
    """
    repo, head = await resolve.commit(lake, repository, ref)
    behind = (await resolve.commit(lake, repository, after))[1].id if after else None
    trace = Trace(lake, repo, [Place(path)], first_parent=first_parent, once=False)
    found: list[Change] = []
    async with aclosing(trace.changes(head.id)) as changes:
        async for change in changes:
            if behind is not None:
                behind = None if change.commit_id == behind else behind
                continue
            found.append(change)
            if len(found) > amount:
                break
    by_id = await resolve.get_commits(lake, repo, [change.commit_id for change in found[:amount]])
    items = [_path_change(by_id[change.commit_id], change) for change in found[:amount]]
    return repo, Page(tuple(items), has_more=len(found) > amount)


async def blame_prefix(lake: Lake, repository: str, ref: str, query: Query) -> Page[Origin]:
    """A page of the listing of the commit of `ref`; of each object the commit that made it what it is, of each common
    prefix the commit that last changed anything under it.

    Raises RepositoryNotFound, InvalidRef, NotFound.
    """
    repo, head = await resolve.commit(lake, repository, ref)
    places = await _listed(lake, repo, head, query)
    shown = places[: query.amount]
    origins: dict[Place, CommitId] = {}
    async with aclosing(Trace(lake, repo, shown, first_parent=False, once=True).changes(head.id)) as changes:
        async for change in changes:
            origins[change.place] = change.commit_id
    by_id = await resolve.get_commits(lake, repo, list(set(origins.values())))
    items = [Origin(place.path, place.whole, by_id[origins[place]]) for place in shown]
    return Page(tuple(items), has_more=len(places) > query.amount)


async def _listed(lake: Lake, repository: Repository, head: Commit, query: Query) -> list[Place]:
    """The places on the page, and one more if there is one."""
    start, tree, limit = query.start, lake.tree(repository), query.amount + 1
    if start is None:
        return []
    if query.delimiter:
        items = await roll_up(tree, head.root, start=start, prefix=query.prefix, delimiter=query.delimiter, limit=limit)
        return [Place(path, whole=packed is None) for path, packed in items]
    keys, _ = await scan(tree, head.root, start=start, prefix=query.prefix, limit=limit)
    return [Place(key) for key in keys]


def _path_change(commit: Commit, change: Change) -> PathChange:
    if change.after is None:
        kind = ChangeKind.REMOVED
    else:
        kind = ChangeKind.ADDED if change.before is None else ChangeKind.CHANGED
    return PathChange(kind, commit, None if change.after is None else unpack(change.after))
