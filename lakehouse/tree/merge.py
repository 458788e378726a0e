# SPDX-License-Identifier: Apache-2.0
"""Three-way merge by identity: what `theirs` changed since `base` is made to `ours`.

A key that both sides changed in the same way keeps the entry of ours; one that both changed differently is a conflict.
The source's changes can be kept and merged again into another head, when a race was lost.

The merged tree is the same whichever side it is made from: theirs is changed where ours is to stay, or ours where
theirs wins. It is made from the side that has fewer leaves to change, so a merge costs what the differences of the
source take to compare, and stores what the smaller side touches: nothing at all where only the source changed.
"""

from __future__ import annotations

from collections import deque
from contextlib import aclosing
from enum import Enum
from operator import eq
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.ids import MetaRangeId
from lakehouse.core.offload import PAGE, breathe, offload
from lakehouse.format.changed_paths import PathsFilter
from lakehouse.format.entry import TOMBSTONE, same_identity
from lakehouse.tree.apply import Change, apply
from lakehouse.tree.diff import Difference, diff, leaves_apart
from lakehouse.tree.lookup import leaves_touched, lookup_many

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from lakehouse.tree.store import NodeStore

    Same: TypeAlias = Callable[[bytes, bytes], bool]
    Settle: TypeAlias = Callable[[bytes], "Side | None"]
    """The side that wins at a key in conflict; None when the merge's own preference decides."""

MAX_CONFLICTS = 1000
"""Conflicts that are reported by path."""
_COST = 4
"""Entries that are compared in the time in which one is chosen."""
_AHEAD = 10_000
"""Changes of either side that are looked at before it is decided which one is changed."""
_SMALLER = 2
"""Theirs has less to change when so many times fewer leaves are touched there: what ours changed has to be read."""


class Side(Enum):
    """Whose entry wins a conflict: one of the two, the one from before both changed it, or that it is gone."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"
    NEITHER = "neither"


class Trees(msgspec.Struct, frozen=True):
    """What is merged: `theirs`, since it parted at `base`, into `ours`."""

    base: MetaRangeId
    ours: MetaRangeId
    theirs: MetaRangeId


class Merged(msgspec.Struct, frozen=True):
    """`root` is None when one of the `conflicts` (their first paths) is settled by nothing.

    `source_changed`: diff(base, theirs) is not empty. `changed`: keys of ours that are different now, `added` and
    `removed` of them; `paths` is the filter over all of them.
    """

    root: MetaRangeId | None
    changed: int
    added: int
    removed: int
    paths: bytes | None
    source_changed: bool
    conflicts: list[bytes]


async def merge(
    store: NodeStore,
    trees: Trees,
    *,
    prefer: Side | None = None,
    settle: Settle | None = None,
    same: Same = same_identity,
) -> Merged:
    """Merge `theirs` into `ours`. All new nodes are durable when it returns. Raises as `apply`."""
    changes = source_changes(store, trees.base, trees.theirs)
    return await merge_changes(store, changes, trees, prefer=prefer, settle=settle, same=same)


def source_changes(store: NodeStore, base: MetaRangeId, theirs: MetaRangeId) -> AsyncGenerator[list[Difference], None]:
    """What `merge_changes` is to be given: where the source has other bytes than the base, whatever they say."""
    return diff(store, base, theirs, same=eq)


async def merge_changes(
    store: NodeStore,
    changes: AsyncGenerator[list[Difference], None],
    trees: Trees,
    *,
    prefer: Side | None = None,
    settle: Settle | None = None,
    same: Same = same_identity,
) -> Merged:
    """Merge what `source_changes` found, base on the left and source on the right: what a lost race repeats.

    A conflict goes as `settle` says, and where it says nothing, or is not given, to the side that is preferred. Closes
    `changes`.
    """
    chosen = _Chosen(prefer, settle, same)
    async with aclosing(changes):
        ahead = await _look_ahead(changes)
        own = await _own_changes(store, trees, ahead, same)
        async with aclosing(_chain(ahead, changes)) as pages:
            if own is None:
                made = chosen.for_ours(pages, store, trees.ours)
                root = (await apply(store, trees.ours, made, same=same)).root
            else:
                made = chosen.for_theirs(pages, own)
                root = (await apply(store, trees.theirs, made, same=eq)).root
    return chosen.outcome(root if chosen.changed else trees.ours)


async def _look_ahead(changes: AsyncGenerator[list[Difference], None]) -> list[list[Difference]]:
    """The first pages, of about so many changes."""
    pages: list[list[Difference]] = []
    number = 0
    while number < _AHEAD and (page := await anext(changes, None)) is not None:
        pages.append(page)
        number += len(page)
    return pages


async def _own_changes(
    store: NodeStore, trees: Trees, ahead: list[list[Difference]], same: Same
) -> deque[Change] | None:
    """What ours has otherwise than the base, in order, if the merged tree is to be made from theirs; else None.

    Theirs has to be changed where ours is to stay: in what ours changed, and where the source only stored the same
    object again.
    """
    number = sum(map(len, ahead))
    brought, again = await offload(_COST * number, _split, ahead, same)
    found: deque[Change] = deque()
    if trees.base == trees.ours and not again:
        return found
    most = await leaves_touched(store, trees.base, brought) // _SMALLER
    most -= await leaves_touched(store, trees.base, again)
    if trees.base == trees.ours:
        return found if most >= 0 else None
    if most <= 0 or await leaves_apart(store, trees.base, trees.ours, most=most) > most:
        return None
    async with aclosing(diff(store, trees.base, trees.ours, same=eq)) as pages:
        async for page in pages:
            if len(found) + len(page) > _AHEAD:
                return None
            found.extend([(change.key, change.right or TOMBSTONE) for change in page])
    return found


def _split(pages: list[list[Difference]], same: Same) -> tuple[list[bytes], list[bytes]]:
    """Keys of changes, and of objects that were only stored again."""
    brought: list[bytes] = []
    again: list[bytes] = []
    for page in pages:
        for change in page:
            (again if _equal(change.left, change.right, same) else brought).append(change.key)
        breathe()
    return brought, again


def _equal(left: bytes | None, right: bytes | None, same: Same) -> bool:
    if left is None or right is None:
        return left is right
    return left == right or same(left, right)


async def _chain(
    first: list[list[Difference]], rest: AsyncIterator[list[Difference]]
) -> AsyncGenerator[list[Difference], None]:
    for page in first:
        yield page
    async for page in rest:
        yield page


class _Chosen:
    """Decides for each change of the source what is made of it."""

    def __init__(self, prefer: Side | None, settle: Settle | None, same: Same) -> None:
        self._prefer = prefer
        self._settle = settle
        self._same = same
        self._any = False
        self._added = self._removed = 0
        self._paths = PathsFilter()
        self._conflicts: list[bytes] = []
        self._unsettled = False
        self.changed = 0

    def outcome(self, root: MetaRangeId) -> Merged:
        """What became of the merge, when all changes were gone through."""
        if self._unsettled:
            return Merged(None, 0, 0, 0, None, self._any, self._conflicts)
        paths = self._paths.packed()
        return Merged(root, self.changed, self._added, self._removed, paths, self._any, self._conflicts)

    async def for_ours(
        self, changes: AsyncIterator[list[Difference]], store: NodeStore, ours: MetaRangeId
    ) -> AsyncIterator[list[Change]]:
        """What is to be changed in ours."""
        async for page in changes:
            here = await lookup_many(store, ours, [change.key for change in page])
            chosen = await offload(_COST * len(page), self._page, page, here)
            if self._hopeless:
                return
            if chosen and not self._unsettled:
                yield chosen

    async def for_theirs(
        self, changes: AsyncIterator[list[Difference]], own: deque[Change]
    ) -> AsyncIterator[list[Change]]:
        """What is to be changed in theirs, given what ours has otherwise than the base."""
        async for page in changes:
            kept = await offload(_COST * len(page) + len(own), self._kept, page, own)
            if self._hopeless:
                return
            for at in range(0, 0 if self._unsettled else len(kept), PAGE):
                yield kept[at : at + PAGE]
        left = list(own)
        for at in range(0, 0 if self._unsettled else len(left), PAGE):
            yield left[at : at + PAGE]

    @property
    def _hopeless(self) -> bool:
        return self._unsettled and len(self._conflicts) >= MAX_CONFLICTS

    def _page(self, page: list[Difference], here: list[bytes | None]) -> list[Change]:
        """What is written of a page of the source's changes, given what ours has there."""
        chosen = [
            (change.key, made)
            for change, ours in zip(page, here, strict=True)
            if (made := self._made(change, ours)) is not None
        ]
        self._note([key for key, _ in chosen])
        return chosen

    def _kept(self, page: list[Difference], own: deque[Change]) -> list[Change]:
        """Where theirs gets what ours has, up to the end of a page of the source's changes; takes that out of `own`."""
        kept: list[Change] = []
        written: list[bytes] = []
        for change in page:
            while own and own[0][0] < change.key:
                kept.append(own.popleft())
            both = own and own[0][0] == change.key
            ours = (own.popleft()[1] or None) if both else change.left
            made = self._made(change, ours)
            if made is not None:
                written.append(change.key)
            wanted = (ours or TOMBSTONE) if made is None else made
            if wanted != (change.right or TOMBSTONE):
                kept.append((change.key, wanted))
        self._note(written)
        return kept

    def _note(self, keys: list[bytes]) -> None:
        self.changed += len(keys)
        self._paths.add(keys)
        breathe()

    def _made(self, change: Difference, ours: bytes | None) -> bytes | None:
        """What is written at the key; None when ours stays as it is."""
        if _equal(change.left, change.right, self._same):
            return None
        self._any = True
        wanted = change.right
        if ours != change.left:
            if _equal(ours, wanted, self._same):
                return None
            if not _equal(ours, change.left, self._same):
                wanted = self._settled(change, ours)
                if _equal(ours, wanted, self._same):
                    return None
        self._added += ours is None
        self._removed += wanted is None
        return wanted or TOMBSTONE

    def _settled(self, change: Difference, ours: bytes | None) -> bytes | None:
        """The entry that a key in conflict gets."""
        if len(self._conflicts) < MAX_CONFLICTS:
            self._conflicts.append(change.key)
        side = (None if self._settle is None else self._settle(change.key)) or self._prefer
        self._unsettled = self._unsettled or side is None
        if side is Side.THEIRS:
            return change.right
        if side is Side.BASE:
            return change.left
        return None if side is Side.NEITHER else ours
