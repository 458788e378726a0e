# SPDX-License-Identifier: Apache-2.0
"""Listings with a delimiter: keys, and common prefixes in place of what is below them.

Planned from inner nodes: a subtree that lies within one common prefix is never read, and the leaves in which prefixes
change are read at the same time. So a page of 1,000 prefixes is a few reads in a row, not 1,000.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeAlias

from lakehouse.core.offload import breathe
from lakehouse.core.paths import after_prefix, grouped
from lakehouse.format.child import Child, unpack_child
from lakehouse.tree.plan import run

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.format.node import Node
    from lakehouse.tree.plan import Plan
    from lakehouse.tree.store import NodeStore

Item: TypeAlias = tuple[bytes, bytes | None]
"""A key with its packed entry, or a common prefix with None."""

_TOGETHER = 32


async def roll_up(
    store: NodeStore, root: MetaRangeId, *, start: bytes = b"", prefix: bytes = b"", delimiter: bytes, limit: int
) -> list[Item]:
    """Up to `limit` items in order: of the keys that are at least `start` and begin with `prefix`.

    A key that has the delimiter behind the prefix is rolled up into all of it up to there. To go on behind a common
    prefix, start at `after_prefix` of it. Raises DataDamaged, StorageUnavailable.
    """
    if not root or limit <= 0:
        return []
    return await run(store, _Listing(max(start, prefix), prefix, delimiter, limit).items(root), items=limit)


class _Listing:
    def __init__(self, start: bytes, prefix: bytes, delimiter: bytes, limit: int) -> None:
        self._start: bytes | None = start
        """What is before it is done; None: all is."""
        self._prefix = prefix
        self._end = after_prefix(prefix) if prefix else None
        self._delimiter = delimiter
        self._limit = limit
        self._found: list[Item] = []

    def items(self, root: MetaRangeId) -> Plan[list[Item]]:
        nodes = yield [root]
        if not nodes[root].level:
            self._add_leaf(nodes[root])
            return self._found
        path = [(nodes[root], 0)]
        while path and self._start is not None and len(self._found) < self._limit:
            node, at = path.pop()
            pieces, at = self._pieces(node, at)
            if at < len(node.keys):
                path.append((node, at))
            ids = [piece.id.hex() for piece in pieces if isinstance(piece, Child)]
            if ids:
                nodes = yield ids
            for piece in pieces:
                if isinstance(piece, bytes):
                    self._add_prefix(piece)
                elif node.level == 1:
                    self._add_leaf(nodes[piece.id.hex()])
                else:
                    path.append((nodes[piece.id.hex()], 0))
            breathe()
        return self._found

    def _pieces(self, node: Node, at: int) -> tuple[list[Child | bytes], int]:
        """What comes next in an inner node: common prefixes, and children to be read; and where it goes on then.

        Of children that are inner nodes themselves no more than one, the last piece.
        """
        pieces: list[Child | bytes] = []
        start, total, children = self._start, len(node.keys), 0
        while start is not None and children < (_TOGETHER if node.level == 1 else 1):
            at = bisect_left(node.keys, start, at)
            if at == total or len(pieces) + len(self._found) >= self._limit:
                return pieces, at
            child = unpack_child(node.values[at])
            if self._end is not None and child.first >= self._end:
                return pieces, total
            whole = self._within_one(child.first, node.keys[at])
            if whole is None:
                pieces.append(child)
                children += 1
            else:
                pieces.append(whole)
                start = after_prefix(whole)
            at += 1
        return pieces, total if start is None else at

    def _within_one(self, first: bytes, last: bytes) -> bytes | None:
        """The common prefix that all keys from `first` to `last` roll up into, if there is one."""
        if not first.startswith(self._prefix):
            return None
        whole = grouped(first, self._prefix, self._delimiter)
        return whole if whole is not None and last.startswith(whole) else None

    def _add_prefix(self, whole: bytes) -> None:
        self._start = after_prefix(whole)
        if len(self._found) < self._limit and (not self._found or self._found[-1][0] != whole):
            self._found.append((whole, None))

    def _add_leaf(self, node: Node) -> None:
        keys, values = node.keys, node.values
        end = len(keys) if self._end is None else bisect_left(keys, self._end)
        at = len(keys) if self._start is None else bisect_left(keys, self._start)
        while at < end and len(self._found) < self._limit:
            whole = grouped(keys[at], self._prefix, self._delimiter)
            if whole is None:
                self._found.append((keys[at], values[at]))
                at += 1
            else:
                self._add_prefix(whole)
                at = end if self._start is None else bisect_left(keys, self._start, at)
