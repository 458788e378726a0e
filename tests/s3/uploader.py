# SPDX-License-Identifier: Apache-2.0
"""A process that uploads into a local store until it is killed, and says which objects were acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys

from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location


async def client(store, name: str, size: int) -> None:
    number = 0
    while True:
        data = os.urandom(size)
        key = f"{name}/{number % 7}" if number % 2 else f"{name}/n{number}"
        sys.stdout.write(f"begin {key} {hashlib.md5(data).hexdigest()}\n")
        await store.put(Location("lake.local", key), data if size < 100_000 else pieces(data), size=size)
        sys.stdout.write(f"done {key} {hashlib.md5(data).hexdigest()}\n")
        sys.stdout.flush()
        number += 1


async def pieces(data: bytes):
    for start in range(0, len(data), 65_536):
        yield data[start : start + 65_536]


async def main() -> None:
    store = await open_local_store(sys.argv[1])
    await asyncio.gather(*(client(store, f"c{n}", size) for n, size in enumerate((10, 4096, 4096, 700_000, 3_000_000))))


asyncio.run(main())
