# SPDX-License-Identifier: Apache-2.0
"""A tree from nothing: sorted pages in, root out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.offload import offload
from lakehouse.tree.outbox import Outbox
from lakehouse.tree.writer import BATCH, TreeWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.tree.store import NodeStore


async def build(store: NodeStore, pages: AsyncIterator[tuple[list[bytes], list[bytes]]]) -> MetaRangeId:
    """Store a tree of the entries and return its root.

    Pages are (keys, packed entries), keys strictly ascending over all pages. All nodes are durable when it returns.
    Raises StorageFull, StorageUnavailable.
    """
    writer = TreeWriter(store.boundary)
    async with Outbox(store) as outbox:
        async for keys, values in pages:
            await offload(2 * len(keys), writer.feed, keys, values)
            if writer.pending >= BATCH:
                await outbox.send(writer.take())
        root = writer.finish()
        await outbox.send(writer.take())
    return root
