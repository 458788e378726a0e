# SPDX-License-Identifier: Apache-2.0
"""Following paths back through history: at which commits what a ref shows there came to be.

A commit changed a path when it differs, by identity, from all of its parents there; where a merge agrees with one of
them, that one is followed and the others are not, so what a merge threw away is no part of the history. Commits are
visited from the highest generation down, a child before its parents. Filters over changed paths
(format/changed_paths.py) let most commits pass unread.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from heapq import heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.ids import EMPTY_TREE, CommitId
from lakehouse.format.changed_paths import Probe, prefix_probe
from lakehouse.format.entry import same_or_absent
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup_many
from lakehouse.versioning.history.ancestors import Ancestors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.core.records import Repository
    from lakehouse.meta.commits import Ancestor
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake

Wanted: TypeAlias = "dict[int, bytes | None]"
"""Places by number, each with its packed entry at some commit."""
BREATH = 256
"""Commits after which others may run: all that is read may be in memory."""


class Place(msgspec.Struct, frozen=True):
    """An object's path, or a prefix that stands for all that begins with it."""

    path: bytes
    whole: bool = False


class Change(msgspec.Struct, frozen=True):
    """A commit changed a place: its packed entry before (against the first parent) and after; None: nothing there.

    For a prefix both are None.
    """

    commit_id: CommitId
    place: Place
    before: bytes | None
    after: bytes | None


class Trace:
    """A walk for some places from a commit on."""

    def __init__(
        self, lake: Lake, repository: Repository, places: Sequence[Place], *, first_parent: bool, once: bool
    ) -> None:
        """`first_parent`: other parents of merges are not looked at. `once`: only the newest change of each place."""
        self._tree = lake.tree(repository)
        self._ancestors = Ancestors(lake.db, repository.id)
        self._places = places
        self._probes = [prefix_probe(place.path) if place.whole else Probe(place.path) for place in places]
        self._above = prefix_probe(_common([place.path for place in places])) if len(places) > 1 else None
        """Asks for the directory that all places are in."""
        self._first_parent = first_parent
        self._once = once
        self._order: list[tuple[int, CommitId]] = []
        self._waiting: dict[CommitId, tuple[Ancestor, Wanted]] = {}
        self._visited = 0

    async def changes(self, head: CommitId) -> AsyncGenerator[Change, None]:
        """Newest first: no commit before one that follows from it. Raises CommitNotFound, DataDamaged, ..."""
        start = await self._ancestors.get(head)
        paths = sorted({place.path for place in self._places if not place.whole})
        entries = dict(zip(paths, await lookup_many(self._tree, start.root, paths), strict=True))
        self._push(start, {at: entries.get(place.path) for at, place in enumerate(self._places)})
        while self._order:
            _, commit_id = heappop(self._order)
            commit, wanted = self._waiting.pop(commit_id)
            commit, next_in_order = await self._passed(commit, wanted)
            if not next_in_order:
                self._push(commit, wanted)
                continue
            for change in await self._visit(commit, wanted):
                yield change

    async def _passed(self, commit: Ancestor, wanted: Wanted) -> tuple[Ancestor, bool]:
        """From a commit on along first parents: the first that may have changed something, and True; or, with False,
        the first before which another one has to be visited.
        """
        probes = [self._probes[at] for at in wanted]
        above, order, get = self._above, self._order, self._ancestors.get
        while commit.parents:
            self._visited += 1
            if self._visited % BREATH == 0:
                await asyncio.sleep(0)
            paths = commit.paths
            if paths is None or (
                (above is None or above(paths)) and any(probe is None or probe(paths) for probe in probes)
            ):
                return commit, True
            commit = await get(commit.parents[0])
            if order and order[0] <= (-commit.generation, commit.id):
                return commit, False
        return commit, True

    def _push(self, commit: Ancestor, wanted: Wanted) -> None:
        if commit.id in self._waiting:
            self._waiting[commit.id][1].update(wanted)
        elif wanted:
            self._waiting[commit.id] = (commit, wanted)
            heappush(self._order, (-commit.generation, commit.id))

    async def _visit(self, commit: Ancestor, wanted: Wanted) -> list[Change]:
        parents = commit.parents[:1] if self._first_parent else commit.parents
        left = wanted
        seen: list[tuple[Ancestor, Wanted]] = []  # each parent looked at, and what it has at the places that differ
        for number, parent_id in enumerate(parents):
            parent = self._waiting[parent_id][0] if parent_id in self._waiting else await self._ancestors.get(parent_id)
            differs = await self._differing(commit, parent.root, left, filtered=number == 0)
            self._push(parent, {at: value for at, value in left.items() if at not in differs})
            seen.append((parent, differs))
            left = {at: left[at] for at in differs}
            if not left:
                return []
        if not parents:
            left = {at: left[at] for at in await self._differing(commit, EMPTY_TREE, left, filtered=False)}
        if not self._once:
            for parent, differs in seen:
                self._push(parent, {at: differs[at] for at in left})
        before = seen[0][1] if seen else {}
        return [Change(commit.id, self._places[at], before.get(at), left[at]) for at in sorted(left)]

    async def _differing(self, commit: Ancestor, other: MetaRangeId, wanted: Wanted, *, filtered: bool) -> Wanted:
        """The places whose entry in the tree `other` is not that of the commit, with what it has there."""
        if commit.root == other:
            return {}
        places, probes = self._places, self._probes
        asked = list(wanted)
        if filtered and commit.paths is not None:
            asked = [at for at in asked if (probe := probes[at]) is None or probe(commit.paths)]
        if not asked:
            return {}
        single = sorted((places[at].path, at) for at in asked if not places[at].whole)
        entries = await lookup_many(self._tree, other, [path for path, _ in single]) if single else []
        found = {
            at: entry for (_, at), entry in zip(single, entries, strict=True) if not same_or_absent(wanted[at], entry)
        }
        for at in asked:
            if places[at].whole and await _any_difference(self._tree, other, commit.root, places[at].path):
                found[at] = None
        return found


def _common(paths: list[bytes]) -> bytes:
    """The longest prefix of all paths."""
    first, last = min(paths), max(paths)
    return next((first[:at] for at in range(len(first)) if first[: at + 1] != last[: at + 1]), first)


async def _any_difference(tree: NodeStore, left: MetaRangeId, right: MetaRangeId, prefix: bytes) -> bool:
    async with aclosing(diff(tree, left, right, prefix=prefix)) as pages:
        return bool(await anext(pages, None))
