# SPDX-License-Identifier: Apache-2.0
"""Finding keys and reading on from them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from lakehouse.core.offload import breathe
from lakehouse.core.paths import after_prefix
from lakehouse.format.child import unpack_child
from lakehouse.tree.plan import run

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.format.node import Node
    from lakehouse.tree.plan import Plan
    from lakehouse.tree.store import NodeStore

_TOGETHER = 32
"""Leaves read at the same time."""


async def lookup(store: NodeStore, root: MetaRangeId, key: bytes) -> bytes | None:
    """The packed entry of `key`, or None. O(log n). Raises DataDamaged, StorageUnavailable."""
    node_id: str = root
    while node_id:
        node = store.cached(node_id) or await store.read(node_id)
        if not node.level:
            return node.value(key)
        at = bisect_left(node.keys, key)
        if at == len(node.keys):
            return None
        node_id = unpack_child(node.values[at]).id.hex()
    return None


async def lookup_many(store: NodeStore, root: MetaRangeId, keys: list[bytes]) -> list[bytes | None]:
    """The packed entries of ascending `keys`, None where there is none. Reads each node once, many at a time."""
    return await run(store, _find(root, keys), items=len(keys))


def _find(root: MetaRangeId, keys: list[bytes]) -> Plan[list[bytes | None]]:
    found: list[bytes | None] = [None] * len(keys)
    todo = [(str(root), 0, len(keys))] if root and keys else []
    while todo:
        batch = todo[-_TOGETHER:]
        del todo[-_TOGETHER:]
        nodes = yield [node_id for node_id, _, _ in batch]
        for node_id, start, end in batch:
            node = nodes[node_id]
            if node.level:
                todo += _below(node, keys, start, end)
            else:
                found[start:end] = map(node.value, keys[start:end])
            breathe()
    return found


def _below(node: Node, keys: list[bytes], start: int, end: int) -> list[tuple[str, int, int]]:
    """The children that hold `keys[start:end]`, each with its share of them."""
    shares = []
    while start < end:
        at = bisect_left(node.keys, keys[start])
        if at == len(node.keys):
            break
        stop = bisect_right(keys, node.keys[at], start, end)
        shares.append((unpack_child(node.values[at]).id.hex(), start, stop))
        start = stop
    return shares


async def leaves_touched(store: NodeStore, root: MetaRangeId, keys: list[bytes]) -> int:
    """How many leaves hold ascending `keys`, or would. Reads inner nodes only, but for a root that is a leaf."""
    return await run(store, _touched(root, keys), items=len(keys))


def _touched(root: MetaRangeId, keys: list[bytes]) -> Plan[int]:
    if not keys or not root:
        return len(keys[:1])
    nodes = yield [root]
    level, behind = nodes[root].level, keys[-1] > nodes[root].last
    todo = [(str(root), 0, len(keys))]
    while level and todo:
        todo = [share for node_id, start, end in todo for share in _below(nodes[node_id], keys, start, end)]
        level -= 1
        if level and todo:
            nodes = yield [node_id for node_id, _, _ in todo]
        breathe()
    return len(todo) + behind


async def scan(
    store: NodeStore, root: MetaRangeId, *, start: bytes = b"", prefix: bytes = b"", limit: int
) -> tuple[list[bytes], list[bytes]]:
    """Keys and packed entries from the first key that is at least `start` and begins with `prefix`, up to `limit`.

    Fewer than `limit` means that there are no more. The leaves it needs are read at the same time.
    """
    if not root or limit <= 0:
        return [], []
    end = after_prefix(prefix) if prefix else None
    return await run(store, _scan(root, max(start, prefix), end, limit), items=limit)


def _scan(root: MetaRangeId, start: bytes, end: bytes | None, limit: int) -> Plan[tuple[list[bytes], list[bytes]]]:
    keys: list[bytes] = []
    values: list[bytes] = []
    path: list[tuple[Node, int]] = []
    batch: list[str] = [root]
    while batch:
        nodes = yield batch
        if nodes[batch[0]].level:
            node = nodes[batch[0]]
            path.append((node, bisect_left(node.keys, start)))
        else:
            for node_id in batch:
                node = nodes[node_id]
                more_keys, more_values = node.within(start, end, limit - len(keys))
                keys += more_keys
                values += more_values
                breathe()
        batch = _onward(path, end, limit - len(keys))
    return keys, values


def _onward(path: list[tuple[Node, int]], end: bytes | None, wanted: int) -> list[str]:
    """Ids of the next nodes in order: one inner node, or as many leaves as hold `wanted` entries. Moves `path` on."""
    while path and wanted > 0:
        node, at = path.pop()
        batch: list[str] = []
        while at < len(node.keys) and len(batch) < _TOGETHER and wanted > 0:
            child = unpack_child(node.values[at])
            if end is not None and child.first >= end:
                path.clear()
                return batch
            batch.append(child.id.hex())
            at += 1
            wanted = wanted - child.count if node.level == 1 else 0
        if batch:
            path.append((node, at))
            return batch
    return []
