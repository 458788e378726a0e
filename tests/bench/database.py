# SPDX-License-Identifier: Apache-2.0
"""What the metadata database costs on its own: guarded one-row writes, rows in bulk, lookups, scans.

    python -m tests.bench.database [--postgres [URL]] [FOLDER]

Prints each rate, its ratio to the budget corrected by the calibration, and CPU per operation (of this process). With
`--postgres`, the same rows on PostgreSQL, but for the server's own CPU: on the server at URL, an empty database, or on
one that is started for it, which waits for the disk as servers do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from lakehouse.core.errors import LostRace
from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.db.statement import Lock, Scope, Statement
from tests.bench.calibration import calibrate, table
from tests.postgres import cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.db.port import Database

VALUE = os.urandom(120)
LINK = (
    "insert into staged (token, path, value) select staging_token, ?, ? from refs where id = ? and epoch = ?"
    " on conflict (token, path) do update set value = excluded.value"
)
POINT = "select staging_token, version, epoch from refs where repository = ? and name = ?"


async def _branch(database: Database) -> int:
    rows = await database.apply(
        Statement(
            "insert into refs (repository, name, kind, commit_id, staging_token, created, updated)"
            " values (1, 'main', 0, '', 7, 0, 0) returning id"
        )
    )
    return int(rows[0][0][0])


async def _timed(name: str, count: int, work: Callable[[], Awaitable[object]], *, budget: float | None = None) -> None:
    cpu, start = time.process_time(), time.perf_counter()
    await work()
    wall, used = time.perf_counter() - start, time.process_time() - cpu
    rate = count / wall
    against = "" if budget is None else f"  {rate / budget:5.2f} x the aim"
    print(f"{name:<42} {rate:>12,.0f}/s  {used / count * 1e6:8.1f} us CPU{against}")


async def _links(database: Database, branch: int, *, tasks: int, count: int, start: int) -> None:
    locks = (Lock(Scope.BRANCH, branch),)

    async def client(number: int) -> None:
        for n in range(count // tasks):
            path = b"data/%06d/%08d" % (number * 7919 % 1_000_003, start + n)
            await database.apply(Statement(LINK, (path, VALUE, branch, 0), rows=1, otherwise=LostRace(), locks=locks))

    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(client(number))


async def _bulk(database: Database, *, batches: int, rows: int) -> None:
    insert = "insert into staged (token, path, value) values (?, ?, ?) on conflict (token, path) do nothing"
    for batch in range(batches):
        many = tuple((9, b"data/%012d" % (batch * rows + n), VALUE) for n in range(rows))
        await database.apply(Statement(insert, many=many, rows=rows))


async def _points(database: Database, count: int) -> None:
    for _ in range(count):
        await database.one(POINT, (1, "main"))


async def _scan(database: Database, size: int) -> None:
    sql = "select path, value from staged where token = 9 and path > ? order by path limit ?"
    async for _ in database.pages(sql, (b"",), size=size):
        pass


async def bench(folder: Path, database: Database, *, part: float = 1) -> None:
    """All rows, with `part` of the usual counts."""
    calibration = calibrate(folder)
    print(table(calibration), "\n")
    small, large = calibration.corrected(1, bound="transactions"), calibration.corrected(1, bound="rows")
    await database.migrate()
    branch = await _branch(database)
    for tasks, full, budget in ((1, 2_000, 5_000), (16, 30_000, 24_000), (64, 60_000, 40_000)):
        count = int(full * part)
        await _timed(
            f"guarded one-row write, {tasks} tasks",
            count,
            lambda tasks=tasks, count=count: _links(database, branch, tasks=tasks, count=count, start=tasks * 10**6),
            budget=budget * small,
        )
    await _timed(
        "rows, 1,000 a transaction", 100_000, lambda: _bulk(database, batches=100, rows=1000), budget=80_000 * large
    )
    count = int(50_000 * part)
    await _timed("lookup by key", count, lambda: _points(database, count), budget=1e6 / 6.9)
    await _timed("rows of a scan, pages of 1,000", 100_000, lambda: _scan(database, 1000))
    await database.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description="What the metadata database costs on its own.")
    arguments.add_argument("--postgres", nargs="?", const="", metavar="URL", help="PostgreSQL in place of SQLite")
    arguments.add_argument("folder", nargs="?", help="where to write")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        if given.postgres is None:
            uvloop.run(bench(folder, SqliteDatabase(folder / "bench.db")))
        elif given.postgres:
            uvloop.run(bench(folder, PostgresDatabase(given.postgres), part=0.2))
        else:
            with cluster(folder, durable=True) as server:
                uvloop.run(bench(folder, PostgresDatabase(server.new_database()), part=0.2))


if __name__ == "__main__":
    main()
