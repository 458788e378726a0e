# SPDX-License-Identifier: Apache-2.0
"""Cost of the embedded object store: wall time and CPU of each operation.

    python tests/bench/objects.py [folder]

The folder must be on the disk that is to be measured; it is made and removed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lakehouse.objects.local import LocalStore, open_local_store
from lakehouse.objects.port import Location

BUCKET = "lake.local"
SMALL = os.urandom(4096)
LARGE = 64 * 1024 * 1024


async def at_once(clients: int, operations: int, work) -> None:
    """Run `work(number)` for `operations` numbers, `clients` at a time."""
    numbers = iter(range(operations))

    async def client() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


async def measure(name: str, clients: int, operations: int, work, *, size: int = 0) -> None:
    """Print the best of three runs."""
    best = (float("inf"), 0.0)
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        await at_once(clients, operations, work)
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = (value / operations * 1000 for value in best)
    speed = f"{size / wall / 1e6:8.2f} GB/s" if size else f"{1000 / wall:8.0f}/s"
    print(f"{name:28} {clients:3} clients {speed}  {wall:8.3f} ms wall  {cpu:8.3f} ms CPU")


async def run(store: LocalStore) -> None:
    large = [SMALL * 64] * (LARGE // (4096 * 64))

    async def put(number: int) -> None:
        await store.put(Location(BUCKET, f"small/{number}-{os.urandom(8).hex()}"), SMALL)

    async def get(number: int) -> None:
        await (await store.get(Location(BUCKET, f"fixed/{number % 256}"))).read()

    async def body():
        for chunk in large:
            yield chunk

    async def put_large(number: int) -> None:
        await store.put(Location(BUCKET, f"large/{number}"), body(), size=LARGE)

    async def get_large(number: int) -> None:
        reader = await store.get(Location(BUCKET, f"large/{number % 4}"))
        async for _ in reader.body:
            pass

    async def page(_: int) -> None:
        await store.list(BUCKET, prefix="small/", limit=1000)

    for number in range(256):
        await store.put(Location(BUCKET, f"fixed/{number}"), SMALL)
    for clients in (1, 8, 64):
        await measure("put 4 KiB", clients, 2000, put)
    for clients in (1, 8):
        await measure("get 4 KiB", clients, 5000, get)
    await measure("put 64 MiB", 1, 4, put_large, size=LARGE)
    for clients in (1, 8):
        await measure("get 64 MiB", clients, 16, get_large, size=LARGE)
    await measure("list a page of 1,000", 1, 100, page)


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=sys.argv[1] if len(sys.argv) > 1 else None))
    try:
        store = await open_local_store(folder / "store")
        await run(store)
        await store.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(main())
