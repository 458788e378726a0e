# SPDX-License-Identifier: Apache-2.0
"""Nodes in memory, within a budget. Nodes that have blocks in common hold them, and pay for them, once.

Versions of a tree differ in few blocks, so many of them fit where one does. The key of everything holds the repository,
because a bare id would let one repository read what is another's.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId
    from lakehouse.format.block import Block, Summary
    from lakehouse.format.node import Node
    from lakehouse.tree.disk import DiskCache


class _Shared:
    """A block, how many nodes hold it, and the bytes of memory that it counts for."""

    __slots__ = ("block", "cost", "nodes")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.cost = block.footprint
        self.nodes = 0


class NodeCache:
    """Nodes by (repository, id), least recently used out first, up to `budget` bytes of memory.

    Belongs to one event loop's thread. `disk` keeps nodes of stores that are not on this machine.
    """

    def __init__(self, budget: int, *, disk: DiskCache | None = None) -> None:
        self.disk = disk
        self._budget = budget
        self._used = 0
        self._nodes: OrderedDict[tuple[int, str], Node] = OrderedDict()
        self._blocks: dict[tuple[int, Summary], _Shared] = {}
        """By all that is said of a block: a node that says something else of the same bytes keeps its own."""
        self.hits = self.misses = self.disk_hits = 0

    @property
    def used(self) -> int:
        """Bytes of memory held."""
        return self._used

    def get(self, repository: RepositoryId, node_id: str) -> Node | None:
        """The node, now the most recently used one; None when it is not held."""
        key = (repository, node_id)
        node = self._nodes.get(key)
        if node is not None:
            self.hits += 1
            self._nodes.move_to_end(key)
        return node

    def put(self, repository: RepositoryId, node_id: str, node: Node) -> None:
        """Keep a node; others go when there is no room. One larger than the budget is not kept."""
        key = (repository, node_id)
        if key in self._nodes:
            self._nodes.move_to_end(key)
            return
        if node.footprint > self._budget:
            return
        self._nodes[key] = node
        self._used += node.own
        for at, block in enumerate(node.blocks):
            shared = self._blocks.get((repository, block.about))
            if shared is None:
                shared = self._blocks[repository, block.about] = _Shared(block)
                self._used += shared.cost
            elif shared.block is not block:
                node.blocks[at] = shared.block
            shared.nodes += 1
        while self._used > self._budget:
            (owner, _), dropped = self._nodes.popitem(last=False)
            self._let_go(owner, dropped)

    def clear(self) -> None:
        """Let go of everything."""
        self._nodes.clear()
        self._blocks.clear()
        self._used = 0

    def _let_go(self, repository: int, node: Node) -> None:
        self._used -= node.own
        for block in node.blocks:
            shared = self._blocks[repository, block.about]
            shared.nodes -= 1
            if not shared.nodes:
                self._used -= shared.cost
                del self._blocks[repository, block.about]
