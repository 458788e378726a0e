# SPDX-License-Identifier: Apache-2.0
"""The tree of what a branch shows: its compacted base, or its head's tree, with sealed rows applied.

Each row is compared with the head's entry: what is the same object keeps the head's bytes. So the tree of a commit is
the same whether some of its rows were folded before, and whenever that was.
"""

from __future__ import annotations

from contextlib import aclosing
from operator import eq
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import MetaRangeId
from lakehouse.format.changed_paths import MAX_ITEMS, PathsFilter
from lakehouse.format.entry import same_identity
from lakehouse.tree.apply import apply
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup_many
from lakehouse.versioning.staged import changes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from lakehouse.core.ids import StagingToken
    from lakehouse.core.records import Branch, Repository
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake


class ShownTree(msgspec.Struct, frozen=True):
    """A root, whether it differs from the head's by identity, and the filter over what does (None: too much)."""

    root: MetaRangeId
    changed: bool
    paths: bytes | None


async def tree_of(
    lake: Lake,
    repository: Repository,
    branch: Branch,
    tokens: Sequence[StagingToken],
    *,
    wanted: Callable[[], bool] | None = None,
) -> tuple[MetaRangeId, ShownTree | None]:
    """Store the tree with the rows of sealed `tokens` (newest first) in it. `wanted`, if given, tells whether
    anybody waits for it: as long as nobody does, requests go first.

    With the comparison to the head when that costs nothing, which is so without a base. Raises as `apply`.
    """
    tree = lake.tree(repository)
    rows = changes.rows(lake.db, tokens)
    if wanted is not None:
        rows = lake.pace.spread(rows, wanted=wanted)
    if branch.base is None:
        applied = await apply(tree, branch.root, rows)
        return applied.root, ShownTree(applied.root, bool(applied.changed), applied.paths.packed())
    if not tokens:
        return branch.base, None
    return (await apply(tree, branch.base, _as_in_head(tree, branch.root, rows), same=eq)).root, None


async def compared(lake: Lake, repository: Repository, branch: Branch, tokens: Sequence[StagingToken]) -> ShownTree:
    """As `tree_of`, compared with the head: what a commit is made of."""
    root, known = await tree_of(lake, repository, branch, tokens)
    if known is not None:
        return known
    paths, changed = PathsFilter(), 0
    async with aclosing(diff(lake.tree(repository), branch.root, root)) as pages:
        async for page in pages:
            changed += len(page)
            paths.add([item.key for item in page])
            if changed > MAX_ITEMS:
                break
    return ShownTree(root, bool(changed), paths.packed())


async def rebased(lake: Lake, repository: Repository, branch: Branch, root: MetaRangeId) -> MetaRangeId | None:
    """The base for another head: its tree with the changes of the base to the old head; None when there are none."""
    if branch.base is None:
        return None
    tree = lake.tree(repository)
    made = await apply(tree, root, _changes(tree, branch.root, branch.base))
    return made.root if made.changed else None


async def _changes(tree: NodeStore, left: MetaRangeId, right: MetaRangeId) -> AsyncGenerator[list[changes.Row], None]:
    async with aclosing(diff(tree, left, right)) as pages:
        async for page in pages:
            yield [(item.key, item.right or b"") for item in page]


async def _as_in_head(
    tree: NodeStore, head: MetaRangeId, pages: AsyncGenerator[list[changes.Row], None]
) -> AsyncGenerator[list[changes.Row], None]:
    """Rows with the head's bytes in place of those that are the same object."""
    async with aclosing(pages):
        async for page in pages:
            there = await lookup_many(tree, head, [path for path, _ in page])
            yield [
                (path, old if old is not None and value and same_identity(old, value) else value)
                for (path, value), old in zip(page, there, strict=True)
            ]
