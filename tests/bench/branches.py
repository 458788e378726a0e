# SPDX-License-Identifier: Apache-2.0
"""One branch under pressure: many merges at once, and a page of a listing behind a million uncommitted deletes.

    python -m tests.bench.branches
    python -m tests.bench.branches --deletes 100000 --merges 16

On the engine, with the embedded store and database on disk. Deletes come in requests of 1,000; pages are read while
they come, which is before and while they are folded, and when all is folded.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.core.paths import parse_path
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, merge
from lakehouse.versioning.objects import listing, objects, staging
from lakehouse.versioning.refs import branches
from tests.bench.scaling import ANN, REPO, fill, lake_in, memory_mib, path_of

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake

OBJECTS = 120_000
AT_ONCE = 1000
PAGES = 300


def line(name: str, text: str) -> None:
    print(f"{name:44} {text}", flush=True)


async def change(lake: Lake, branch: str, number: int) -> None:
    """Stage another object in one place."""
    path = parse_path(path_of(number).decode())
    where = await staging.get_physical_address(lake, REPO, branch, path)
    link = staging.Link(path=path, physical_address=where.physical_address, checksum=f"{number:032x}", size=1)
    await staging.link_physical_address(lake, REPO, branch, link)


async def merges(folder: Path, count: int) -> None:
    """Merge `count` branches, each with a change, into one branch, all at once."""
    async with lake_in(folder) as (lake, _):
        await fill(lake, OBJECTS)
        for number in range(count):
            name = f"b{number}"
            await branches.create_branch(lake, REPO, name, source="main", actor=ANN)
            await change(lake, name, number * OBJECTS // count)
            await commit.commit(lake, REPO, name, commit.CommitRequest(name), ANN)
        await lake.background.drain()
        wall, cpu = time.perf_counter(), time.process_time()
        work = [
            merge.merge_into_branch(lake, REPO, f"b{number}", "main", merge.MergeRequest(), ANN)
            for number in range(count)
        ]
        await asyncio.gather(*work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    line(
        f"{count} merges at once into {OBJECTS:,} objects",
        f"{count / wall:.0f}/s, {1000 * cpu / count:.2f} ms CPU each",
    )


class Pages:
    """Reads pages and notes how long each took."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._seconds: list[float] = []

    async def read(self) -> None:
        """The first page, behind all the deletes."""
        start = time.perf_counter()
        _, page = await listing.list_objects(self._lake, REPO, "main", listing.Query(amount=100))
        self._seconds.append(time.perf_counter() - start)
        assert len(page.items) == 100

    def report(self, name: str) -> None:
        """Print and begin anew."""
        found, self._seconds = sorted(self._seconds), []
        p50, p99 = (1000 * found[int(part * (len(found) - 1))] for part in (0.5, 0.99))
        line(name, f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(found)} pages")


async def deletes(folder: Path, count: int) -> None:
    """Delete the first `count` objects of a branch and read what is left, page by page."""
    async with lake_in(folder) as (lake, _):
        await fill(lake, count + 50_000)
        pages = Pages(lake)
        start = time.perf_counter()
        for at in range(0, count, AT_ONCE):
            paths = [path_of(number).decode() for number in range(at, min(at + AT_ONCE, count))]
            assert not await objects.delete_objects(lake, REPO, "main", paths)
            if at % (10 * AT_ONCE) == 0:
                await pages.read()
        line(f"{count:,} deletes", f"{time.perf_counter() - start:.1f} s")
        pages.report("list 100, while they come")
        await lake.background.drain()
        for _ in range(PAGES):
            await pages.read()
        pages.report(f"list 100, {count:,} uncommitted deletes")
        _, branch = await resolve.branch(lake, REPO, "main")
        rows = await lake.db.all("select count(*) from staged where token = ?", (branch.staging_token,))
        line("rows that were not folded", str(rows[0][0]))
        start = time.perf_counter()
        await commit.commit(lake, REPO, "main", commit.CommitRequest("deletes"), ANN)
        line("the commit of all of it", f"{1000 * (time.perf_counter() - start):.0f} ms")
    line("most memory", f"{memory_mib():.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deletes", type=int, default=1_000_000)
    parser.add_argument("--merges", type=int, default=64)
    options = parser.parse_args()
    for work, size in ((merges, options.merges), (deletes, options.deletes)):
        with tempfile.TemporaryDirectory(prefix="branches-") as folder:
            asyncio.run(work(Path(folder), size))


if __name__ == "__main__":
    main()
