# SPDX-License-Identifier: Apache-2.0
"""Many objects in bounded memory: real sizes with `make deep`."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.bench.collection import GARBAGE, measure

pytestmark = pytest.mark.anyio
DEEP = int(os.environ.get("LAKEHOUSE_TEST_OBJECTS", "1000000"))
CHILD = """
import asyncio, sys
from tests.bench.collection import measure
from tests.bench.import_ import peak
store, runs = asyncio.run(measure(int(sys.argv[1]), held=20_000))
assert store.deleted >= int(sys.argv[1]) // 10
print(peak())
"""


async def test_what_is_not_in_the_tree_goes_and_nothing_else() -> None:
    store, runs = await measure(5000, held=500)
    assert [report.deleted for _, _, report in runs] == [0, 5000 // GARBAGE]
    assert [report.waiting for _, _, report in runs] == [5000 // GARBAGE, 0]
    assert store.deleted == 5000 // GARBAGE


def peak_of(count: int) -> int:
    """Most memory, in MiB, of a process that collects among so many objects."""
    done = subprocess.run([sys.executable, "-c", CHILD, str(count)], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.deep
def test_memory_does_not_grow_with_the_objects() -> None:
    """Ten times the objects: what grows is the store of the test, which keeps the nodes (some 60 bytes an entry)."""
    small, large = peak_of(DEEP // 10), peak_of(DEEP)
    assert large - small < 40 + DEEP * 0.9 * 80 / 2**20
