# SPDX-License-Identifier: Apache-2.0
"""Cost of the history of a path and of blame, over many commits: wall and CPU time of the engine.

    python -m tests.bench.history [commits] [--postgres]

Each commit changes one of 1,000 objects, chosen at random; every twentieth comes by a merge. "cold": no node in memory;
nodes are in a store in memory, so that this is the cost of database, algorithms and formats.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from lakehouse.format.entry import pack
from lakehouse.meta import staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, merge
from lakehouse.versioning.history import history, log
from lakehouse.versioning.objects import listing
from lakehouse.versioning.refs import branches
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, Hands, open_lake
from tests.postgres import cluster

OBJECTS = 1000
MUST, AIM = 0.5, 0.05


def path_of(number: int) -> bytes:
    return b"tables/t%02d/part-%05d.parquet" % (number % 20, number)


async def put(lake, branch: str, number: int, turn: int) -> None:
    from lakehouse.core.records import AddressKind, Entry

    _, found = await resolve.branch(lake, "lakes", branch)
    entry = Entry(f"data/{turn}", AddressKind.RELATIVE, turn, f"sum-{turn}", turn)
    await lake.db.apply(staging.put(found.id, path_of(number), pack(entry)))


async def grow(lake, clock: Hands, commits: int) -> None:
    chance = random.Random(1)
    await create_repository(lake, RepositoryRequest(name="lakes"))
    for number in range(OBJECTS):
        await put(lake, "main", number, 0)
    await commit.commit(lake, "lakes", "main", commit.CommitRequest("all"), ANN)
    made = 1
    while made < commits:
        clock.now += 1
        branch = f"side-{made}" if made % 20 == 0 else "main"
        if branch != "main":
            await branches.create_branch(lake, "lakes", branch, source="main", actor=ANN)
        await put(lake, branch, chance.randrange(1, OBJECTS), made)
        await commit.commit(lake, "lakes", branch, commit.CommitRequest(f"c{made}"), ANN)
        made += 1
        if branch != "main":
            await merge.merge_into_branch(lake, "lakes", branch, "main", merge.MergeRequest(), ANN)
            await branches.delete_branch(lake, "lakes", branch)
            made += 1
    await lake.background.drain()


@contextmanager
def timed(name: str):
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    verdict = "aim" if wall <= AIM else "must" if wall <= MUST else "MISSED"
    print(f"{name:56s} {wall * 1e3:9.1f} ms {cpu * 1e3:9.1f} ms CPU   {verdict}", flush=True)


async def measure(lake) -> None:
    often, never = path_of(7), path_of(0)

    async def changes(path: bytes, amount: int) -> int:
        _, page = await history.log_path(lake, "lakes", "main", path, after="", amount=amount)
        return len(page.items)

    for warmth in ("cold", "warm"):
        for name, path in (("changed now and then", often), ("changed once, in the first commit", never)):
            if warmth == "cold":
                lake.nodes.clear()
            with timed(f"{warmth}: all of a path {name}"):
                found = await changes(path, 1000)
            assert found > 0
    with timed("warm: log of commits by object"):
        await log.log_commits(lake, "lakes", "main", log.LogQuery(objects=[often], amount=1000))
    lake.nodes.clear()
    for name, prefix, amount in (("folder of 50", b"tables/t07/", 100), ("100 objects", b"tables/", 100)):
        with timed(f"cold: blame of {name}"):
            await history.blame_prefix(lake, "lakes", "main", listing.Query(prefix=prefix, amount=amount))
    with timed("warm: blame of 20 folders"):
        await history.blame_prefix(lake, "lakes", "main", listing.Query(prefix=b"tables/", delimiter=b"/"))


async def run(commits: int, where) -> None:
    clock = Hands()
    lake = await open_lake(where, clock=clock)
    started = time.perf_counter()
    await grow(lake, clock, commits)
    print(f"{commits} commits in {time.perf_counter() - started:.1f} s", flush=True)
    await measure(lake)
    await lake.db.close()


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:] if text.isdigit()]
    with tempfile.TemporaryDirectory() as folder:
        if "--postgres" in sys.argv:
            with cluster(Path(folder)) as running:
                asyncio.run(run(*(numbers or [10_000]), running.new_schema()))
        else:
            asyncio.run(run(*(numbers or [10_000]), Path(folder) / "metadata.sqlite"))


if __name__ == "__main__":
    main()
