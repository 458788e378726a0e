# SPDX-License-Identifier: Apache-2.0
"""The database port on a local SQLite file.

Writes go through the group-committing writer thread; lookups run at once on a read-only connection, because they cost
7 us and any hop to another thread more than three times that (measured). Lookups in tables that are seldom written are
remembered until one of them is (`db.memory`).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import sqlite_utils
from sqlite_utils.migrations import Migrations

from lakehouse.core.errors import DatabaseUnavailable
from lakehouse.db.dialect import SQLITE
from lakehouse.db.memory import Memory, disturbs
from lakehouse.db.migrations import MIGRATIONS
from lakehouse.db.migrations.migration import require_known
from lakehouse.sqlite.generation import Generation
from lakehouse.sqlite.readers import Readers
from lakehouse.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from lakehouse.db.migrations.migration import Migration
    from lakehouse.db.port import Lookup, Row
    from lakehouse.db.statement import Scalar, Statement
    from lakehouse.telemetry.transactions import Transactions

T = TypeVar("T")

SCANNERS = 2
"""Threads for scans."""
BULK = 300
"""Values above which a transaction is bulk: some hundred rows."""
BULK_BYTES = 4096
"""Bytes of a value that make it bulk as well: a page of rows."""


class SqliteDatabase:
    """The metadata database in the file at `path`.

    `inline_reads=False` moves lookups off the event loop as well, for disks where a page that is not cached is slow.
    """

    def __init__(self, path: Path, *, inline_reads: bool = True, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Open or make the file. Raises StartupError."""
        self._migrations = migrations
        self._inline = inline_reads
        self._generation = Generation(path)
        try:
            self._writer = Writer(path, generation=self._generation)
        except BaseException:
            self._generation.close()
            raise
        self._readers = Readers(path)
        self._memory = Memory(self._generation)
        self._scanners = ThreadPoolExecutor(SCANNERS, thread_name_prefix="sqlite scan")

    async def one(self, sql: str, params: Sequence[Scalar] = ()) -> Row | None:
        if self._inline:
            return self._memory.one(self._readers.one, sql, params)
        return await self._scan(self._readers.one, sql, params)

    async def one_of_both(
        self, both: str, params: Sequence[Scalar], *, seldom: Lookup, often: Callable[[Row], Lookup]
    ) -> Row | None:
        if not self._inline:
            return await self._scan(self._readers.one, both, params)
        return self._memory.both(self._readers.one, (both, params), seldom, often)

    async def all(self, sql: str, params: Sequence[Scalar] = ()) -> list[Row]:
        if self._inline:
            return self._readers.all(sql, params)
        return await self._scan(self._readers.all, sql, params)

    async def pages(self, sql: str, params: Sequence[Scalar], *, size: int, keys: int = 1) -> AsyncIterator[list[Row]]:
        fixed, after = tuple(params[:-keys]), tuple(params[-keys:])
        while True:
            page = await self._scan(self._readers.all, sql, (*fixed, *after, size))
            if page:
                yield page
            if len(page) < size:
                return
            after = page[-1][:keys]

    async def apply(self, *statements: Statement) -> list[list[Row]]:
        alone = len(statements) == 1 and statements[0].many is None
        return await self._writer.run(
            partial(_apply, statements),
            savepoint=not alone,
            quiet=not disturbs(statements),
            bulk=any(map(_is_bulk, statements)),
        )

    async def migrate(self) -> int:
        return await self._writer.run(partial(_migrate, self._migrations))

    @property
    def transactions(self) -> Transactions:
        """As Watched."""
        return self._writer.transactions

    @property
    def waiting(self) -> int:
        """As Watched."""
        return self._writer.waiting

    async def close(self) -> None:
        self._inline = False  # from here on lookups wait in line with the scans, and hear that it is closed
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._scanners.shutdown()
        self._readers.close()
        self._writer.close()
        self._generation.close()

    async def _scan(self, read: Callable[[str, Sequence[Scalar]], T], sql: str, params: Sequence[Scalar]) -> T:
        try:
            scan = asyncio.get_running_loop().run_in_executor(self._scanners, read, sql, params)
        except RuntimeError as error:
            raise DatabaseUnavailable("the database is closed") from error
        return await scan


def _is_bulk(statement: Statement) -> bool:
    """Whether a statement stores much."""
    if not statement.many:
        return False
    first = statement.many[0]
    return len(statement.many) * len(first) > BULK or any(
        isinstance(value, bytes) and len(value) > BULK_BYTES for value in first
    )


def _apply(statements: tuple[Statement, ...], connection: sqlite3.Connection) -> list[list[Row]]:
    return [_execute(connection, statement) for statement in statements]


def _execute(connection: sqlite3.Connection, statement: Statement) -> list[Row]:
    """Run one statement; the rows that it returns. Raises its `otherwise`."""
    before = connection.total_changes
    if statement.many is None:
        rows = connection.execute(statement.sql, statement.params).fetchall()
    elif "returning" in statement.sql.lower():
        rows = [row for params in statement.many for row in connection.execute(statement.sql, params).fetchall()]
    else:
        connection.executemany(statement.sql, statement.many)
        rows = []
    changed = len(rows) if statement.sql.startswith("select ") else connection.total_changes - before
    if statement.rows is not None and changed != statement.rows:
        raise _refusal(statement)
    return rows


def _refusal(statement: Statement) -> Exception:
    error = statement.otherwise or DatabaseUnavailable(f"a statement did not change {statement.rows} rows")
    error.__cause__ = error.__context__ = None  # the same value may be raised again and again
    return error.with_traceback(None)


def _migrate(migrations: Sequence[Migration], connection: sqlite3.Connection) -> int:
    steps = Migrations("lakehouse")
    for migration in migrations:
        steps(name=migration.name)(_step(migration))
    database = sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False, strict=True)
    require_known((done.name for done in steps.applied(database)), migrations)
    steps.apply(database)
    return len(migrations)


def _step(migration: Migration) -> Callable[[sqlite_utils.Database], None]:
    def step(database: sqlite_utils.Database) -> None:
        for ddl in migration.ddl:
            database.execute(SQLITE.fill(ddl))

    return step
