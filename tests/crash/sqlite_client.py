# SPDX-License-Identifier: Apache-2.0
"""A process that writes rows and says which were acknowledged; the crash tests start it, and some kill it.

    python sqlite_client.py FILE NAME TASKS COUNT [LIMIT]

Prints "ready", waits for a line on its input, then writes pairs of rows from TASKS tasks and prints "+ number" for
each pair that was acknowledged and "- number error" for each that was refused. LIMIT caps the size of files in bytes.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

from lakehouse.core.errors import Unavailable
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.db.statement import Statement

INSERT = "insert into staged (token, path, value) values (?, ?, ?)"
LOG = "insert into users (name, created) values (?, 0)"
"""Ids of users grow with every pair, so they tell the order in which processes wrote."""


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def write(database: SqliteDatabase, name: str, number: int) -> None:
    path = f"{name}/{number:06d}".encode()
    try:
        await database.apply(
            Statement(INSERT, (1, path, os.urandom(300)), rows=1),
            Statement(INSERT, (2, path, b""), rows=1),
            Statement(LOG, (f"{name} {number}",), rows=1),
        )
    except Unavailable as error:
        say(f"- {number} {type(error).__name__}")
    else:
        say(f"+ {number}")


async def main(path: Path, name: str, tasks: int, count: int) -> None:
    database = SqliteDatabase(path)
    await database.migrate()
    say("ready")
    sys.stdin.readline()
    numbers = iter(range(count))

    async def client() -> None:
        for number in numbers:
            await write(database, name, number)

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(client())
    await database.close()


if __name__ == "__main__":
    if len(sys.argv) > 5:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[5]), resource.RLIM_INFINITY))
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
