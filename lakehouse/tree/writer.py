# SPDX-License-Identifier: Apache-2.0
"""The one way in which a tree is made.

Its nodes are a function of the entries alone: whoever feeds the same entries, in whatever pieces, or gives blocks and
nodes of another tree in place of their content, gets the same root. What does not fit where the writer stands is
therefore refused (`adopt`) or cut again (`feed_block`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import EMPTY_TREE, MetaRangeId
from lakehouse.core.offload import PAGE, breathe
from lakehouse.format.block import block_of
from lakehouse.format.boundary import TABLE_1
from lakehouse.format.child import Child, pack_child, unpack_child
from lakehouse.format.header import Compressor
from lakehouse.format.node import encode_node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.format.block import Block
    from lakehouse.format.boundary import Boundary, Marks
    from lakehouse.format.node import Encoded, Node


BATCH = 4 * 1024 * 1024
"""Bytes of nodes that are best stored together: some fifty leaves."""
_NODE = 32 * 1024
"""Bytes that a node counts for beside its body: what is in memory of it is more, and each is an object to store."""


class _Level:
    """What is known of one level: the open node and in it the open block, how many nodes were closed or adopted, and
    the id of the last of them.

    `size` is the sum of the objects' sizes in the open block, if it is known; `pairs` counts all of the open node.
    `held` is a block in place of an open one that was given whole but does not end with a mark: whether it ends here
    shows with what comes next.
    """

    __slots__ = ("blocks", "held", "keys", "last", "nodes", "pairs", "size", "values")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.held: Block | None = None
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.size: int | None = None
        self.pairs = 0
        self.nodes = 0
        self.last = b""


class TreeWriter:
    """Feed entries in ascending order of key, give whole blocks and nodes between them, `finish`; `take` what is to be
    stored.

    Does no I/O, and may be used from one thread at a time. What it was fed must not change any more.
    """

    def __init__(self, boundary: Boundary = TABLE_1) -> None:
        self.boundary = boundary
        self._levels: list[_Level] = [_Level()]
        self._ready: list[Encoded] = []
        self._pending = 0
        self._compressor = Compressor()

    def feed(self, keys: list[bytes], values: list[bytes]) -> None:
        """Add entries: keys strictly ascending and above all before them, packed entries at the same positions."""
        for at in range(0, len(keys), PAGE):
            if at:
                breathe()
            self._push(0, keys[at : at + PAGE], values[at : at + PAGE])

    def feed_page(self, keys: list[bytes], values: list[bytes], *, marks: Marks, size: int) -> None:
        """As `feed`, of about a block of which much is known: its marks, and the sum of the objects' sizes."""
        self._push(0, keys, values, marks, size)

    def feed_blocks(self, blocks: Sequence[Block]) -> None:
        """Add the entries of blocks of another tree. They are taken over undecoded where they would end here too."""
        self._push_blocks(0, blocks)

    def adopts(self, level: int, count: int, *, last: bool) -> bool:
        """Whether `adopt` may be called now for `count` nodes of `level`.

        The writer must stand at the start of a node on this level and all below. `last`: the last of the nodes is the
        last one of its level in its tree, so it does not end by rule; then nothing may follow it, and it may not become
        the root, because it could be an inner node with one child.
        """
        levels = self._levels
        if any(open_.pairs for open_ in levels[: level + 1]):
            return False
        return not last or count > 1 or (level < len(levels) and levels[level].nodes > 0)

    def adopt(self, parent: Node, start: int, stop: int) -> None:
        """Add whole nodes: the children of an inner node from position `start` on and before `stop`, one at least.

        All but a last one must end by rule. Raises ValueError where `adopts` says no.
        """
        level = parent.level - 1
        if not self.adopts(level, stop - start, last=False):
            raise ValueError(f"cannot adopt nodes of level {level} inside an open node")
        this = self._at(level)
        for below in self._levels[:level]:
            below.nodes = max(below.nodes, 2)
        this.nodes += stop - start
        this.last = unpack_child(parent.values[stop - 1]).id
        end = 0
        for block in parent.blocks:
            begin, end = end, end + block.about.pairs
            if start <= begin and end <= stop:
                self._push_blocks(level + 1, [block])
            elif begin < stop and start < end:
                part = slice(max(start, begin), min(stop, end))
                self._push(level + 1, parent.keys[part], parent.values[part])

    @property
    def pending(self) -> int:
        """What the nodes that `take` would return count for, in bytes."""
        return self._pending

    def take(self) -> list[Encoded]:
        """The nodes finished since the last call: to be stored before the root is used."""
        ready, self._ready, self._pending = self._ready, [], 0
        return ready

    def finish(self) -> MetaRangeId:
        """Close what is open and return the root. The writer is used up."""
        level = 0
        while level < len(self._levels):
            this = self._levels[level]
            if this.pairs:
                self._close(level)
            if this.nodes == 1:
                return MetaRangeId(this.last.hex())
            level += 1
        return EMPTY_TREE

    def _at(self, level: int) -> _Level:
        while len(self._levels) <= level:
            self._levels.append(_Level())
        return self._levels[level]

    def _push(
        self, level: int, keys: list[bytes], values: list[bytes], marks: Marks | None = None, size: int | None = None
    ) -> None:
        """Add pairs: each mark ends a block, and a node where the rule says so; so does the most that a node holds."""
        this, cut = self._at(level), self.boundary.cut(level)
        _let_go(this)
        start = 0
        for at, digest in self.boundary.marks(level, keys) if marks is None else marks:
            start = self._fill(level, keys, values, start, at)
            whole = not start and at + 1 == len(keys)
            _extend(this, keys[start : at + 1], values[start : at + 1], size if whole else None)
            start = at + 1
            self._end_block(level)
            if cut.ends(this.pairs, digest):
                self._close(level)
        start = self._fill(level, keys, values, start, len(keys))
        _extend(this, keys[start:], values[start:], None if start else size)

    def _fill(self, level: int, keys: list[bytes], values: list[bytes], start: int, stop: int) -> int:
        """Close each node that is full before position `stop`; where the next one begins."""
        this, most = self._levels[level], self.boundary.cut(level).maximum
        while this.pairs + stop - start >= most:
            end = start + most - this.pairs
            _extend(this, keys[start:end], values[start:end])
            start = end
            self._close(level)
        return start

    def _push_blocks(self, level: int, blocks: Sequence[Block]) -> None:
        """Add the pairs of blocks: each as it is, if one begins here too and the node does not end within it."""
        this, cut = self._at(level), self.boundary.cut(level)
        highest = cut.thresholds[-1]
        for block in blocks:
            _let_go(this)
            if this.keys or this.pairs + block.about.pairs > cut.maximum:
                self._push(level, *block.entries())
                continue
            this.pairs += block.about.pairs
            digest = block.hash(level)
            if digest < cut.block:
                this.blocks.append(block)
                if (digest < highest or this.pairs == cut.maximum) and cut.ends(this.pairs, digest):
                    self._close(level)
            else:
                this.held = block
                if this.pairs == cut.maximum:
                    self._close(level)

    def _end_block(self, level: int) -> None:
        """End the open block, if there is one."""
        this = self._levels[level]
        if this.keys:
            # Hashing and compressing let go of the interpreter's lock.
            made = block_of(level, this.keys, this.values, size=this.size, compressor=self._compressor)
            this.blocks.append(made)
            this.keys, this.values, this.size = [], [], None

    def _close(self, level: int) -> None:
        """End the open node, and add it to the level above."""
        this = self._levels[level]
        self._end_block(level)
        if this.held is not None:
            this.blocks.append(this.held)
        blocks, this.blocks, this.held, this.pairs = this.blocks, [], None, 0
        made = encode_node(level, blocks, table=self.boundary.id, compressor=self._compressor)
        self._ready.append(made)
        self._pending += _NODE + len(made.body)
        this.nodes += 1
        this.last = bytes.fromhex(made.id)
        count = sum([block.about.count for block in blocks])
        size = sum([block.about.size for block in blocks])
        child = pack_child(Child(this.last, made.node.first, count, size, made.node.length))
        self._push(level + 1, [made.node.last], [child])


def _let_go(this: _Level) -> None:
    """Open the block that is held: it goes on."""
    if this.held is not None:
        keys, values = this.held.entries()
        this.keys, this.values, this.size, this.held = keys[:], values[:], this.held.about.size, None


def _extend(this: _Level, keys: list[bytes], values: list[bytes], size: int | None = None) -> None:
    """Add pairs to the open block. `size` of their objects, if it is known."""
    this.pairs += len(keys)
    if this.keys:
        this.keys += keys
        this.values += values
        this.size = None
    else:
        this.keys, this.values, this.size = keys, values, size
