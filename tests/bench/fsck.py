# SPDX-License-Identifier: Apache-2.0
"""A check of many objects: rate, and peak memory.

    python -m tests.bench.fsck [OBJECTS]

One commit in a store that makes the listing of `data/` up as it goes; one object is missing, so that the refs that need
it are looked for too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.fsck.check import Options, check_lake
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.bench.collection import OBJECTS, Listed, address, fill
from tests.bench.import_ import peak
from tests.lakes import Hands, open_lake

if TYPE_CHECKING:
    from lakehouse.fsck.report import Report


class Whole(Listed):
    """Lists what it holds, and after it what it makes up, but for the object of one number."""

    def __init__(self, count: int, clock, *, missing: int) -> None:
        super().__init__(count, clock)
        self._missing = missing

    async def list(self, bucket, *, prefix="", after="", limit=1000):
        data = f"{prefix}data/"
        if prefix.endswith("/_lakehouse/commits/"):
            return await super().list(bucket, prefix=prefix, after=after, limit=limit)
        if not after.startswith(data):
            held, more = await super().list(bucket, prefix=f"{prefix}_", after=after, limit=limit)
            if held:
                return held, True
            after = ""
        page, more = await super().list(bucket, prefix=data, after=after, limit=limit)
        gap = address(self._missing)
        return [one for one in page if not one.key.endswith(gap)], more


async def measure(count: int, *, held: int) -> tuple[Report, float]:
    """The report of a check, and how long it took."""
    clock = Hands()
    with tempfile.TemporaryDirectory() as folder:
        store = Whole(count, clock, missing=count // 2 + 1)
        lake = await open_lake(Path(folder) / "metadata.sqlite", objects=store, clock=clock)
        await create_repository(lake, RepositoryRequest(name="lake"))
        await fill(lake, "lake", count)
        lake.nodes.clear()
        begun = time.perf_counter()
        report = await check_lake(lake, options=Options(held=held))
        seconds = time.perf_counter() - begun
        await lake.background.drain()
        await lake.db.close()
    return report, seconds


async def main(count: int) -> None:
    before = peak()
    report, seconds = await measure(count, held=200_000)
    print(f"fsck {report.objects:>9,} objects  {report.nodes:>6,} nodes  {report.objects / seconds:>9,.0f} objects/s")
    print(f"peak memory {peak()} MiB, {before} before; found: {[one.message for one in report.problems]}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS))
