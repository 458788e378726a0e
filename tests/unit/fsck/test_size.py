# SPDX-License-Identifier: Apache-2.0
"""A check of many objects in bounded memory: real sizes with `make deep`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lakehouse.fsck.report import Kind
from tests.bench.fsck import measure

pytestmark = pytest.mark.anyio
DEEP = int(os.environ.get("LAKEHOUSE_TEST_OBJECTS", "1000000"))
CHILD = """
import asyncio, sys
from tests.bench.fsck import measure
from tests.bench.import_ import peak
report, _ = asyncio.run(measure(int(sys.argv[1]), held=20_000))
assert report.objects == int(sys.argv[1]) * 9 // 10 and len(report.problems) == 1, report
print(peak())
"""


async def test_one_of_many_is_missing() -> None:
    report, _ = await measure(5000, held=500)
    assert report.objects == 4500
    [problem] = report.problems
    assert problem.kind is Kind.OBJECT_MISSING
    assert len(problem.refs) == 1


def peak_of(count: int) -> int:
    """Most memory, in MiB, of a process that checks so many objects."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(count)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.deep
def test_memory_does_not_grow_with_the_objects() -> None:
    """Ten times the objects: what grows is the store of the test, which keeps the nodes (some 60 bytes an entry)."""
    small, large = peak_of(DEEP // 10), peak_of(DEEP)
    assert large - small < 40 + DEEP * 0.9 * 80 / 2**20
