# SPDX-License-Identifier: Apache-2.0
"""What a merge, revert or pick brings: found once, and kept for running again on another head.

So a repeat after a lost race costs what the changes cost, not the search for them. Long lists are searched for again:
memory stays bounded.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lakehouse.tree.merge import source_changes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.tree.diff import Difference
    from lakehouse.tree.store import NodeStore

MOST = 100_000
"""Changes that are kept: some 40 MB."""


class ChangeList:
    """The differences of two trees at a time, those asked for last."""

    def __init__(self, tree: NodeStore) -> None:
        self._tree = tree
        self._of: tuple[MetaRangeId, MetaRangeId] | None = None
        self._kept: list[list[Difference]] = []

    async def pages(self, base: MetaRangeId, theirs: MetaRangeId) -> AsyncGenerator[list[Difference], None]:
        """What is different in `theirs`, as `source_changes` yields it. Raises DataDamaged, StorageUnavailable."""
        if self._of == (base, theirs):
            for page in self._kept:
                yield page
            return
        self._of, self._kept = None, []
        kept: list[list[Difference]] = []
        count = 0
        async with aclosing(source_changes(self._tree, base, theirs)) as found:
            async for page in found:
                count += len(page)
                if count <= MOST:
                    kept.append(page)
                else:
                    kept.clear()
                yield page
        if count <= MOST:
            self._of, self._kept = (base, theirs), kept
