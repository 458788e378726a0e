# SPDX-License-Identifier: Apache-2.0
"""What an operation costs in a repository of 10,000 objects, and in one of 10 million: the curve must be flat.

    python -m tests.bench.scaling                        10,000, 100,000, 1 million and 10 million objects
    python -m tests.bench.scaling --sizes 10000 --json   one size, as a line of JSON

Each size has a process of its own, with the embedded store and database on disk. The repository is made by bulk build:
a tree of entries without data, written to the store and committed by its id. Each operation then runs on the engine, as
the server runs it, on places spread over the whole repository. Printed are the wall time and the CPU time of one
operation (medians), the nodes of trees that it reads from disk when nothing is cached and those that it writes, and
the most memory that the process ever had.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.paths import parse_path
from lakehouse.core.records import AddressKind, Entry
from lakehouse.core.signing import Signer
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.format.entry import pack
from lakehouse.objects.local import open_local_store
from lakehouse.tree.build import build
from lakehouse.tree.cache import NodeCache
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, merge
from lakehouse.versioning.history import diff
from lakehouse.versioning.lake import Actor, Lake
from lakehouse.versioning.objects import batches, listing, objects, staging
from lakehouse.versioning.refs import branches, tags
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.staged import usage
from lakehouse.versioning.state.stores import Store, Stores
from tests.lakes import by_column

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
FOLDER = 10_000
"""Objects under one prefix."""
CACHE = 64 << 20
"""Memory for tree nodes, in bytes: the server's default."""
ROUNDS = 15
REPO = "scaling"
ANN = Actor(committer="ann@example.org", name="ann")


class Cost(msgspec.Struct):
    """One operation: milliseconds, and nodes of a cold cache."""

    name: str
    wall: float
    cpu: float
    reads: int
    writes: int


class Report(msgspec.Struct):
    """A repository of `objects`: seconds of its making, MiB of memory at most, and the costs."""

    objects: int
    build_wall: float
    build_cpu: float
    memory: float
    costs: list[Cost] = []


class Counted:
    """An ObjectStore that counts what trees read and write."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.reads = self.writes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get(self, location: Any, *args: Any) -> Any:
        self.reads += "/nodes/" in location.key
        return await self._store.get(location, *args)

    async def put(self, location: Any, *args: Any, **options: Any) -> Any:
        self.writes += "/nodes/" in location.key
        return await self._store.put(location, *args, **options)


def path_of(number: int) -> bytes:
    return b"tables/folder=%05d/part-%08d.parquet" % (number // FOLDER, number)


def entry_of(number: int, salt: str = "") -> bytes:
    """An entry as an upload leaves it: nothing about it can be compressed."""
    digest = hashlib.sha256(f"{number}{salt}".encode()).hexdigest()
    return pack(
        Entry(f"data/{digest[:26]}", AddressKind.RELATIVE, number % 9973 * 1000, digest[32:], 1_763_700_000 + number)
    )


async def columns(size: int) -> AsyncIterator[tuple[list[bytes], list[bytes]]]:
    """All entries of the repository, in order."""
    for start in range(0, size, 1000):
        numbers = range(start, min(start + 1000, size))
        yield [path_of(number) for number in numbers], [entry_of(number) for number in numbers]


class Bench:
    """A repository of `size` objects on disk, and the operations on it."""

    def __init__(self, lake: Lake, counted: Counted, size: int) -> None:
        self._lake = lake
        self._counted = counted
        self._size = size
        self._chosen = random.Random(size)
        self._serial = 0
        self.report = Report(size, 0, 0, 0)

    async def run(self, rounds: int) -> None:
        """Make the repository, then measure each operation."""
        wall, cpu = time.perf_counter(), time.process_time()
        await fill(self._lake, self._size)
        self.report.build_wall, self.report.build_cpu = time.perf_counter() - wall, time.process_time() - cpu
        await self._measure("stat", rounds, self._nothing, self._stat)
        await self._measure("list 100 of a prefix", rounds, self._nothing, self._list)
        await self._measure("list prefixes (delimiter)", rounds, self._nothing, self._roll_up)
        await self._measure("count a prefix", rounds, self._nothing, self._count)
        await self._measure("create a branch", rounds, self._nothing, self._branch)
        await self._measure("create a tag", rounds, self._nothing, self._tag)
        await self._measure("commit 1 change", rounds, self._one_change, self._commit)
        await self._measure("diff of 500 changes in a folder", rounds, self._two_commits_near, self._diff)
        await self._measure("diff of 500 changes anywhere", rounds, self._two_commits_far, self._diff)
        await self._measure("merge of 1 change", rounds, self._two_branches_by_one, self._merge)
        await self._measure("merge of 200 changes in a folder", rounds, self._two_branches_near, self._merge)
        await self._measure("merge of 200 changes anywhere", rounds, self._two_branches_far, self._merge)
        self.report.memory = memory_mib()

    async def _measure(
        self, name: str, rounds: int, prepare: Callable[[], Awaitable[Any]], work: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Run it `rounds` times with what happens to be cached, then once with nothing."""
        walls, cpus = [], []
        for number in range(rounds + 1):
            given = await prepare()
            await self._lake.background.drain()
            if number == rounds:
                self._lake.nodes.clear()
            self._counted.reads = self._counted.writes = 0
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            await work(given)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        costs = (1000 * median(walls[:rounds]), 1000 * median(cpus[:rounds]))
        self.report.costs.append(Cost(name, *costs, self._counted.reads, self._counted.writes))

    def _some(self, count: int) -> list[int]:
        """Different places, anywhere."""
        return sorted(self._chosen.sample(range(self._size), count))

    def _near(self, count: int) -> list[int]:
        """Different places in one folder."""
        start = self._chosen.randrange(max(1, self._size // FOLDER)) * FOLDER
        return sorted(self._chosen.sample(range(start, min(start + FOLDER, self._size)), count))

    async def _change(self, branch: str, numbers: Sequence[int]) -> None:
        """Stage another object at each of these places."""
        self._serial += 1
        batch = await batches.open_batch(self._lake, REPO, branch, atomic=False)
        paths = [parse_path(path_of(number).decode()) for number in numbers]
        found = await staging.get_physical_addresses(self._lake, REPO, branch, paths)
        where = [one async for page in found for _, one in page]
        links = [
            staging.Link(path=path, physical_address=at.physical_address, checksum=f"{self._serial:032x}", size=1)
            for path, at in zip(paths, where, strict=True)
        ]
        assert not any(await batch.add(by_column(links)))

    async def _changed_branch(self, name: str, numbers: Sequence[int]) -> str:
        await branches.create_branch(self._lake, REPO, name, source="main", actor=ANN)
        await self._change(name, numbers)
        made = await commit.commit(self._lake, REPO, name, commit.CommitRequest(name), ANN)
        return made.id

    # -- what is there before ------------------------------------------------------------------------------------------

    async def _nothing(self) -> None:
        return None

    async def _one_change(self) -> None:
        await self._change("main", self._some(1))

    async def _two_commits_near(self) -> tuple[str, str]:
        return await self._two_commits(self._near(500))

    async def _two_commits_far(self) -> tuple[str, str]:
        return await self._two_commits(self._some(500))

    async def _two_commits(self, numbers: Sequence[int]) -> tuple[str, str]:
        self._serial += 1
        _, head = await resolve.commit(self._lake, REPO, "main")
        return head.id, await self._changed_branch(f"d{self._serial}", numbers)

    async def _two_branches_by_one(self) -> tuple[str, str]:
        return await self._parted(self._some(2))

    async def _two_branches_near(self) -> tuple[str, str]:
        return await self._parted(self._near(400))

    async def _two_branches_far(self) -> tuple[str, str]:
        return await self._parted(self._some(400))

    async def _parted(self, numbers: Sequence[int]) -> tuple[str, str]:
        """A source, and a destination that has moved on, with as many changes to other objects."""
        self._serial += 1
        theirs, ours = f"t{self._serial}", f"o{self._serial}"
        await self._changed_branch(theirs, numbers[::2])
        await self._changed_branch(ours, numbers[1::2])
        return theirs, ours

    # -- what is measured ----------------------------------------------------------------------------------------------

    async def _stat(self, _: None) -> None:
        await objects.stat_object(self._lake, REPO, "main", parse_path(path_of(self._some(1)[0]).decode()))

    async def _list(self, _: None) -> None:
        start = path_of(self._some(1)[0])
        prefix = start[: start.rindex(b"/") + 1]
        query = listing.Query(prefix=prefix, after=start, amount=100)
        await listing.list_objects(self._lake, REPO, "main", query)

    async def _roll_up(self, _: None) -> None:
        query = listing.Query(prefix=b"tables/", delimiter=b"/", amount=100)
        await listing.list_objects(self._lake, REPO, "main", query)

    async def _count(self, _: None) -> None:
        start = path_of(self._some(1)[0])
        found = await usage.get_prefix_usage(self._lake, REPO, "main", start[: start.rindex(b"/") + 1])
        assert found.objects == min(FOLDER, self._size)

    async def _branch(self, _: None) -> None:
        self._serial += 1
        await branches.create_branch(self._lake, REPO, f"b{self._serial}", source="main", actor=ANN)

    async def _tag(self, _: None) -> None:
        self._serial += 1
        await tags.create_tag(self._lake, REPO, f"v{self._serial}", ref="main")

    async def _commit(self, _: None) -> None:
        await commit.commit(self._lake, REPO, "main", commit.CommitRequest("one"), ANN)

    async def _diff(self, refs: tuple[str, str]) -> None:
        page = await diff.diff_refs(self._lake, REPO, *refs, listing.Query(amount=1000), two_dot=True)
        assert len(page.items) == 500

    async def _merge(self, refs: tuple[str, str]) -> None:
        await merge.merge_into_branch(self._lake, REPO, *refs, merge.MergeRequest(), ANN)


def memory_mib() -> float:
    """The most memory that this process ever had."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024


@asynccontextmanager
async def lake_in(folder: Path) -> AsyncIterator[tuple[Lake, Counted]]:
    """A lake with its database and store on disk, as the server has it, and what counts its nodes."""
    db = SqliteDatabase(folder / "metadata.sqlite")
    await db.migrate()
    counted = Counted(await open_local_store(folder / "objects"))
    lake = Lake(
        db=db,
        stores=Stores((Store(id="", objects=counted, description=counted.describe(), presigner=None),)),
        nodes=NodeCache(CACHE),
        addresses=Signer({"a001": b"k" * 32}),
        tokens=Signer({"t001": b"t" * 32}),
    )
    yield lake, counted
    await lake.background.drain()
    await lake.stores.close()
    await db.close()


async def fill(lake: Lake, size: int) -> None:
    """A repository of `size` objects on branch main, by bulk build."""
    repository = await create_repository(lake, RepositoryRequest(name=REPO))
    root = await build(lake.tree(repository), columns(size))
    await commit.commit(lake, REPO, "main", commit.CommitRequest("all", source_metarange=root), ANN)


async def measured(size: int, folder: Path, rounds: int) -> Report:
    """Make a repository of `size` objects in `folder` and measure."""
    async with lake_in(folder) as (lake, counted):
        bench = Bench(lake, counted, size)
        await bench.run(rounds)
    return bench.report


def report_of(size: int, *, rounds: int) -> Report:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.scaling", "--sizes", str(size), "--rounds", str(rounds), "--json"]
    return msgspec.json.decode(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout, type=Report)


def table(reports: list[Report]) -> str:
    """One line for each operation, one column for each size."""
    head = "".join(f"{report.objects:>32,}" for report in reports)
    lines = [f"{'objects':33}{head}", f"{'':33}" + f"{'wall ms  CPU ms  reads  writes':>32}" * len(reports)]
    for row in zip(*(report.costs for report in reports), strict=True):
        cells = "".join(f"{one.wall:>9.2f}{one.cpu:>8.2f}{one.reads:>7}{one.writes:>8}" for one in row)
        lines.append(f"{row[0].name:33}{cells}")
    for name, values in (
        ("bulk build, s wall", [report.build_wall for report in reports]),
        ("bulk build, s CPU", [report.build_cpu for report in reports]),
        ("most memory, MiB", [report.memory for report in reports]),
    ):
        lines.append(f"{name:33}" + "".join(f"{value:>32.1f}" for value in values))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="the report of one size, for other programs")
    options = parser.parse_args()
    if options.json:
        with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
            report = asyncio.run(measured(options.sizes[0], Path(folder), options.rounds))
        print(msgspec.json.encode(report).decode())
        return
    reports = []
    for size in options.sizes:
        reports.append(report_of(size, rounds=options.rounds))
        print(f"{size:,} objects: done", file=sys.stderr)
    print(table(reports))


if __name__ == "__main__":
    main()
