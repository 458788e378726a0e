# SPDX-License-Identifier: Apache-2.0
"""What differs between two sorted runs of entries, as blocks hold them.

Runs are compared by calls that do their work in C, which for entries that both sides have in common in memory is a
comparison of addresses: Python sees the differences only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from itertools import compress, count, repeat
from operator import ne
from typing import TypeAlias

import msgspec

from lakehouse.core.offload import PAGE, breathe

Same: TypeAlias = Callable[[bytes, bytes], bool]
Entries: TypeAlias = tuple[list[bytes], list[bytes]]
"""Keys and values."""

_FEW = 4
"""Positions at which values differ that are looked for one by one."""


class Difference(msgspec.Struct, frozen=True, gc=False):
    """A key whose packed entries differ; None where there is none. There may be hundreds of thousands in memory, which
    the garbage collector is not to go through.
    """

    key: bytes
    left: bytes | None
    right: bytes | None


def differences(left: Entries, right: Entries, same: Same) -> list[Difference]:
    """The differences in order of key. Entries that are the `same` are none."""
    (left_keys, left_values), (right_keys, right_values) = left, right
    if left_keys == right_keys:
        return _changed(left_keys, left_values, right_values, same)
    found: list[Difference] = []
    i = j = breath = 0
    while i < len(left_keys) and j < len(right_keys):
        if i > breath + PAGE:
            breath = i
            breathe()
        run = _equal_run(left_keys[i:], right_keys[j:])
        if run:
            olds, news = left_values[i : i + run], right_values[j : j + run]
            if olds != news:
                found += _changed(left_keys[i : i + run], olds, news, same)
            i += run
            j += run
        elif left_keys[i] < right_keys[j]:
            end = _upto(left_keys, right_keys[j], i)
            found += map(Difference, left_keys[i:end], left_values[i:end], repeat(None))
            i = end
        else:
            end = _upto(right_keys, left_keys[i], j)
            found += map(Difference, right_keys[j:end], repeat(None), right_values[j:end])
            j = end
    found += map(Difference, left_keys[i:], left_values[i:], repeat(None))
    found += map(Difference, right_keys[j:], repeat(None), right_values[j:])
    return found


def _changed(keys: list[bytes], olds: list[bytes], news: list[bytes], same: Same) -> list[Difference]:
    """The differences of entries with these keys."""
    return [Difference(keys[at], olds[at], news[at]) for at in _unequal(olds, news) if not same(olds[at], news[at])]


def _unequal(olds: list[bytes], news: list[bytes]) -> list[int]:
    """At which positions values differ. Mostly at one: to compare the rest takes a third of looking for more there."""
    found: list[int] = []
    start = 0
    while olds != news and len(found) < _FEW:
        at = next(compress(count(), map(ne, olds, news)))
        found.append(start + at)
        start += at + 1
        olds, news = olds[at + 1 :], news[at + 1 :]
    if len(found) == _FEW:
        found += compress(count(start), map(ne, olds, news))
    return found


def _upto(keys: list[bytes], key: bytes, start: int) -> int:
    """Where `key` is or belongs, behind `start`; mostly it is the next position."""
    if start + 1 < len(keys) and keys[start + 1] >= key:
        return start + 1
    return bisect_left(keys, key, start + 1)


def _equal_run(left: list[bytes], right: list[bytes]) -> int:
    """How many keys are equal from the beginning."""
    if left == right:
        return len(left)
    return next(compress(count(), map(ne, left, right)), min(len(left), len(right)))
