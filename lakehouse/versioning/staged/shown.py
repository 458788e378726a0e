# SPDX-License-Identifier: Apache-2.0
"""Everything that a tree with staged rows over it shows, as one stream of pages; and what it shows at given paths.

The rows of tokens that a branch had stay readable for minutes after it let go of them, so a stream goes on with what
was there when it began. Rows of sealed tokens never change: over them it is one moment, however long it takes.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lakehouse.core.offload import PAGE
from lakehouse.core.paths import after_prefix, successor
from lakehouse.tree.lookup import lookup_many, scan
from lakehouse.versioning.staged import changes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lakehouse.core.ids import MetaRangeId, StagingToken
    from lakehouse.db.port import Database
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.staged.changes import Row


async def pages(
    db: Database, tree: NodeStore, root: MetaRangeId, tokens: Sequence[StagingToken], *, prefix: bytes
) -> AsyncGenerator[list[Row], None]:
    """Paths that begin with `prefix` and their packed entries, ascending, in pages. `tokens` newest first."""
    committed = _tree_pages(tree, root, prefix)
    if not tokens:
        async with aclosing(committed) as found:
            async for page in found:
                yield page
        return
    staged = changes.rows(db, tokens, start=prefix, end=after_prefix(prefix))
    async with aclosing(changes.overlaid([staged, committed])) as merged:
        async for page in merged:
            live = [row for row in page if row[1]]
            if live:
                yield live


async def many(
    db: Database, tree: NodeStore, root: MetaRangeId, tokens: Sequence[StagingToken], paths: Sequence[bytes]
) -> list[bytes | None]:
    """The packed entries at ascending `paths`, None where nothing is."""
    found = await lookup_many(tree, root, list(paths))
    if not tokens or not paths:
        return found
    at = {path: number for number, path in enumerate(paths)}
    async with aclosing(changes.rows(db, tokens, start=paths[0], end=successor(paths[-1]))) as staged:
        async for page in staged:
            for path, value in page:
                if path in at:
                    found[at[path]] = value or None
    return found


async def _tree_pages(tree: NodeStore, root: MetaRangeId, prefix: bytes) -> AsyncGenerator[list[Row], None]:
    start = prefix
    while True:
        keys, values = await scan(tree, root, start=start, prefix=prefix, limit=PAGE)
        if keys:
            yield list(zip(keys, values, strict=True))
        if len(keys) < PAGE:
            return
        start = successor(keys[-1])
