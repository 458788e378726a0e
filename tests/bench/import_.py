# SPDX-License-Identifier: Apache-2.0
"""Import of objects: rate, and peak memory.

    python tests/bench/import_.py [OBJECTS]

The store lists from memory what an S3-compatible store would send, so that this is the cost of the import itself: from
listings to a commit. A second import replaces the first one, of which it changes a hundredth.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from lakehouse.meta.tasks import TaskState
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.port import ObjectInfo, StoredObject
from lakehouse.versioning import resolve
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.work import importing, working
from lakehouse.versioning.work.import_sources import Source, SourceKind
from tests.lakes import ANN, open_lake

OBJECTS = 1_000_000
BUDGET = 50_000


class Listed(MemoryStore):
    """Has `count` objects, which it makes up as it lists them; `turn` changes every hundredth."""

    def __init__(self, count: int) -> None:
        super().__init__(scheme="s3")
        self._count = count
        self.turn = 0

    async def list(self, bucket, *, prefix="", after="", limit=1000):
        if bucket != "free":
            return await super().list(bucket, prefix=prefix, after=after, limit=limit)
        start = int(after.rpartition("-")[2]) + 1 if after else 0
        end = min(start + limit, self._count)
        return [self._object(number) for number in range(start, end)], end < self._count

    def describe(self):
        return msgspec.structs.replace(super().describe(), importable=True)

    def _object(self, number: int) -> StoredObject:
        etag = f"{number * 2654435761 + (self.turn if number % 100 == 0 else 0):032x}"
        return StoredObject(f"data/year=2026/part-{number:09d}", ObjectInfo(1000 + number % 77, etag, 1_750_000_000.0))


def peak() -> int:
    """Most memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def run(lake, repo: str) -> float:
    """Seconds of one import."""
    request = importing.ImportRequest((Source("s3://free/data/", "in/", SourceKind.PREFIX),))
    begun = time.perf_counter()
    task = await importing.start_import(lake, repo, "main", request, ANN)
    await lake.tasks.wait(task)
    found = await working.find_task(lake, await resolve.repository(lake, repo), task, importing.IMPORT)
    assert found.state is TaskState.DONE, found.error
    return time.perf_counter() - begun


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Listed(count)
        lake = await open_lake(Path(folder) / "metadata.sqlite", objects=store, clock=time.time)
        await create_repository(lake, RepositoryRequest(name="lake", storage_namespace="s3://own/lake"))
        before = peak()
        for name in ("into nothing", "again, 1 % changed"):
            seconds = await run(lake, "lake")
            rate = count / seconds
            print(f"import {name:20} {count:>9,} objects  {rate:>9,.0f}/s  {rate / BUDGET:5.2f} x budget")
            store.turn += 1
        print(f"peak memory {peak()} MiB, {before} before (the store of this bench keeps the nodes in memory)")
        await lake.background.drain()
        await lake.db.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS))
