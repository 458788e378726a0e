# SPDX-License-Identifier: Apache-2.0
"""Three-way merge by identity: what `theirs` changed since `base` is made to `ours`, O(changes x log n).

A key that both sides changed in the same way keeps the entry of ours; one that both changed differently is a conflict.
The source's changes can be kept and merged again into another head, when a race was lost.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.ids import MetaRangeId
from lakehouse.core.offload import breathe, offload
from lakehouse.format.entry import TOMBSTONE, same_identity
from lakehouse.tree.apply import Change, apply
from lakehouse.tree.diff import Difference, diff
from lakehouse.tree.lookup import lookup_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lakehouse.tree.store import NodeStore

    Same: TypeAlias = Callable[[bytes, bytes], bool]
    Settle: TypeAlias = Callable[[bytes], "Side | None"]
    """The side that wins at a key in conflict; None when the merge's own preference decides."""

MAX_CONFLICTS = 1000
"""Conflicts that are reported by path."""
_COST = 4
"""Entries that are compared in the time in which one is chosen."""


class Side(Enum):
    """Whose entry wins a conflict: one of the two, the one from before both changed it, or that it is gone."""

    OURS = "ours"
    THEIRS = "theirs"
    BASE = "base"
    NEITHER = "neither"


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
    base: MetaRangeId,
    ours: MetaRangeId,
    theirs: MetaRangeId,
    *,
    prefer: Side | None = None,
    settle: Settle | None = None,
    same: Same = same_identity,
) -> Merged:
    """Merge `theirs` into `ours`. All new nodes are durable when it returns. Raises as `apply`."""
    changes = diff(store, base, theirs, same=same)
    return await merge_changes(store, changes, ours, prefer=prefer, settle=settle, same=same)


async def merge_changes(
    store: NodeStore,
    changes: AsyncIterator[list[Difference]],
    ours: MetaRangeId,
    *,
    prefer: Side | None = None,
    settle: Settle | None = None,
    same: Same = same_identity,
) -> Merged:
    """Merge the source's changes, base on the left and source on the right, into `ours`: what a lost race repeats.

    A conflict goes as `settle` says, and where it says nothing, or is not given, to the side that is preferred.
    """
    chosen = _Chosen(store, ours, prefer, settle, same)
    applied = await apply(store, ours, chosen.pages(changes), same=same)
    failed = chosen.unsettled
    return Merged(
        None if failed else applied.root,
        0 if failed else applied.changed,
        0 if failed else chosen.added,
        0 if failed else chosen.removed,
        None if failed else applied.paths,
        chosen.any,
        chosen.conflicts,
    )


class _Chosen:
    """Decides for each change of the source what is made of it."""

    def __init__(
        self, store: NodeStore, ours: MetaRangeId, prefer: Side | None, settle: Settle | None, same: Same
    ) -> None:
        self._store = store
        self._ours = ours
        self._prefer = prefer
        self._settle = settle
        self._same = same
        self.any = False
        self.added = 0
        self.removed = 0
        self.conflicts: list[bytes] = []
        self.unsettled = False

    async def pages(self, changes: AsyncIterator[list[Difference]]) -> AsyncIterator[list[Change]]:
        async for page in changes:
            self.any = True
            here = await lookup_many(self._store, self._ours, [change.key for change in page])
            chosen = await offload(_COST * len(page), self._chosen, page, here)
            if self.unsettled:
                if len(self.conflicts) >= MAX_CONFLICTS:
                    return
            elif chosen:
                yield chosen

    def _chosen(self, page: list[Difference], here: list[bytes | None]) -> list[Change]:
        """What is written of a page of the source's changes, given what ours has there."""
        chosen = [
            (change.key, made)
            for change, ours in zip(page, here, strict=True)
            if (made := self._made(change, ours)) is not None
        ]
        breathe()
        return chosen

    def _made(self, change: Difference, ours: bytes | None) -> bytes | None:
        """What is written at the key; None when ours stays as it is."""
        if self._equal(ours, change.right):
            return None
        wanted = change.right if self._equal(ours, change.left) else self._settled(change, ours)
        if self._equal(ours, wanted):
            return None
        self.added += ours is None
        self.removed += wanted is None
        return wanted or TOMBSTONE

    def _settled(self, change: Difference, ours: bytes | None) -> bytes | None:
        """The entry that a key in conflict gets."""
        if len(self.conflicts) < MAX_CONFLICTS:
            self.conflicts.append(change.key)
        side = (None if self._settle is None else self._settle(change.key)) or self._prefer
        self.unsettled = self.unsettled or side is None
        if side is Side.THEIRS:
            return change.right
        if side is Side.BASE:
            return change.left
        return None if side is Side.NEITHER else ours

    def _equal(self, left: bytes | None, right: bytes | None) -> bool:
        if left is None or right is None:
            return left is right
        return left == right or self._same(left, right)
