# SPDX-License-Identifier: Apache-2.0
"""What a branch shows, compared with a tree: staged rows over the compacted base or, without one, the head's tree.

Identity decides what differs. Rows of a folded staging area are in the base, so every question that once was about
rows is asked of both.
"""

from __future__ import annotations

from contextlib import aclosing
from operator import attrgetter
from typing import TYPE_CHECKING

from lakehouse.core.paths import after_prefix
from lakehouse.meta import staging
from lakehouse.tree.diff import Difference, diff
from lakehouse.versioning.staged import changes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lakehouse.core.ids import MetaRangeId, StagingToken
    from lakehouse.core.records import Branch, Repository
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake


def differences(
    lake: Lake,
    repository: Repository,
    branch: Branch,
    *,
    left: MetaRangeId | None = None,
    tokens: Sequence[StagingToken] | None = None,
    start: bytes = b"",
    prefix: bytes = b"",
) -> AsyncGenerator[list[Difference], None]:
    """Pages of what the branch shows otherwise than the tree `left` (None: its head's), ascending by path.

    `tokens`: the staging areas that count, newest first (None: all of the branch's).
    """
    tree = lake.tree(repository)
    root = branch.root if left is None else left
    counted = (branch.staging_token, *branch.sealed) if tokens is None else tokens
    rows = changes.rows(lake.db, counted, start=max(start, prefix), end=after_prefix(prefix))
    if branch.tree == root:
        return changes.differences(tree, root, rows)
    return _laid_over(tree, root, diff(tree, root, branch.tree, start=start, prefix=prefix), rows)


async def has_nothing(lake: Lake, branch: Branch) -> bool:
    """Whether nothing is staged on the branch, not even what changes nothing."""
    return branch.base is None and await staging.is_empty(lake.db, (branch.staging_token, *branch.sealed))


async def is_dirty(
    lake: Lake, repository: Repository, branch: Branch, tokens: Sequence[StagingToken] | None = None
) -> bool:
    """Whether anything uncommitted changes the head; stops at the first that does. `tokens` as in `differences`."""
    async with aclosing(differences(lake, repository, branch, tokens=tokens)) as found:
        async for page in found:
            if page:
                return True
    return False


async def _laid_over(
    tree: NodeStore,
    left: MetaRangeId,
    trees: AsyncGenerator[list[Difference], None],
    staged: AsyncGenerator[list[changes.Row], None],
) -> AsyncGenerator[list[Difference], None]:
    """Differences of trees with staged rows in place of those at the same paths."""
    sources: list[AsyncGenerator[Sequence[tuple[bytes, bytes | Difference]], None]] = [staged, _by_path(trees)]
    async with aclosing(changes.overlaid(sources)) as pages:
        async for page in pages:
            found = [item for _, item in page if not isinstance(item, bytes)]
            rows = [(path, item) for path, item in page if isinstance(item, bytes)]
            yield sorted(found + await changes.against(tree, left, rows), key=attrgetter("key")) if rows else found


async def _by_path(
    pages: AsyncGenerator[list[Difference], None],
) -> AsyncGenerator[list[tuple[bytes, bytes | Difference]], None]:
    async with aclosing(pages):
        async for page in pages:
            yield [(item.key, item) for item in page]
