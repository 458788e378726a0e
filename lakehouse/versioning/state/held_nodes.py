# SPDX-License-Identifier: Apache-2.0
"""Nodes that are made one tree after the other and stored together, before anything names them.

What was written can be read at once, also from a later tree of the same store; it is durable after `flush`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakehouse.tree.store import NodeStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.format.node import Encoded, Node

MOST_BYTES = 16 << 20
"""Encoded nodes that are held; more are stored at once."""


class HeldNodes(NodeStore):
    """A NodeStore whose writes wait for `flush`. Nobody may be told of its trees before that."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._held: dict[str, Encoded] = {}
        self._size = 0

    def cached(self, node_id: str) -> Node | None:
        """The node if it is held or in memory."""
        held = self._held.get(node_id)
        return super().cached(node_id) if held is None else held.node

    async def read(self, node_id: str) -> Node:
        """As NodeStore."""
        held = self._held.get(node_id)
        return await super().read(node_id) if held is None else held.node

    async def read_many(self, node_ids: Sequence[str]) -> dict[str, Node]:
        """As NodeStore."""
        held = {node_id: self._held[node_id].node for node_id in node_ids if node_id in self._held}
        if not held:
            return await super().read_many(node_ids)
        return held | await super().read_many([node_id for node_id in node_ids if node_id not in held])

    async def write(self, nodes: Iterable[Encoded]) -> None:
        """Hold nodes; store all of them when they are many. Raises as NodeStore."""
        for node in nodes:
            self._held[node.id] = node
            self._size += len(node.body)
        if self._size > MOST_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Store what is held; all of it is durable when this returns. Raises StorageFull, StorageUnavailable."""
        if self._held:
            await super().write(self._held.values())
        self._held, self._size = {}, 0
