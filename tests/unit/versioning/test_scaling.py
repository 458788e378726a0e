# SPDX-License-Identifier: Apache-2.0
"""What an operation reads and writes does not grow with the repository, and neither does memory.

The small form compares two repositories in every run; the same at 10 million objects is marked deep
(LAKEHOUSE_TEST_OBJECTS makes it another number). Each is made and measured in a process of its own.
"""

from __future__ import annotations

import os

import pytest

from tests.bench.scaling import report_of

SMALL = 2_000
LARGE = 30_000
MEMORY = 400
"""MiB that the process may have at most."""
ONE_PLACE = {
    "stat": (3, 0),
    "list 100 of a prefix": (5, 0),
    "count a prefix": (6, 0),
    "create a branch": (0, 0),
    "create a tag": (0, 0),
    "commit 1 change": (6, 6),
    "merge of 1 change": (12, 6),
}
"""Nodes read with a cold cache, and written, at most: whatever the size, as long as trees have up to three levels."""


def check(report):
    costs = {cost.name: cost for cost in report.costs}
    for name, (reads, writes) in ONE_PLACE.items():
        assert costs[name].reads <= reads, name
        assert costs[name].writes <= writes, name
    near, far = costs["diff of 500 changes in a folder"], costs["diff of 500 changes anywhere"]
    assert near.reads <= 2 * (10_000 // 512 + 5)
    assert far.reads <= 2 * 500 + 200
    near, far = costs["merge of 200 changes in a folder"], costs["merge of 200 changes anywhere"]
    assert near.reads <= 4 * (10_000 // 512 + 5)
    assert near.writes <= 10_000 // 256 + 10
    assert far.reads <= 4 * 200 + 200
    assert far.writes <= 200 + 120
    assert 10 < report.memory < MEMORY


def test_cost_does_not_grow():
    small, large = report_of(SMALL, rounds=1), report_of(LARGE, rounds=1)
    for report in (small, large):
        check(report)
    for one, other in zip(small.costs, large.costs, strict=True):
        if one.name in ONE_PLACE:
            assert other.reads <= one.reads + 4, one.name
            assert other.writes <= one.writes + 2, one.name


@pytest.mark.deep
def test_ten_million_objects():
    report = report_of(int(os.environ.get("LAKEHOUSE_TEST_OBJECTS", "10000000")), rounds=3)
    check(report)
