# SPDX-License-Identifier: Apache-2.0
"""Where one node ends and the next begins (docs/formats/tree.md, "Boundaries").

A boundary depends on keys and on the number of entries in the open node, never on values: changing a value moves none,
and one inserted or removed key moves, nearly always, only those of its own node.
"""

from __future__ import annotations

import msgspec
from xxhash import xxh3_64_digest

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

    def cuts(self, level: int, keys: list[bytes], *, before: int = 0, settled: int = 0) -> list[int]:
        """The ends of nodes (exclusive, ascending) within `keys`, if `before` entries stand in the open node.

        `settled`: so many of the first keys are known to end no node.
        """
        cut = self.inner if level else self.leaf
        if before + len(keys) < cut.minimum:
            return []
        start = max(0, cut.minimum - before - 1, settled)
        return _cuts(cut, _candidates(keys, level, cut.thresholds[-1], start), before, len(keys))


def _candidates(keys: list[bytes], level: int, highest: bytes, start: int) -> list[tuple[int, bytes]]:
    """Positions from `start` on whose hash is below the highest threshold, with the hash."""
    part = keys[start:] if start else keys
    return [(at, digest) for at, key in enumerate(part, start) if (digest := xxh3_64_digest(key, level)) < highest]


def _cuts(cut: Cut, candidates: list[tuple[int, bytes]], before: int, total: int) -> list[int]:
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
