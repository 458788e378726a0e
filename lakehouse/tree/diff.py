# SPDX-License-Identifier: Apache-2.0
"""What differs between two trees. Equal subtrees are skipped unread, whatever stands around them.

A node that both trees have, wherever, holds the same keys in both: it can be crossed out on both sides. What is left
of a level is read, level after level, in windows of a few nodes, so that the first differences come early and memory
stays bounded. Ids only prune: which entries differ is decided by identity.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Generator
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lakehouse.core.offload import PAGE, breathe, offload
from lakehouse.core.paths import after_prefix, successor
from lakehouse.format.child import unpack_children
from lakehouse.format.entry import same_identity
from lakehouse.tree.entries import Difference, Same, differences
from lakehouse.tree.plan import run, with_undecoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.format.block import Block, Pairs
    from lakehouse.format.node import Node
    from lakehouse.tree.plan import Nodes, Plan
    from lakehouse.tree.store import NodeStore

__all__ = ["Difference", "diff", "differs", "leaves_apart"]

_FIRST_WINDOW = 2
_WINDOW = 16
"""Nodes of one side that are gone through together: few at first, so that the first differences come early."""
_DIFFERENT_COST = 4
_BLOCK_COST = 8
"""Entries that are gone through in the time of one difference, and of a block that is on one side only: most of these
differ in a few entries, some in all of them but in the identity of none.
"""
_BREATH = 16
"""Pairs of blocks that are compared in the time of a page."""


class _Part(NamedTuple):
    """A subtree: its last and first key, and its id."""

    last: bytes
    first: bytes
    id: bytes


_first = attrgetter("first")
_last = attrgetter("last")


class _Bounds(NamedTuple):
    start: bytes
    end: bytes | None


class _Needed(NamedTuple):
    ids: list[str]


_Steps: TypeAlias = Generator[_Needed | list[Difference], "Nodes | None", None]
"""Yields ids of nodes it needs and is sent these nodes; or yields differences."""


async def diff(
    store: NodeStore,
    left: MetaRangeId,
    right: MetaRangeId,
    *,
    start: bytes = b"",
    prefix: bytes = b"",
    same: Same = same_identity,
) -> AsyncGenerator[list[Difference], None]:
    """Pages of differences, ascending by key: of keys that are at least `start` and begin with `prefix`.

    O(differences x log n). Entries that are the `same` are none. No page is empty; stop when enough. Raises
    DataDamaged, StorageUnavailable.
    """
    if left == right:
        return
    bounds = _Bounds(max(start, prefix), after_prefix(prefix) if prefix else None)
    steps = _steps(left, right, bounds, same)
    nodes: Nodes | None = None
    before = lately = worked = 0
    while True:
        cost = with_undecoded(_BLOCK_COST * _unlike(nodes) + before * _DIFFERENT_COST, nodes)
        found = await offload(cost, _next, steps, nodes)
        worked += cost
        nodes = None
        if found is None:
            return
        if isinstance(found, _Needed):
            if worked > PAGE:
                worked = 0
                await asyncio.sleep(0)  # let others have the loop between two windows
            nodes = await store.read_many(found.ids)
            before, lately = lately, 0
        else:
            lately += len(found)
            yield found


async def differs(store: NodeStore, left: MetaRangeId, right: MetaRangeId, *, same: Same = same_identity) -> bool:
    """Whether there is any difference: stops at the first one."""
    pages = diff(store, left, right, same=same)
    async for _ in pages:
        return True
    return False


async def leaves_apart(store: NodeStore, left: MetaRangeId, right: MetaRangeId, *, most: int) -> int:
    """How many leaves the trees do not share, of the one that has more of these; some number above `most` when they are
    more than that. Reads inner nodes only, and no more than that many of a level. Raises as `diff`.
    """
    return await run(store, _apart(left, right, most)) if left != right else 0


def _apart(left: MetaRangeId, right: MetaRangeId, most: int) -> Plan[int]:
    nodes = yield [root for root in (left, right) if root]
    sides = [[_whole(root, nodes[root])] if root else [] for root in (left, right)]
    levels = [nodes[root].level if root else 0 for root in (left, right)]
    if abs(levels[0] - levels[1]) > 1:
        return most + 1  # one is hundreds of times as large
    while True:
        if levels[0] == levels[1]:
            sides = list(_distinct(sides[0], sides[1], _Bounds(b"", None)))
            apart = max(map(len, sides))
            if not levels[0] or apart > most:
                return apart
        higher = [side for side in (0, 1) if levels[side] == max(levels)]
        nodes = yield [part.id.hex() for side in higher for part in sides[side]]
        for side in higher:
            sides[side] = _children(sides[side], nodes)
            levels[side] -= 1
        breathe()


def _unlike(nodes: Nodes | None) -> int:
    """How many blocks of the leaves of both sides are on one of them only."""
    leaves = [] if nodes is None else [node.digests for node in nodes.values() if not node.level]
    blocks = sum(map(len, leaves))
    return blocks - 2 * (blocks - len(frozenset().union(*leaves)))


def _next(steps: _Steps, nodes: Nodes | None) -> _Needed | list[Difference] | None:
    try:
        return next(steps) if nodes is None else steps.send(nodes)
    except StopIteration:
        return None


def _steps(left: MetaRangeId, right: MetaRangeId, bounds: _Bounds, same: Same) -> _Steps:
    nodes = yield _Needed([root for root in (left, right) if root])
    assert nodes is not None
    sides: list[list[_Part]] = []
    levels: list[int] = []
    for root in (left, right):
        sides.append([_whole(root, nodes[root])] if root else [])
        levels.append(nodes[root].level if root else -1)
    level = min(levels) if min(levels) >= 0 else max(levels)
    for side in (0, 1):
        for _ in range(levels[side] - level):
            sides[side] = _within(sides[side], bounds)
            nodes = yield _ids(sides[side])
            sides[side] = _children(sides[side], nodes)
    compare = _compare_inner if level else _compare_leaves
    yield from compare(*_distinct(sides[0], sides[1], bounds), bounds, same, level)


def _compare_inner(lefts: list[_Part], rights: list[_Part], bounds: _Bounds, same: Same, level: int) -> _Steps:
    """Go through nodes of `level` of both sides; none of them is on both."""
    below_left: list[_Part] = []
    below_right: list[_Part] = []
    compare = _compare_inner if level > 1 else _compare_leaves
    width = _FIRST_WINDOW
    while lefts or rights:
        bound = _window_end(lefts, rights, width)
        width = min(2 * width, _WINDOW)
        (now_left, lefts), (now_right, rights) = _split_first(lefts, bound), _split_first(rights, bound)
        nodes = yield _ids(now_left + now_right)
        below_left += _children(now_left, nodes)
        below_right += _children(now_right, nodes)
        limit = _common_end(below_left, below_right, bound)
        ready_left, below_left = _split_last(below_left, limit)
        ready_right, below_right = _split_last(below_right, limit)
        breathe()
        yield from compare(*_distinct(ready_left, ready_right, bounds), bounds, same, level - 1)


def _compare_leaves(lefts: list[_Part], rights: list[_Part], bounds: _Bounds, same: Same, level: int) -> _Steps:
    """Go through leaves of both sides; none of them is on both."""
    left, right = _Blocks(bounds), _Blocks(bounds)
    width = _FIRST_WINDOW
    while lefts or rights:
        bound = _window_end(lefts, rights, width)
        width = min(2 * width, _WINDOW)
        (now_left, lefts), (now_right, rights) = _split_first(lefts, bound), _split_first(rights, bound)
        nodes = yield _ids(now_left + now_right)
        left.add(now_left, nodes)
        right.add(now_right, nodes)
        _cross_out(left, right)
        found: list[Difference] = []
        for number in count(1):
            pair = _next_pair(left, right, bound)
            if pair is None:
                break
            found += differences(*pair, same)
            if number % _BREATH == 0:
                breathe()
        for at in range(0, len(found), PAGE):
            yield found[at : at + PAGE]


class _Blocks:
    """Blocks of one side that were read and not yet compared, in order; of the first one a part may be left."""

    def __init__(self, bounds: _Bounds) -> None:
        self._bounds = bounds
        self._todo: deque[Block] = deque()
        self._part: Pairs | None = None
        self.digests: set[bytes] = set()
        """Of the leaves that came last."""

    @property
    def head(self) -> bytes | None:
        """The last key of the first block."""
        return self._todo[0].about.last if self._todo else None

    def add(self, parts: list[_Part], nodes: Nodes | None) -> None:
        """Take the blocks of leaves that come next."""
        assert nodes is not None
        start, end = self._bounds
        for part in parts:
            node = nodes[part.id.hex()]
            low = bisect_left(node.lasts, start) if part.first < start else 0
            high = len(node.lasts)
            if end is not None and part.last >= end:
                high = min(high, bisect_left(node.lasts, end) + 1)
            self._todo.extend(node.blocks[low:high])
            self.digests |= node.digests

    def drop(self, digests: set[bytes]) -> None:
        """Pass over these blocks. The first one stays if a part of it was taken."""
        first = [] if self._part is None else [self._todo.popleft()]
        self._todo = deque(first + [block for block in self._todo if block.about.digest not in digests])
        self.digests = set()

    def take(self, cut: bytes) -> Pairs:
        """The entries up to `cut`, which is not behind the first block."""
        if not self._todo or (about := self._todo[0].about).first > cut:
            return [], []
        rest = self._part or self._within(self._todo[0])
        self._part = None
        if about.last == cut:
            self._todo.popleft()
            return rest
        keys, values = rest
        at = bisect_right(keys, cut)
        self._part = keys[at:], values[at:]
        return keys[:at], values[:at]

    def _within(self, block: Block) -> Pairs:
        start, end = self._bounds
        pairs = block.entries()
        if start <= block.about.first and (end is None or block.about.last < end):
            return pairs
        keys, values = pairs
        low, high = bisect_left(keys, start), len(keys) if end is None else bisect_left(keys, end)
        return keys[low:high], values[low:high]


def _cross_out(left: _Blocks, right: _Blocks) -> None:
    """Pass over the blocks that are on both sides."""
    both = left.digests & right.digests
    left.drop(both)
    right.drop(both)


def _next_pair(left: _Blocks, right: _Blocks, bound: bytes | None) -> tuple[Pairs, Pairs] | None:
    """What of both sides reaches equally far; None when more leaves have to be read first, or none is left.

    Behind `bound` a side may have leaves that were not read.
    """
    here, there = left.head, right.head
    cut = here if there is None or (here is not None and here < there) else there
    if cut is None or (bound is not None and cut > bound):
        return None
    return left.take(cut), right.take(cut)


def _ids(parts: list[_Part]) -> _Needed:
    return _Needed([part.id.hex() for part in parts])


def _whole(root: MetaRangeId, node: Node) -> _Part:
    return _Part(node.last, node.first, bytes.fromhex(root))


def _children(parts: list[_Part], nodes: Nodes | None) -> list[_Part]:
    assert nodes is not None
    found: list[_Part] = []
    for part in parts:
        node = nodes[part.id.hex()]
        children = unpack_children(node.values)
        found += [_Part(last, child.first, child.id) for last, child in zip(node.keys, children, strict=True)]
    return found


def _within(parts: list[_Part], bounds: _Bounds) -> list[_Part]:
    start, end = bounds
    low = bisect_left(parts, start, key=_last)
    return parts[low:] if end is None else parts[low : bisect_left(parts, end, key=_first)]


def _distinct(lefts: list[_Part], rights: list[_Part], bounds: _Bounds) -> tuple[list[_Part], list[_Part]]:
    """What of both sides lies within the bounds and is not on both."""
    lefts, rights = _within(lefts, bounds), _within(rights, bounds)
    both = {part.id for part in lefts} & {part.id for part in rights}
    if not both:
        return lefts, rights
    return [part for part in lefts if part.id not in both], [part for part in rights if part.id not in both]


def _window_end(lefts: list[_Part], rights: list[_Part], width: int) -> bytes | None:
    """The last key of the next window: a few nodes of each side begin before it. None: all that is left."""
    ends = [parts[width - 1].last for parts in (lefts, rights) if len(parts) > width]
    return min(ends, default=None)


def _split_first(parts: list[_Part], bound: bytes | None) -> tuple[list[_Part], list[_Part]]:
    """Those that begin at or before `bound`, and the others."""
    at = len(parts) if bound is None else bisect_right(parts, bound, key=_first)
    return parts[:at], parts[at:]


def _split_last(parts: list[_Part], limit: bytes | None) -> tuple[list[_Part], list[_Part]]:
    """Those that end before `limit`, and the others."""
    at = len(parts) if limit is None else bisect_left(parts, limit, key=_last)
    return parts[:at], parts[at:]


def _common_end(lefts: list[_Part], rights: list[_Part], bound: bytes | None) -> bytes | None:
    """The highest key up to `bound` before which no subtree of either side is cut in two."""
    if bound is None:
        return None
    limit, before = successor(bound), b""
    while limit != before:
        before = limit
        for parts in (lefts, rights):
            at = bisect_left(parts, limit, key=_last)
            if at < len(parts):
                limit = min(limit, parts[at].first)
    return limit
