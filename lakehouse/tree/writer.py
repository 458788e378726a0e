# SPDX-License-Identifier: Apache-2.0
"""The one way in which a tree is made.

Its nodes are a function of the entries alone: whoever feeds the same entries, in whatever pieces, or adopts nodes of
another tree in place of feeding their content, gets the same root. `adopt` therefore refuses a node where the
boundaries do not allow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import EMPTY_TREE, MetaRangeId
from lakehouse.core.offload import PAGE, breathe
from lakehouse.format.boundary import TABLE_1
from lakehouse.format.entry import total_size
from lakehouse.format.node import Child, encode_node, pack_child, unpack_child, unpack_children

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary
    from lakehouse.format.node import Encoded


class _Level:
    """What is known of one level: the open node, how many were closed or adopted, and the id of the last of them.

    `size` is the sum of the objects' sizes in the open leaf.
    """

    __slots__ = ("keys", "last", "nodes", "size", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.size = 0
        self.nodes = 0
        self.last = b""


class TreeWriter:
    """Feed entries in ascending order of key, adopt whole nodes between them, `finish`; `take` what is to be stored.

    Does no I/O, and may be used from one thread at a time.
    """

    def __init__(self, boundary: Boundary = TABLE_1) -> None:
        self._boundary = boundary
        self._levels: list[_Level] = [_Level()]
        self._ready: list[Encoded] = []

    def feed(self, keys: list[bytes], values: list[bytes]) -> None:
        """Add entries: keys strictly ascending and above all before them, packed entries at the same positions."""
        for at in range(0, len(keys), PAGE):
            if at:
                breathe()
            self._push(0, keys[at : at + PAGE], values[at : at + PAGE])

    def feed_leaf(self, keys: list[bytes], values: list[bytes], *, size: int, settled: int) -> None:
        """Feed what became of one leaf of another tree, of which much is known: it spares hashing and decoding.

        `size` is the sum of the objects' sizes. The first `settled` entries are the leaf's own, so no node ends there
        if one begins with the first.
        """
        self._push(0, keys, values, size=size, settled=0 if self._levels[0].keys else settled)

    def adopts(self, level: int, count: int, *, last: bool) -> bool:
        """Whether `adopt` may be called now for `count` nodes of `level`.

        The writer must stand at the start of a node on this level and all below. `last`: the last of the nodes is the
        last one of its level in its tree, so it does not end by rule; then nothing may follow it, and it may not become
        the root, because it could be an inner node with one child.
        """
        levels = self._levels
        if any(open_.keys for open_ in levels[: level + 1]):
            return False
        return not last or count > 1 or (level < len(levels) and levels[level].nodes > 0)

    def adopt(self, level: int, keys: list[bytes], values: list[bytes]) -> None:
        """Add whole nodes of `level`, one at least, given as their parent has them: last keys, and packed children.

        All but a last one must end by rule. Raises ValueError where `adopts` says no.
        """
        if not self.adopts(level, len(keys), last=False):
            raise ValueError(f"cannot adopt nodes of level {level} inside an open node")
        while len(self._levels) <= level:
            self._levels.append(_Level())
        for below in self._levels[:level]:
            below.nodes = max(below.nodes, 2)
        self._levels[level].nodes += len(keys)
        self._levels[level].last = unpack_child(values[-1]).id
        self._push(level + 1, keys, values)

    @property
    def pending(self) -> int:
        """Number of nodes that `take` would return."""
        return len(self._ready)

    def take(self) -> list[Encoded]:
        """The nodes finished since the last call: to be stored before the root is used."""
        ready, self._ready = self._ready, []
        return ready

    def finish(self) -> MetaRangeId:
        """Close what is open and return the root. The writer is used up."""
        level = 0
        while level < len(self._levels):
            this = self._levels[level]
            if this.keys:
                self._close(level)
            if this.nodes == 1:
                return MetaRangeId(this.last.hex())
            level += 1
        return EMPTY_TREE

    def _push(
        self, level: int, keys: list[bytes], values: list[bytes], *, size: int | None = None, settled: int = 0
    ) -> None:
        while len(self._levels) <= level:
            self._levels.append(_Level())
        this = self._levels[level]
        start = 0
        for end in self._boundary.cuts(level, keys, before=len(this.keys), settled=settled):
            part = values[start:end]
            if not level:
                part_size = total_size(part) if size is None or end < len(keys) else size
                this.size += part_size
                size = None if size is None else size - part_size
            this.keys += keys[start:end]
            this.values += part
            self._close(level)
            breathe()
            start = end
        if start < len(keys):
            part = values[start:] if start else values
            this.keys += keys[start:] if start else keys
            this.values += part
            if not level:
                this.size += total_size(part) if size is None else size

    def _close(self, level: int) -> None:
        this = self._levels[level]
        keys, values = this.keys, this.values
        this.keys, this.values = [], []
        if level:
            children = unpack_children(values)
            first = children[0].first
            count = sum([child.count for child in children])
            size = sum([child.size for child in children])
        else:
            first, count, size = keys[0], len(keys), this.size
            this.size = 0
        node = encode_node(level, keys, values, table=self._boundary.id)
        self._ready.append(node)
        this.nodes += 1
        this.last = bytes.fromhex(node.id)
        child = pack_child(Child(this.last, first, count, size, node.node.length))
        self._push(level + 1, [keys[-1]], [child])
