# SPDX-License-Identifier: Apache-2.0
"""Cost of trees: CPU and wall time of each operation, and its ratio to the budget corrected by this machine.

    python tests/bench/tree.py

Nodes go to a store in memory, so this is the cost of the algorithms and formats alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
from contextlib import contextmanager

from lakehouse.core.ids import EMPTY_TREE, RepositoryId
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.changed_paths import may_contain, paths_filter
from lakehouse.format.entry import TOMBSTONE, pack
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.port import ObjectInfo
from lakehouse.tree.apply import apply
from lakehouse.tree.build import build
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup, scan
from lakehouse.tree.merge import Trees, merge
from lakehouse.tree.store import NodeStore

OBJECTS = 120_000
LARGE = 1_000_000
COMMITS = 10_000
REFERENCE_SHA256 = 1.6e9
"""Bytes a second on the machine that the budgets were taken on."""


def slowness() -> float:
    """How many times slower than the reference machine this one is."""
    data = bytes(1 << 26)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        hashlib.sha256(data).digest()
        best = min(best, time.process_time() - start)
    return best / (len(data) / REFERENCE_SHA256)


class Report:
    """Prints a line for each operation: the least CPU of its rounds."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._cpu: list[float] = []
        self._wall: list[float] = []

    @contextmanager
    def round(self):
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self._cpu.append(time.process_time() - cpu)
        self._wall.append(time.perf_counter() - wall)

    def line(self, name: str, *, times: int = 1, budget: float | None = None, must: float = 1, aim: float = 1) -> None:
        """`budget` in ms: what the other server needs; `must` and `aim` are how many times faster to be."""
        cpu, wall = (min(values) / times * 1000 for values in (self._cpu, self._wall))
        self._cpu, self._wall = [], []
        ratio = ""
        if budget is not None:
            ratio = f"  {budget * self._factor / cpu:6.1f} x (must {must:g}, aims at {aim:g})"
        print(f"{name:42} {cpu:9.3f} ms CPU {wall:9.3f} ms wall{ratio}")


def entry(number: int) -> bytes:
    return pack(
        Entry(
            f"data/{os.urandom(10).hex()}",
            AddressKind.RELATIVE,
            random.randrange(1 << 30),
            os.urandom(16).hex(),
            1_763_700_000 + number,
            "application/octet-stream",
        )
    )


def key(number: int) -> bytes:
    return b"tables/part=%05d/file-%08d.parquet" % (number // 100, number)


async def columns(keys, values):
    for at in range(0, len(keys), 1000):
        yield keys[at : at + 1000], values[at : at + 1000]


async def changes(items):
    pairs = sorted(items.items())
    for at in range(0, len(pairs), 1000):
        yield pairs[at : at + 1000]


class Shelf(MemoryStore):
    """Takes batches without hashing them, as the embedded store does: a store's own cost is not that of trees."""

    async def put_batch(self, objects, *, content_type=""):
        for small in objects:
            info = ObjectInfo(len(small.body), small.etag, 0.0, content_type)
            self._store((small.location.bucket, small.location.key.encode()), small.body, info)


def new_store() -> NodeStore:
    return NodeStore(Shelf(), NodeCache(1 << 28), repository=RepositoryId(1), bucket="b", prefix="r/")


async def count_of(pages) -> int:
    return sum([len(page) async for page in pages])


async def listing(store, root) -> None:
    start = b""
    while True:
        keys, _ = await scan(store, root, start=start, limit=1001)
        if len(keys) <= 1000:
            return
        start = keys[-1]


async def edits(report: Report, store: NodeStore, root, keys) -> None:
    for spread, some in (("anywhere", keys), ("in one folder", keys[50_000:51_000])):
        for _ in range(5):
            with report.round():
                for _ in range(10):
                    await apply(store, root, changes({random.choice(some): entry(0)}))
        report.line(f"commit 1 change in 120k, {spread}", times=10, budget=14, must=3, aim=10)
        mixed = {name: random.choice([TOMBSTONE, entry(1)]) for name in random.sample(some, 300)}
        mixed |= {random.choice(some) + b"+": entry(2) for _ in range(200)}
        other = await apply(store, root, changes(mixed))
        for _ in range(5):
            with report.round():
                assert await count_of(diff(store, root, other.root)) == len(mixed)
        report.line(f"diff of 500 in 120k, {spread}, warm", budget=27, must=4, aim=10)
        source = await apply(store, root, changes({random.choice(some) + b"-": entry(3) for _ in range(200)}))
        few = await apply(store, root, changes({random.choice(some) + b"+": entry(2) for _ in range(20)}))
        for name, ours in (("", root), (" with 20 others", few.root), (" with 500 others", other.root)):
            for _ in range(5):
                with report.round():
                    assert (await merge(store, Trees(root, ours, source.root))).root
            report.line(f"merge of 200 into 120k{name}, {spread}", budget=57, must=4, aim=10)


async def main() -> None:
    factor = slowness()
    print(f"this machine is {factor:.2f} times as slow as the reference")
    report = Report(factor)
    keys, values = [key(number) for number in range(OBJECTS)], [entry(number) for number in range(OBJECTS)]
    store = new_store()
    root = await build(store, columns(keys, values))
    await edits(report, store, root, keys)
    for _ in range(3):
        with report.round():
            for name in keys[:10_000]:
                await lookup(store, root, name)
    report.line("lookup, warm", times=10_000, budget=0.3, must=2, aim=4)
    for _ in range(3):
        with report.round():
            for name in keys[:1000]:
                await scan(store, root, start=name, limit=101)
    report.line("scan of 100, warm", times=1000, budget=0.51, must=1.5, aim=3)
    for _ in range(3):
        with report.round():
            await listing(store, root)
    report.line("list 120k in pages of 1,000", budget=460, must=2, aim=4)
    staged = {b"new/%08d" % number: values[number] for number in range(100_000)}
    for base, name in ((EMPTY_TREE, "the empty tree"), (root, "120k")):
        for _ in range(2):
            with report.round():
                await apply(new_store() if base == EMPTY_TREE else store, base, changes(staged))
        report.line(f"commit 100k staged objects on {name}", budget=460, must=2, aim=5)
    filters = [paths_filter(random.sample(keys, 20)) for _ in range(COMMITS)]
    for _ in range(3):
        with report.round():
            assert sum([may_contain(packed, keys[at]) for at, packed in enumerate(filters)]) < COMMITS // 10
    report.line("history of a path: filters of 10k commits", budget=500, must=1, aim=10)
    keys = [key(number) for number in range(LARGE)]
    values = [values[number % OBJECTS] for number in range(LARGE)]
    for _ in range(2):
        with report.round():
            await build(new_store(), columns(keys, values))
    report.line("build 1M (aims at 700 to 1,500 ms)")


if __name__ == "__main__":
    asyncio.run(main())
