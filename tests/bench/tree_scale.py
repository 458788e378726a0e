# SPDX-License-Identifier: Apache-2.0
"""How the cost of trees grows with their size: from ten thousand to ten million entries, in the embedded store.

    python tests/bench/tree_scale.py [LARGEST]

Prints the table of docs/explanation/trees-performance.md. Ten million take some minutes and 1 GB of disk.
"""

from __future__ import annotations

import asyncio
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from tree import changes, count_of, entry

from lakehouse.core.ids import RepositoryId
from lakehouse.objects.local import open_local_store
from lakehouse.tree.apply import apply
from lakehouse.tree.build import build
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup, scan
from lakehouse.tree.merge import Trees, merge
from lakehouse.tree.stats import count
from lakehouse.tree.store import NodeStore

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MEMORY = 64 << 20
"""The cache's budget, as a server has it."""
FOLDER = 1000
ROUNDS = 5


def key(number: int) -> bytes:
    return b"tables/part=%05d/file-%08d.parquet" % (number // FOLDER, number)


async def content(number: int, values: list[bytes]):
    for at in range(0, number, 1000):
        page = range(at, min(at + 1000, number))
        yield [key(one) for one in page], [values[one % len(values)] for one in page]


def memory() -> float:
    """Most memory that this process ever had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Cost:
    """Least CPU and wall time of several rounds, in milliseconds."""

    def __init__(self) -> None:
        self.cpu = self.wall = float("inf")

    async def of(self, run, *, rounds: int = ROUNDS, times: int = 1) -> Cost:
        for _ in range(rounds):
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(times):
                await run()
            self.cpu = min(self.cpu, (time.process_time() - cpu) / times * 1000)
            self.wall = min(self.wall, (time.perf_counter() - wall) / times * 1000)
        return self

    def __str__(self) -> str:
        return f"{self.cpu:.3g} / {self.wall:.3g}"


async def measured(folder: Path, number: int, values: list[bytes]) -> dict[str, str]:
    objects = await open_local_store(folder)

    def store(budget: int = MEMORY) -> NodeStore:
        return NodeStore(objects, NodeCache(budget), repository=RepositoryId(1), bucket="b", prefix="r/")

    rows: dict[str, str] = {"entries": f"{number:,}"}
    roots = []

    async def built() -> None:
        roots.append(await build(store(), content(number, values)))

    cost = await Cost().of(built, rounds=1)
    rows["bulk build, s"] = f"{cost.cpu / 1000:.3g} / {cost.wall / 1000:.3g}"
    root, warm = roots[0], store()
    everywhere = lambda: key(random.randrange(number))  # noqa: E731
    part = random.randrange(number // FOLDER) * FOLDER
    inside = lambda: key(part + random.randrange(FOLDER))  # noqa: E731

    async def look(where: NodeStore) -> None:
        assert await lookup(where, root, everywhere())

    rows["levels"] = str((await warm.read(root)).level + 1)
    rows["lookup, nothing in memory"] = str(await Cost().of(lambda: look(store()), times=20))
    await look(warm)
    rows["lookup"] = str(await Cost().of(lambda: look(warm), times=200))
    rows["list 1,000"] = str(await Cost().of(lambda: scan(warm, root, start=everywhere(), limit=1000), times=20))
    rows["count of a prefix"] = str(await Cost().of(lambda: count(warm, root, everywhere()[:15]), times=50))
    rows["commit of 1 change"] = str(await Cost().of(lambda: apply(warm, root, changes({everywhere(): entry(0)}))))
    for place, one in (("in one folder", inside), ("anywhere", everywhere)):
        ours = (await apply(warm, root, changes({one() + b"+": entry(1) for _ in range(500)}))).root
        theirs = (await apply(warm, root, changes({one() + b"-": entry(2) for _ in range(200)}))).root
        rows[f"diff of 500, {place}"] = str(await Cost().of(lambda: count_of(diff(warm, root, ours))))  # noqa: B023
        few = (await apply(warm, root, changes({one() + b"+": entry(1) for _ in range(20)}))).root
        for name, there in (("", root), (" into 20 others", few), (" into 500 others", ours)):
            trees = Trees(root, there, theirs)
            rows[f"merge of 200{name}, {place}"] = str(await Cost().of(lambda: merge(warm, trees)))  # noqa: B023
    rows["most memory so far, MiB"] = f"{memory():.0f}"
    await objects.close()
    return rows


async def main() -> None:
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1]
    random.seed(1)
    values = [entry(number) for number in range(100_000)]
    columns = []
    for number in [size for size in SIZES if size <= largest]:
        with tempfile.TemporaryDirectory() as folder:
            columns.append(await measured(Path(folder), number, values))
    for name in columns[0]:
        print("| " + " | ".join([name, *[column[name] for column in columns]]) + " |")


if __name__ == "__main__":
    asyncio.run(main())
