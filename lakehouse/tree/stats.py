# SPDX-License-Identifier: Apache-2.0
"""How many objects, and of how many bytes, begin with a prefix: two paths down the tree, O(log n)."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.paths import after_prefix
from lakehouse.format.child import unpack_children
from lakehouse.format.entry import total_size
from lakehouse.tree.plan import run

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.format.node import Node
    from lakehouse.tree.plan import Plan
    from lakehouse.tree.store import NodeStore


class Count(msgspec.Struct, frozen=True):
    """Number of objects, and the sum of their sizes in bytes."""

    objects: int
    bytes: int


async def count(store: NodeStore, root: MetaRangeId, prefix: bytes = b"") -> Count:
    """Objects whose path begins with `prefix`. Raises DataDamaged, StorageUnavailable."""
    if not root:
        return Count(0, 0)
    return await run(store, _count(root, prefix, after_prefix(prefix) if prefix else None))


def _count(root: MetaRangeId, start: bytes, end: bytes | None) -> Plan[Count]:
    objects = size = 0
    edges: list[str] = [root]
    while edges:
        nodes = yield edges
        below: list[str] = []
        for node_id in edges:
            found, total, more = _within(nodes[node_id], start, end)
            objects += found
            size += total
            below += more
        edges = below
    return Count(objects, size)


def _within(node: Node, start: bytes, end: bytes | None) -> tuple[int, int, list[str]]:
    """Count and bytes of what is surely within the bounds; ids of the children that are so in part."""
    if not node.level:
        return *_in_leaf(node, start, end), []
    low = bisect_left(node.keys, start)
    high = len(node.keys) if end is None else bisect_left(node.keys, end) + 1
    objects = size = 0
    edges = []
    children = unpack_children(node.values[low:high])
    for child, last in zip(children, node.keys[low:high], strict=True):
        if end is not None and child.first >= end:
            break
        if child.first >= start and (end is None or last < end):
            objects += child.count
            size += child.size
        else:
            edges.append(child.id.hex())
    return objects, size, edges


def _in_leaf(node: Node, start: bytes, end: bytes | None) -> tuple[int, int]:
    """Count and bytes within the bounds: only blocks at their edges are decoded."""
    objects = size = 0
    for block in node.blocks[bisect_left(node.lasts, start) :]:
        about = block.about
        if end is not None and about.first >= end:
            break
        if about.first >= start and (end is None or about.last < end):
            objects += about.count
            size += about.size
        else:
            keys, values = block.entries()
            high = len(keys) if end is None else bisect_left(keys, end)
            part = values[bisect_left(keys, start) : high]
            objects += len(part)
            size += total_size(part)
    return objects, size
