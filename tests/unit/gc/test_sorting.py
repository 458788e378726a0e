# SPDX-License-Identifier: Apache-2.0
"""Sets that do not fit into memory."""

from __future__ import annotations

import random

import pytest

from lakehouse.gc.sorting import RUNS, SortedSet


@pytest.mark.parametrize("held", [10, 100, 100_000])
def test_reads_back_in_order_each_once(held: int) -> None:
    chance = random.Random(1)
    values = [chance.randbytes(chance.randrange(1, 6)) for _ in range(5000)] + [b"\n", b"", b"\xff" * 1000]
    made = SortedSet(held=held)
    for at in range(0, len(values), 37):
        made.add(values[at : at + 37])
    assert [value for page in made.pages() for value in page] == sorted(set(values))
    assert [value for page in made.pages() for value in page] == sorted(set(values))
    made.close()
    assert list(made.pages()) == []


def test_files_are_merged_before_they_are_too_many() -> None:
    made = SortedSet(held=1)
    for number in range(3 * RUNS):
        made.add([number.to_bytes(4, "big")])
        assert len(made._runs) < RUNS
    assert [len(page) for page in made.pages()] == [3 * RUNS]
    made.close()


def test_nothing() -> None:
    made = SortedSet()
    made.add([])
    assert list(made.pages()) == []
