# SPDX-License-Identifier: Apache-2.0
"""Where one node ends and the next begins (docs/formats/tree.md, "Boundaries").

A boundary depends on keys and on the number of entries in the open node, never on values: changing a value moves none,
and one inserted or removed key moves, nearly always, only those of its own node.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TypeAlias

import msgspec
from xxhash import xxh3_64_digest

Marks: TypeAlias = "list[tuple[int, bytes]]"
"""Positions of keys that can end a node, ascending, each with its hash: about one key in two hundred.

Of a node they are known from the first position on at which it could end (`Cut.minimum - 1`).
"""

_FULL = 1 << 64


class Cut(msgspec.Struct, frozen=True):
    """The rule of one kind of node. `thresholds[n - minimum]` for n from `minimum` to `maximum - 1`, 8 bytes each.

    Big-endian bytes compare as the numbers do, and need no integers made of a million digests.
    """

    minimum: int
    maximum: int
    thresholds: tuple[bytes, ...]


class Boundary(msgspec.Struct, frozen=True):
    """A boundary table: `id` stands in every node's header."""

    id: int
    leaf: Cut
    inner: Cut

    def cut(self, level: int) -> Cut:
        """The rule of nodes of this level."""
        return self.inner if level else self.leaf

    def cuts(self, level: int, keys: list[bytes], *, before: int = 0, settled: int = 0) -> list[int]:
        """The ends of nodes (exclusive, ascending) within `keys`, if `before` entries stand in the open node.

        `settled`: so many of the first keys are known to end no node.
        """
        cut = self.cut(level)
        if before + len(keys) < cut.minimum:
            return []
        start = max(0, cut.minimum - before - 1, settled)
        return self.ends(level, self.marks(level, keys, start), before=before, total=len(keys))

    def marks(self, level: int, keys: list[bytes], start: int = 0, stop: int | None = None) -> Marks:
        """The marks among `keys[start:stop]`, by their positions in `keys`."""
        part = keys[start:stop] if start or stop is not None else keys
        highest = self.cut(level).thresholds[-1]
        return [(at, digest) for at, key in enumerate(part, start) if (digest := xxh3_64_digest(key, level)) < highest]

    def ends(self, level: int, marks: Marks, *, before: int, total: int) -> list[int]:
        """As `cuts` of `total` keys that have these marks."""
        return _cuts(self.cut(level), marks, before, total)


def within(marks: Marks, start: int, end: int) -> Marks:
    """The marks from `start` on and before `end`, counted from `start`."""
    low, high = bisect_left(marks, (start,)), bisect_left(marks, (end,))
    return [(at - start, digest) for at, digest in marks[low:high]] if start else marks[low:high]


def _cuts(cut: Cut, candidates: Marks, before: int, total: int) -> list[int]:
    ends: list[int] = []
    start = -before
    for at, digest in candidates:
        while at >= start + cut.maximum:
            start += cut.maximum
            ends.append(start)
        count = at + 1 - start
        if count >= cut.minimum and (count == cut.maximum or digest < cut.thresholds[count - cut.minimum]):
            start = at + 1
            ends.append(start)
    while start + cut.maximum <= total:
        start += cut.maximum
        ends.append(start)
    return ends


def linear_cut(*, minimum: int, maximum: int, step: int) -> Cut:
    """The rule whose threshold grows by `step` with every entry from `minimum` on."""
    if not 2 <= minimum < maximum or step * (maximum - minimum) >= _FULL:
        raise ValueError((minimum, maximum, step))
    return Cut(
        minimum,
        maximum,
        tuple((step * (n - minimum + 1)).to_bytes(8, "big") for n in range(minimum, maximum)),
    )


TABLE_1 = Boundary(
    1,
    leaf=linear_cut(minimum=256, maximum=2048, step=49126651055753),
    inner=linear_cut(minimum=64, maximum=512, step=786026416892048),
)
"""The one table there is: leaves of about 1,024 entries, inner nodes of about 256 children."""
