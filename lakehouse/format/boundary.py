# SPDX-License-Identifier: Apache-2.0
"""Where blocks and nodes end (docs/formats/tree.md, "Boundaries").

A block ends at a key whose hash is low, a mark; a node ends at a mark too, by a rule that also counts its pairs.
Values take no part: changing one moves no boundary, and one inserted or removed key moves, nearly always, only those of
its own block or node.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from xxhash import xxh3_64_digest

Marks: TypeAlias = "list[tuple[int, bytes]]"
"""Positions of marks, ascending, each with the key's hash."""

_FULL = 1 << 64


def hash_of(level: int, key: bytes) -> bytes:
    """The hash of a key in nodes of this level, 8 bytes, big-endian."""
    return xxh3_64_digest(key, level)


class Cut(msgspec.Struct, frozen=True):
    """The rule of one kind of node: a key is a mark if its hash is below `block`, and ends a node of n pairs if it is
    below `thresholds[n - minimum]`, for n from `minimum` to `maximum - 1`. 8 bytes each.

    Big-endian bytes compare as the numbers do, and need no integers made of a million digests.
    """

    minimum: int
    maximum: int
    thresholds: tuple[bytes, ...]
    block: bytes

    def ends(self, pairs: int, digest: bytes) -> bool:
        """Whether a node of so many pairs, at most `maximum`, ends with the mark that has this hash."""
        return pairs >= self.minimum and (pairs == self.maximum or digest < self.thresholds[pairs - self.minimum])


class Boundary(msgspec.Struct, frozen=True):
    """A boundary table: `id` stands in every node's header."""

    id: int
    leaf: Cut
    inner: Cut

    def cut(self, level: int) -> Cut:
        """The rule of nodes of this level."""
        return self.inner if level else self.leaf

    def marks(self, level: int, keys: list[bytes]) -> Marks:
        """The marks among `keys`."""
        block = self.cut(level).block
        return [(at, digest) for at, key in enumerate(keys) if (digest := xxh3_64_digest(key, level)) < block]

    def marks_at(self, level: int, keys: list[bytes], positions: list[int]) -> Marks:
        """As `marks`, when only the keys at these positions can be some."""
        block = self.cut(level).block
        return [(at, digest) for at in positions if (digest := xxh3_64_digest(keys[at], level)) < block]


def linear_cut(*, minimum: int, maximum: int, step: int, block: int) -> Cut:
    """The rule whose threshold grows by `step` with every pair from `minimum` on. Raises ValueError for one that cannot
    cut, or whose nodes could end where no block does.
    """
    if not 2 <= minimum < maximum or not 0 < step * (maximum - minimum) <= block < _FULL:
        raise ValueError((minimum, maximum, step, block))
    thresholds = tuple((step * (n - minimum + 1)).to_bytes(8, "big") for n in range(minimum, maximum))
    return Cut(minimum, maximum, thresholds, block.to_bytes(8, "big"))


TABLE_1 = Boundary(
    1,
    leaf=linear_cut(minimum=256, maximum=2048, step=49126651055753, block=1 << 58),
    inner=linear_cut(minimum=64, maximum=512, step=786026416892048, block=1 << 59),
)
"""The one table there is: leaves of about 1,024 entries in blocks of about 64, inner nodes of about 256 children in
blocks of about 32.
"""
