# SPDX-License-Identifier: Apache-2.0
"""Differences: what is uncommitted on a branch, and what lies between two refs. Identity decides what changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import NoMergeBase
from lakehouse.core.ids import MetaRangeId
from lakehouse.core.paths import after_prefix, grouped
from lakehouse.core.records import Change, ChangeKind, Page
from lakehouse.core.refs import Suffix, parse_ref
from lakehouse.format.entry import same_or_absent, unpack
from lakehouse.tree.diff import Difference, diff
from lakehouse.tree.lookup import lookup_many
from lakehouse.tree.store import NodeStore
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.ancestry import merge_base
from lakehouse.versioning.staged import uncommitted

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.objects.listing import Query


class Differ(msgspec.Struct, frozen=True):
    """Where raw differences come from, how a path is classified, and in which tree."""

    pages: Callable[[bytes], AsyncGenerator[list[Difference], None]]
    conflicts_with: tuple[NodeStore, MetaRangeId] | None = None


async def diff_branch(lake: Lake, repository: str, branch: str, query: Query) -> Page[Change]:
    """What is uncommitted on a branch. Raises RepositoryNotFound, BranchNotFound."""
    repo, seen = await resolve.branch(lake, repository, branch)
    return await _page(
        Differ(lambda start: uncommitted.differences(lake, repo, seen, start=start, prefix=query.prefix)), query
    )


async def diff_refs(lake: Lake, repository: str, left: str, right: str, query: Query, *, two_dot: bool) -> Page[Change]:
    """Two dots: the left tree against the right one. Three dots: what the right changed since both parted, with a
    conflict where the left changed the same path in another way. Uncommitted data counts only for `branch$` on the
    right of two dots.

    Raises RepositoryNotFound, InvalidRef, StagingIsNotCommit, NotFound, NoMergeBase without a merge base.
    """
    repo, left_commit = await resolve.commit(lake, repository, left)
    tree = lake.tree(repo)
    if two_dot and parse_ref(right).suffix is Suffix.STAGING:
        shown = await resolve.ref(lake, repository, right)
        branch = shown.staging
        if branch is not None:
            shows = Differ(
                lambda start: uncommitted.differences(
                    lake, repo, branch, left=left_commit.root, start=start, prefix=query.prefix
                )
            )
            return await _page(shows, query)
    _, right_commit = await resolve.commit(lake, repository, right)
    if two_dot:
        return await _page(_trees(tree, left_commit.root, right_commit.root, query), query)
    base = await merge_base(lake, repo, left_commit, right_commit)
    if base is None:
        raise NoMergeBase
    trees = _trees(tree, base.root, right_commit.root, query)
    if base.root == left_commit.root:
        return await _page(trees, query)
    return await _page(msgspec.structs.replace(trees, conflicts_with=(tree, left_commit.root)), query)


def _trees(tree: NodeStore, left: MetaRangeId, right: MetaRangeId, query: Query) -> Differ:
    return Differ(lambda start: diff(tree, left, right, start=start, prefix=query.prefix))


async def _page(differ: Differ, query: Query) -> Page[Change]:
    items: list[Change] = []
    start = query.start
    while start is not None:
        start = await _fill(differ, query, start, items)
        if len(items) > query.amount:
            return Page(tuple(items[: query.amount]), has_more=True)
    return Page(tuple(items))


async def _fill(differ: Differ, query: Query, start: bytes, items: list[Change]) -> bytes | None:
    """Add differences until the page is full or a group ends the stretch; the path to go on from, None at the end."""
    async with aclosing(differ.pages(start)) as pages:
        async for page in pages:
            single, group = _before_group(page[: query.amount + 1 - len(items)], query)
            items += await _changes(differ, single)
            if group is not None:
                items.append(Change(ChangeKind.PREFIX, group))
                return after_prefix(group)
            if len(items) > query.amount:
                return single[-1].key
    return None


def _before_group(page: list[Difference], query: Query) -> tuple[list[Difference], bytes | None]:
    """The differences that stand for themselves, up to the first that rolls up into a group, and the group."""
    if query.delimiter:
        for at, item in enumerate(page):
            group = grouped(item.key, query.prefix, query.delimiter)
            if group is not None:
                return page[:at], group
    return page, None


async def _changes(differ: Differ, page: list[Difference]) -> list[Change]:
    if differ.conflicts_with is None or not page:
        return [_change(item, _kind(item)) for item in page]
    others = await lookup_many(*differ.conflicts_with, [item.key for item in page])
    return [
        _change(item, ChangeKind.CONFLICT if _conflicts(item, other) else _kind(item))
        for item, other in zip(page, others, strict=True)
    ]


def _change(item: Difference, kind: ChangeKind) -> Change:
    return Change(
        kind,
        item.key,
        None if item.left is None else unpack(item.left),
        None if item.right is None else unpack(item.right),
    )


def _kind(item: Difference) -> ChangeKind:
    if item.left is None:
        return ChangeKind.ADDED
    return ChangeKind.REMOVED if item.right is None else ChangeKind.CHANGED


def _conflicts(item: Difference, other: bytes | None) -> bool:
    """Whether the other side has neither what was before nor what is now."""
    return not same_or_absent(other, item.left) and not same_or_absent(other, item.right)
