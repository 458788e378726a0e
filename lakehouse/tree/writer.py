# SPDX-License-Identifier: Apache-2.0
"""The one way in which a tree is made.

Its nodes are a function of the entries alone: whoever feeds the same entries, in whatever pieces, or adopts nodes of
another tree in place of feeding their content, gets the same root. `adopt` therefore refuses a node where the
boundaries do not allow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lakehouse.core.ids import EMPTY_TREE, MetaRangeId
from lakehouse.core.offload import PAGE, breathe
from lakehouse.format.boundary import TABLE_1, within
from lakehouse.format.entry import total_size
from lakehouse.format.node import Child, encode_node, pack_child, unpack_child, unpack_children

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary, Marks
    from lakehouse.format.node import Encoded, Kin


class _Known(NamedTuple):
    """What is known of entries that are fed together, see `feed_leaf`."""

    size: int | None = None
    settled: int = 0
    marks: Marks | None = None
    kin: tuple[Kin, ...] = ()


_NOTHING = _Known()


class _Level:
    """What is known of one level: the open node, how many were closed or adopted, and the id of the last of them.

    `size` is the sum of the objects' sizes in the open leaf; `marks` are those of the open node, None when unknown;
    `kin` is what the open node was made from.
    """

    __slots__ = ("keys", "kin", "last", "marks", "nodes", "size", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.marks: Marks | None = []
        self.kin: tuple[Kin, ...] = ()
        self.size = 0
        self.nodes = 0
        self.last = b""


class TreeWriter:
    """Feed entries in ascending order of key, adopt whole nodes between them, `finish`; `take` what is to be stored.

    Does no I/O, and may be used from one thread at a time. What it was fed must not change any more.
    """

    def __init__(self, boundary: Boundary = TABLE_1) -> None:
        self.boundary = boundary
        self._levels: list[_Level] = [_Level()]
        self._ready: list[Encoded] = []

    def feed(self, keys: list[bytes], values: list[bytes]) -> None:
        """Add entries: keys strictly ascending and above all before them, packed entries at the same positions."""
        for at in range(0, len(keys), PAGE):
            if at:
                breathe()
            self._push(0, keys[at : at + PAGE], values[at : at + PAGE])

    def feed_leaf(
        self,
        keys: list[bytes],
        values: list[bytes],
        *,
        size: int,
        settled: int = 0,
        marks: Marks | None = None,
        kin: tuple[Kin, ...] = (),
    ) -> None:
        """Feed what became of one leaf of another tree, of which much is known: it spares hashing and decoding.

        `size` is the sum of the objects' sizes. Of the first `settled` entries no node ends with one if one begins with
        the first of them. `marks`: those of the keys, from the first position on at which a leaf can end.
        `kin`: what a node of just these entries was made from.
        """
        settled = 0 if self._levels[0].keys else settled
        self._push(0, keys, values, _Known(size=size, settled=settled, marks=marks, kin=kin))

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

    def _push(self, level: int, keys: list[bytes], values: list[bytes], known: _Known = _NOTHING) -> None:
        while len(self._levels) <= level:
            self._levels.append(_Level())
        this = self._levels[level]
        before = len(this.keys)
        marks, complete = self._marks(level, keys, before, known)
        if not complete:
            this.marks = None
        ends = self.boundary.ends(level, marks, before=before, total=len(keys))
        start = 0
        for end in ends:
            part = known if end - start == len(keys) else _NOTHING
            self._add(level, keys[start:end], values[start:end], within(marks, start, end), part)
            self._close(level)
            start = end
        if start < len(keys):
            part = _NOTHING if start else known
            self._add(level, keys[start:], values[start:], within(marks, start, len(keys)), part)

    def _marks(self, level: int, keys: list[bytes], before: int, known: _Known) -> tuple[Marks, bool]:
        """The marks at all positions where a node may end, and whether they are all that there are."""
        least = self.boundary.cut(level).minimum - 1
        first = max(0, least - before)
        if known.marks is not None:
            more = self.boundary.marks(level, keys, first, least) if first < least else []
            return more + known.marks, True
        return self.boundary.marks(level, keys, max(first, known.settled)), known.settled <= first

    def _add(self, level: int, keys: list[bytes], values: list[bytes], marks: Marks, known: _Known) -> None:
        """Add entries to the open node, with their marks."""
        this = self._levels[level]
        if this.marks is not None:
            least, before = self.boundary.cut(level).minimum - 1, len(this.keys)
            this.marks += [(at + before, digest) for at, digest in marks if at + before >= least]
        if not level:
            this.size += total_size(values) if known.size is None else known.size
        if this.keys:
            this.keys += keys
            this.values += values
            this.kin = ()
        else:
            this.keys, this.values, this.kin = keys, values, known.kin

    def _close(self, level: int) -> None:
        this = self._levels[level]
        keys, values, marks, kin = this.keys, this.values, this.marks, this.kin
        this.keys, this.values, this.marks = [], [], []
        if level:
            children = unpack_children(values)
            first = children[0].first
            count = sum([child.count for child in children])
            size = sum([child.size for child in children])
        else:
            first, count, size = keys[0], len(keys), this.size
            this.size = 0
        # Hashing and compressing let go of the interpreter's lock, for longer than a breath would.
        node = encode_node(level, keys, values, table=self.boundary.id, marks=marks, kin=kin)
        self._ready.append(node)
        this.nodes += 1
        this.last = bytes.fromhex(node.id)
        child = pack_child(Child(this.last, first, count, size, node.node.length))
        self._push(level + 1, [keys[-1]], [child])
