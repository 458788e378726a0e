# SPDX-License-Identifier: Apache-2.0
"""A process that puts, replaces, deletes and compacts small objects until it is killed, and says what it was told.

Its keys begin with the name that it is given. Of each key it does one thing at a time: `begin` is said before, with the
digest of the new bytes or `-` for a delete, and `done` after the store has answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from pathlib import Path

from lakehouse.objects import local_compact, segments
from lakehouse.objects.local import open_local_store
from lakehouse.objects.port import Location, Small

segments.SEGMENT = 40_000
local_compact.PAGE_BYTES = 5000
local_compact.LONGEST_PAUSE = 0.001
BUCKET = "lake.local"


def say(word: str, key: str, body: bytes | None) -> None:
    sys.stdout.write(f"{word} {key} {'-' if body is None else hashlib.md5(body).hexdigest()}\n")
    sys.stdout.flush()


async def client(store, name: str) -> None:
    chance = random.Random(os.urandom(8))
    while True:
        key = f"{name}/{chance.randrange(12)}"
        body = os.urandom(chance.choice((10, 500, 4096, 9000)))
        if chance.random() < 0.3:
            say("begin", key, None)
            await store.delete([Location(BUCKET, key)])
            say("done", key, None)
        else:
            say("begin", key, body)
            await store.put(Location(BUCKET, key), body)
            say("done", key, body)


async def batches(store, name: str) -> None:
    while True:
        bodies = {f"{name}/{number}": os.urandom(3000) for number in range(5)}
        for key, body in bodies.items():
            say("begin", key, body)
        made = [Small(Location(BUCKET, key), body, hashlib.md5(body).hexdigest()) for key, body in bodies.items()]
        await store.put_batch(made)
        for key, body in bodies.items():
            say("done", key, body)


async def compact(store) -> None:
    while True:
        await store.compact()
        await asyncio.sleep(0.005)


async def main(folder: Path, name: str) -> None:
    store = await open_local_store(folder)
    await asyncio.gather(
        *(client(store, f"{name}{number}") for number in range(3)), batches(store, f"{name}b"), compact(store)
    )


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
