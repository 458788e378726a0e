# SPDX-License-Identifier: Apache-2.0
"""What is staged on a branch, as one sorted stream of pages: of several staging areas the newest row wins."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from contextlib import AsyncExitStack, aclosing
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar

from lakehouse.format.entry import same_identity
from lakehouse.meta import staging
from lakehouse.tree.diff import Difference
from lakehouse.tree.lookup import lookup_many

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lakehouse.core.ids import MetaRangeId, StagingToken
    from lakehouse.db.port import Database
    from lakehouse.tree.store import NodeStore

T = TypeVar("T")
Row = tuple[bytes, bytes]
"""A path and what is staged there: a packed entry or a tombstone."""


async def rows(
    db: Database, tokens: Sequence[StagingToken], *, start: bytes = b"", end: bytes | None = None
) -> AsyncGenerator[list[Row], None]:
    """Rows of `tokens` (newest first) with paths in [start, end), in order of path, in pages."""
    async with aclosing(overlaid([staging.scan(db, token, start=start, end=end) for token in tokens])) as merged:
        async for page in merged:
            yield page


async def overlaid(
    sources: Sequence[AsyncGenerator[Sequence[tuple[bytes, T]], None]],
) -> AsyncGenerator[list[tuple[bytes, T]], None]:
    """Several streams of pages, each ascending by path, as one: of equal paths the earlier stream's item stands."""
    waiting: list[Sequence[tuple[bytes, T]]] = [[] for _ in sources]
    open_ = [True for _ in sources]
    async with AsyncExitStack() as stack:
        for source in sources:
            await stack.enter_async_context(aclosing(source))
        while True:
            for number, source in enumerate(sources):
                if open_[number] and not waiting[number]:
                    waiting[number] = await anext(source, [])
                    open_[number] = bool(waiting[number])
            live = [number for number in range(len(sources)) if waiting[number]]
            if not live:
                return
            if len(live) == 1:
                yield list(waiting[live[0]])
                waiting[live[0]] = []
                continue
            reach = min(waiting[number][-1][0] for number in live)
            merged: dict[bytes, T] = {}
            for number in reversed(live):
                page = waiting[number]
                taken = bisect_right(page, reach, key=itemgetter(0))
                merged.update(page[:taken])
                waiting[number] = page[taken:]
            yield sorted(merged.items(), key=itemgetter(0))


async def differences(
    tree: NodeStore, root: MetaRangeId, pages: AsyncGenerator[list[Row], None]
) -> AsyncGenerator[list[Difference], None]:
    """Of staged rows those that change the tree, by identity. Closes `pages`."""
    async with aclosing(pages):
        async for page in pages:
            real = await against(tree, root, page)
            if real:
                yield real
            await asyncio.sleep(0)  # rows and nodes may all be in memory: others want to run too


async def against(tree: NodeStore, root: MetaRangeId, page: Sequence[Row]) -> list[Difference]:
    """Of a page of staged rows those that differ from the tree, by identity."""
    olds = await lookup_many(tree, root, [path for path, _ in page])
    return [
        Difference(path, old, value or None)
        for (path, value), old in zip(page, olds, strict=True)
        if (value if old is None else not (value and same_identity(old, value)))
    ]
