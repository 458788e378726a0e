# SPDX-License-Identifier: Apache-2.0
"""Dump and restore of many commits and branches: rate, and peak memory.

    python tests/bench/dump.py [COMMITS]

One of a thousand commits has a branch. Objects are in the embedded store, on disk.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.core.clock import random_token
from lakehouse.core.ids import EMPTY_TREE, StagingToken
from lakehouse.meta import commits, refs
from lakehouse.objects.local import open_local_store
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.work.dump import dump_refs
from lakehouse.versioning.work.restore import RestoreRequest, restore_refs
from tests.lakes import ANN, Hands, open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMITS = 1_000_000
PAGE = 1000


def resident() -> int:
    """Memory of this process's own, in MiB: without the pages of files that are mapped, which the system may take."""
    total, shared = map(int, Path("/proc/self/statm").read_text().split()[1:3])
    return (total - shared) * os.sysconf("SC_PAGE_SIZE") >> 20


@contextmanager
def own_memory() -> Iterator[list[int]]:
    """What `resident` says, now and every hundredth of a second within the block."""
    found, ended = [resident()], threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            found.append(resident())

    thread = threading.Thread(target=look, name="memory")
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


async def fill(lake, name: str, count: int) -> None:
    """A line of commits, each with a message and some metadata; a branch at each thousandth."""
    repo, main = await resolve.branch(lake, name, "main")
    head = await resolve.get_commit(lake, repo, main.commit_id)
    for start in range(0, count, PAGE):
        statements = []
        for number in range(start, min(start + PAGE, count)):
            metadata = {"job": str(number), "table": "sales"}
            head = make(
                parents=(head,), root=EMPTY_TREE, committer="bench", message=f"commit {number}",
                created=lake.now + number, metadata=metadata,
            )  # fmt: skip
            statements.append(commits.insert(repo.id, head, b"\x00" * 25))
        token = StagingToken(random_token())
        branch = refs.insert_branch(repo.id, f"b{start:09}", commit_id=head.id, token=token, hidden=False, now=lake.now)
        await lake.db.apply(*statements, branch)


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = Hands()
        store = await open_local_store(Path(folder) / "objects", clock=clock)
        lake = await open_lake(Path(folder) / "metadata.sqlite", objects=store, clock=clock)
        await create_repository(lake, RepositoryRequest(name="lake"))
        await fill(lake, "lake", count)
        begun = time.perf_counter()
        with own_memory() as own:
            dumped = await dump_refs(lake, "lake")
        seconds = time.perf_counter() - begun
        print(f"dump    {count:>9,} commits  {count / seconds:>9,.0f}/s  peak memory {max(own)} MiB, {own[0]} before")
        namespace = lake.place(await resolve.repository(lake, "lake")).uri
        await create_repository(lake, RepositoryRequest(name="again", bare=True, storage_namespace=namespace))
        begun = time.perf_counter()
        with own_memory() as own:
            await restore_refs(lake, "again", RestoreRequest(dumped), ANN)
        seconds = time.perf_counter() - begun
        print(f"restore {count:>9,} commits  {count / seconds:>9,.0f}/s  peak memory {max(own)} MiB, {own[0]} before")
        await lake.background.drain()
        await lake.db.close()
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else COMMITS))
