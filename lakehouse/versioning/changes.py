# SPDX-License-Identifier: Apache-2.0
"""What is staged on a branch, as one sorted stream of pages: of several staging areas the newest row wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.format.entry import same_identity
from lakehouse.meta import staging
from lakehouse.tree.lookup import lookup_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.ids import MetaRangeId, StagingToken
    from lakehouse.db.port import Database
    from lakehouse.tree.store import NodeStore

Row = tuple[bytes, bytes]


async def rows(
    db: Database, tokens: Sequence[StagingToken], *, start: bytes = b"", end: bytes | None = None
) -> AsyncIterator[list[Row]]:
    """Rows of `tokens` (newest first) with paths in [start, end), in order of path, in pages."""
    if len(tokens) == 1:
        async for page in staging.scan(db, tokens[0], start=start, end=end):
            yield page
        return
    sources = [staging.scan(db, token, start=start, end=end) for token in tokens]
    waiting: list[list[Row]] = [[] for _ in sources]
    open_ = [True for _ in sources]
    while True:
        for number, source in enumerate(sources):
            if open_[number] and not waiting[number]:
                waiting[number] = await anext(source, [])
                open_[number] = bool(waiting[number])
        live = [number for number in range(len(sources)) if waiting[number]]
        if not live:
            return
        reach = min(waiting[number][-1][0] for number in live)
        merged: dict[bytes, bytes] = {}
        for number in reversed(live):
            page = waiting[number]
            taken = _count_up_to(page, reach)
            merged.update(page[:taken])
            waiting[number] = page[taken:]
        yield sorted(merged.items())


def _count_up_to(page: list[Row], reach: bytes) -> int:
    low, high = 0, len(page)
    while low < high:
        middle = (low + high) // 2
        if page[middle][0] <= reach:
            low = middle + 1
        else:
            high = middle
    return low


async def differences(
    tree: NodeStore, root: MetaRangeId, pages: AsyncIterator[list[Row]]
) -> AsyncIterator[list[tuple[bytes, bytes | None, bytes]]]:
    """Of staged rows those that change the tree, by identity: (path, value in the tree or None, staged value)."""
    async for page in pages:
        real = []
        olds = await lookup_many(tree, root, [path for path, _ in page])
        for (path, value), old in zip(page, olds, strict=True):
            if (old is None and value) or (old is not None and (not value or not same_identity(old, value))):
                real.append((path, old, value))
        if real:
            yield real


async def any_difference(tree: NodeStore, root: MetaRangeId, pages: AsyncIterator[list[Row]]) -> bool:
    """Whether staged rows change the tree; stops at the first that does."""
    async for _ in differences(tree, root, pages):
        return True
    return False
