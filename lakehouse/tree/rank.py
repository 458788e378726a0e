# SPDX-License-Identifier: Apache-2.0
"""Where keys would stand in a tree, about: from inner nodes alone, so that no leaf is read for it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from lakehouse.core.offload import breathe
from lakehouse.format.child import unpack_children
from lakehouse.tree.plan import run

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.tree.plan import Plan
    from lakehouse.tree.store import NodeStore


async def ranks(store: NodeStore, root: MetaRangeId, keys: list[bytes]) -> list[int]:
    """For each of ascending `keys`, the number of entries in leaves that end before it: too low by a leaf at most.

    Raises DataDamaged, StorageUnavailable.
    """
    if not root or not keys:
        return [0] * len(keys)
    return await run(store, _ranks(root, keys), items=len(keys))


def _ranks(root: MetaRangeId, keys: list[bytes]) -> Plan[list[int]]:
    found = [0] * len(keys)
    todo = [(str(root), 0, len(keys), 0)]
    while todo:
        nodes = yield [node_id for node_id, _, _, _ in todo]
        below: list[tuple[str, int, int, int]] = []
        for node_id, start, end, before in todo:
            node = nodes[node_id]
            if not node.level:  # the root is a leaf
                return found
            children = unpack_children(node.values)
            sums = [before]
            for child in children:
                sums.append(sums[-1] + child.count)
            here = start
            while here < end:
                at = bisect_left(node.keys, keys[here])
                stop = end if at == len(children) else bisect_right(keys, node.keys[at], here, end)
                found[here:stop] = [sums[at]] * (stop - here)
                if at < len(children) and node.level > 1:
                    below.append((children[at].id.hex(), here, stop, sums[at]))
                here = stop
            breathe()
        todo = below
    return found
