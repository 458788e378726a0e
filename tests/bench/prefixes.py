# SPDX-License-Identifier: Apache-2.0
"""Cost of counting, copying and moving prefixes: wall and CPU time of the engine, on SQLite and a store in memory.

    python -m tests.bench.prefixes [objects ..]

Half of the objects are under the prefix. Counting must not grow with their number, copying and moving with that of the
objects under the prefix.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import pack
from lakehouse.meta import staging
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import prefixes
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.staged import usage
from tests.lakes import Hands, commit_all, open_lake


async def fill(lake, objects: int) -> None:
    await create_repository(lake, RepositoryRequest(name="lakes"))
    _, main = await resolve.branch(lake, "lakes", "main")
    packed = pack(Entry("data/0123456789abcdef0123456789ab,signature", AddressKind.RELATIVE, 1000, "sum", 1))
    for at in range(0, objects, 10_000):
        rows = [
            (b"%s/part-%09d.parquet" % (b"half" if number % 2 else b"rest", number), packed)
            for number in range(at, min(at + 10_000, objects))
        ]
        await lake.db.apply(*staging.put_many(main.id, rows))
    await commit_all(lake, "lakes", "main")
    await lake.background.drain()


@contextmanager
def timed(name: str, objects: int):
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    each = f"{cpu / objects * 1e6:8.2f} us an object" if objects > 1 else ""
    print(f"{name:40s} {wall * 1e3:10.2f} ms {cpu * 1e3:10.2f} ms CPU {each}", flush=True)


async def run(objects: int, folder: Path) -> None:
    lake = await open_lake(folder / f"{objects}.sqlite", clock=Hands())
    await fill(lake, objects)
    half = objects // 2
    print(f"{objects} objects", flush=True)
    lake.nodes.clear()
    for warmth in ("cold", "warm"):
        with timed(f"{warmth}: count of half of them", 1):
            found = await usage.get_prefix_usage(lake, "lakes", "main", b"half/")
        assert found.objects == half

    def allow(source: bytes, target: bytes) -> None:
        """Nothing is forbidden."""

    with timed("copy", half):
        await prefixes.copy_prefix(lake, "lakes", "main", prefixes.PrefixRequest(b"half/", b"copy/"), allow=allow)
    with timed("move", half):
        await prefixes.move_prefix(lake, "lakes", "main", prefixes.PrefixRequest(b"half/", b"moved/"), allow=allow)
    with timed("commit of both", 3 * half):
        await commit_all(lake, "lakes", "main")
    await lake.background.drain()
    await lake.db.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for objects in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
            asyncio.run(run(objects, Path(folder)))


if __name__ == "__main__":
    main()
