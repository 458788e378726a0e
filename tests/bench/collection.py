# SPDX-License-Identifier: Apache-2.0
"""Garbage collection of many objects: rate, and peak memory.

    python tests/bench/collection.py [OBJECTS]

Nodes and objects are in a store that makes the listing of `data/` up as it goes, so that what is measured is the mark,
the comparison and the list of candidates. A tenth of the objects is garbage.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import pack
from lakehouse.gc.collect import GRACE, MARGIN, Options, collect_garbage
from lakehouse.meta import commits, refs
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.port import ObjectInfo, StoredObject
from lakehouse.tree.build import build
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.bench.import_ import peak
from tests.lakes import Hands, open_lake

OBJECTS = 1_000_000
GARBAGE = 10
"""One of so many is not in the tree."""


def address(number: int) -> str:
    """An address as the server names them, in order of `number`."""
    name = f"{1_740_000_000_000 + number:012x}{number:016x}"
    return f"data/{name[:7]}/{name}"


class Listed(MemoryStore):
    """Lists `count` objects below `data/` that it does not hold, but for those that were deleted."""

    def __init__(self, count: int, clock) -> None:
        super().__init__(clock=clock)
        self._count = count
        self.deleted = 0

    async def list(self, bucket, *, prefix="", after="", limit=1000):
        if not prefix.endswith("data/"):
            return await super().list(bucket, prefix=prefix, after=after, limit=limit)
        start = int(after[-16:], 16) + 1 if after else 0
        end = min(start + limit, self._count)
        root = prefix.removesuffix("data/")
        info = ObjectInfo(100, "c", 1_740_000_000.0)
        return [StoredObject(root + address(number), info) for number in range(start, end)], end < self._count

    async def delete(self, locations):
        self.deleted += len(locations)
        await super().delete(locations)


async def entries(count: int):
    """The tree's entries, in pages: paths in another order than the addresses."""
    for start in range(0, count, 1000):
        keys, values = [], []
        for place in range(start, min(start + 1000, count)):
            number = place * 7 % count
            if number % GARBAGE:
                keys.append(f"p/{place:012d}".encode())
                values.append(pack(Entry(address(number), AddressKind.RELATIVE, 100, "c", 1_740_000_000)))
        yield keys, values


async def fill(lake, name: str, count: int) -> None:
    """One commit of all that is no garbage."""
    repo, main = await resolve.branch(lake, name, "main")
    root = await build(lake.tree(repo), entries(count))
    parent = await resolve.get_commit(lake, repo, main.commit_id)
    made = make(parents=(parent,), root=root, committer="b", message="m", created=lake.now, metadata={})
    await lake.db.apply(
        commits.insert(repo.id, made, None),
        refs.move_head(main, head=made.id, taken=(), leaves_staging=False, now=lake.now),
    )


async def measure(count: int, *, held: int) -> tuple[Listed, list[tuple[str, float, object]]]:
    """The store, and name, seconds and report of each run."""
    clock = Hands()
    with tempfile.TemporaryDirectory() as folder:
        store = Listed(count, clock)
        lake = await open_lake(Path(folder) / "metadata.sqlite", objects=store, clock=clock)
        await create_repository(lake, RepositoryRequest(name="lake"))
        await fill(lake, "lake", count)
        clock.now += lake.address_validity + MARGIN + 1
        runs = []
        for name in ("mark, candidates noted", "mark, candidates deleted"):
            begun = time.perf_counter()
            report = await collect_garbage(lake, "lake", Options(held=held))
            runs.append((name, time.perf_counter() - begun, report))
            clock.now += GRACE
        await lake.background.drain()
        await lake.db.close()
    return store, runs


async def main(count: int) -> None:
    before = peak()
    _, runs = await measure(count, held=200_000)
    for name, seconds, report in runs:
        print(f"gc {name:26} {count:>9,} objects  {count / seconds:>9,.0f}/s  {report.deleted:>8,} deleted")
    print(f"peak memory {peak()} MiB, {before} before")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS))
