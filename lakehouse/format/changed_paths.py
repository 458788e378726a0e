# SPDX-License-Identifier: Apache-2.0
"""A Bloom filter over the paths that a commit changed, so that the history of a path skips most commits unread.

Never says no to what was changed. About 1.25 bytes for a path or directory, 16 at least: most commits change few
paths, and with so many bits a filter of few is nearly always right. An absent filter means "unknown: look".
Not part of a commit's id (docs/formats/commit.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xxhash import xxh3_128_intdigest

if TYPE_CHECKING:
    from collections.abc import Iterable

_TURNS = range(7)
_BITS_AN_ITEM = 10
_LEAST_BYTES = 16
_FIRST, _VERSION = 1, 2
"""Filters of the first version are read, no longer written: with equal steps, items of few bits often fell together."""
_KNOWN = (_FIRST, _VERSION)
_LOW = (1 << 64) - 1
MAX_ITEMS = 8192
"""Paths and directories in one filter; a commit that changed more has none."""


class PathsFilter:
    """Gathers paths page by page."""

    def __init__(self) -> None:
        self._items: set[bytes] = set()

    def add(self, paths: Iterable[bytes]) -> None:
        """Remember paths and the directories above them. Costs nothing once there are too many."""
        items = self._items
        for path in paths:
            if len(items) > MAX_ITEMS:
                return
            items.add(path)
            end = path.rfind(b"/", 0, -1)
            while end >= 0 and path[: end + 1] not in items:
                items.add(path[: end + 1])
                end = path.rfind(b"/", 0, end)

    def packed(self) -> bytes | None:
        """The filter's bytes; None when there were too many paths."""
        if len(self._items) > MAX_ITEMS:
            return None
        size = max((len(self._items) * _BITS_AN_ITEM + 7) // 8, _LEAST_BYTES) if self._items else 0
        bits, total = bytearray(size), size * 8
        for item in self._items:
            digest = xxh3_128_intdigest(item)
            at, step = digest & _LOW, digest >> 64
            for turn in _TURNS:
                place = at % total
                bits[place >> 3] |= 1 << (place & 7)
                at = (at + step) & _LOW
                step += turn + 1
        return bytes((_VERSION,)) + bits


def _hashes(item: bytes, version: int) -> tuple[int, ...]:
    digest = xxh3_128_intdigest(item)
    high, low = digest >> 64, digest & _LOW
    if version == _FIRST:
        return tuple((low + turn * high) & _LOW for turn in _TURNS)
    return tuple((low + turn * high + (turn**3 - turn) // 6) & _LOW for turn in _TURNS)


def paths_filter(paths: Iterable[bytes]) -> bytes | None:
    """The filter over `paths` and their directories; None when they are too many."""
    gathered = PathsFilter()
    gathered.add(paths)
    return gathered.packed()


class Probe:
    """Asks many filters for one path (an object, or a directory that ends in "/"); it is hashed once."""

    __slots__ = ("_first", "_hashes")

    def __init__(self, path: bytes) -> None:
        self._hashes = _hashes(path, _VERSION)
        self._first = _hashes(path, _FIRST)

    def __call__(self, packed: bytes | None) -> bool:
        """Whether the path may have been changed. True when unknown."""
        if not packed or packed[0] not in _KNOWN:
            return True
        bits = (len(packed) - 1) * 8
        if not bits:
            return False
        for number in self._hashes if packed[0] == _VERSION else self._first:
            at = number % bits
            if not packed[1 + (at >> 3)] >> (at & 7) & 1:
                return False
        return True


def may_contain(packed: bytes | None, path: bytes) -> bool:
    """Whether `path` (an object, or a directory that ends in "/") may have been changed. True when unknown."""
    return Probe(path)(packed)


def prefix_probe(prefix: bytes) -> Probe | None:
    """Asks for the directory that a prefix stands in; None for the top, about which filters say nothing."""
    directory = prefix[: prefix.rfind(b"/") + 1]
    return Probe(directory) if directory else None


def may_contain_prefix(packed: bytes | None, prefix: bytes) -> bool:
    """Whether a path that begins with `prefix` may have been changed: asks for the directory that it stands in."""
    directory = prefix[: prefix.rfind(b"/") + 1]
    if directory:
        return may_contain(packed, directory)
    return packed is None or len(packed) != 1 or packed[0] not in _KNOWN
