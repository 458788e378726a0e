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
from lakehouse.format.entry import TOMBSTONE, same_identity
from lakehouse.tree.apply import Change, apply
from lakehouse.tree.diff import Difference, diff
from lakehouse.tree.lookup import lookup_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lakehouse.tree.store import NodeStore

    Same: TypeAlias = Callable[[bytes, bytes], bool]

MAX_CONFLICTS = 1000
"""Conflicts that are reported by path."""


class Side(Enum):
    """Whose entry wins a conflict."""

    OURS = "ours"
    THEIRS = "theirs"


class Merged(msgspec.Struct, frozen=True):
    """`root` is None when there are `conflicts` (their first paths) and no side is preferred.

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
    same: Same = same_identity,
) -> Merged:
    """Merge `theirs` into `ours`. All new nodes are durable when it returns. Raises as `apply`."""
    return await merge_changes(store, diff(store, base, theirs, same=same), ours, prefer=prefer, same=same)


async def merge_changes(
    store: NodeStore,
    changes: AsyncIterator[list[Difference]],
    ours: MetaRangeId,
    *,
    prefer: Side | None = None,
    same: Same = same_identity,
) -> Merged:
    """Merge the source's changes, base on the left and source on the right, into `ours`: what a lost race repeats."""
    chosen = _Chosen(store, ours, prefer, same)
    applied = await apply(store, ours, chosen.pages(changes), same=same)
    failed = prefer is None and bool(chosen.conflicts)
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
    """Decides for each change of the source whether it is made."""

    def __init__(self, store: NodeStore, ours: MetaRangeId, prefer: Side | None, same: Same) -> None:
        self._store = store
        self._ours = ours
        self._prefer = prefer
        self._same = same
        self.any = False
        self.added = 0
        self.removed = 0
        self.conflicts: list[bytes] = []

    async def pages(self, changes: AsyncIterator[list[Difference]]) -> AsyncIterator[list[Change]]:
        async for page in changes:
            self.any = True
            here = await lookup_many(self._store, self._ours, [change.key for change in page])
            chosen = [
                (change.key, change.right or TOMBSTONE)
                for change, ours in zip(page, here, strict=True)
                if self._takes(change, ours)
            ]
            if self._prefer is None and self.conflicts:
                if len(self.conflicts) >= MAX_CONFLICTS:
                    return
            elif chosen:
                yield chosen

    def _takes(self, change: Difference, ours: bytes | None) -> bool:
        if self._equal(ours, change.right):
            return False
        if not self._equal(ours, change.left):
            if len(self.conflicts) < MAX_CONFLICTS:
                self.conflicts.append(change.key)
            if self._prefer is not Side.THEIRS:
                return False
        self.added += ours is None
        self.removed += change.right is None
        return True

    def _equal(self, left: bytes | None, right: bytes | None) -> bool:
        if left is None or right is None:
            return left is right
        return left == right or self._same(left, right)
