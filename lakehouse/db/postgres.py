# SPDX-License-Identifier: Apache-2.0
"""The database port on PostgreSQL, for several servers on one database.

Transactions run side by side at READ COMMITTED, where a statement sees what was committed before it began. So the
locks that statements name are taken first, each as a statement of its own (taken inside a statement, a lock lets it go
on with the snapshot from before the wait), as advisory locks of the transaction: row locks would starve whoever wants
the branch for itself. Locks, statements and what precedes them travel in one pipeline, their outcome is looked at,
then the transaction is committed. From the moment it is accepted a transaction does not depend on its caller: one that
goes away leaves all of it or nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg
import psycopg_pool
from psycopg import AsyncRawCursor

from lakehouse.core.errors import BadConfiguration, DatabaseUnavailable, OutcomeUnknown, StartupError
from lakehouse.db.dialect import POSTGRES
from lakehouse.db.migrations import MIGRATIONS
from lakehouse.db.migrations.migration import require_known
from lakehouse.db.placeholders import numbered
from lakehouse.db.postgres_errors import given_up, lost, translated
from lakehouse.db.postgres_text import TextLoader, stored
from lakehouse.db.statement import Lock, Statement, locks_of
from lakehouse.telemetry.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.db.migrations.migration import Migration
    from lakehouse.db.port import Lookup, Row
    from lakehouse.db.statement import Scalar

Connection = psycopg.AsyncConnection[Any]
Cursor = psycopg.AsyncCursor[Any]
Run = Callable[[Connection, tuple[Statement, ...]], Awaitable[list[list[tuple[Any, ...]]]]]

TRIES = 5
"""How often a transaction is run that the server gives up, or whose connection turns out to be gone."""
OLDEST = 130_000
"""Oldest version of the server: 13."""
CONNECT_SECONDS = 10
WAIT_SECONDS = 15.0
"""How long a request waits for a free connection."""
STATEMENTS = 300
"""Prepared statements that a connection keeps."""
_MIGRATION_LOCK = 1 << 59
_SESSION = (
    b"select set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on' "
    b"else current_setting('synchronous_commit') end, false), "
    b"set_config('idle_in_transaction_session_timeout', '60s', false), set_config('statement_timeout', '300s', false), "
    b"set_config('jit', 'off', false)"
)
_BEGIN = b"begin isolation level read committed"
_SHARED = b"select pg_advisory_xact_lock_shared($1)"
_EXCLUSIVE = b"select pg_advisory_xact_lock($1)"


class PostgresDatabase:
    """The metadata database at `url` (postgresql://..), with at most `connections` open at once.

    `password` is for a URL that has none. Nothing is opened before the first call.
    """

    def __init__(
        self, url: str, *, password: str = "", connections: int = 16, migrations: Sequence[Migration] = MIGRATIONS
    ) -> None:
        """Raises BadConfiguration when the URL cannot be understood."""
        self._migrations = migrations
        try:
            self._conninfo = psycopg.conninfo.make_conninfo(
                url, **_defaults(psycopg.conninfo.conninfo_to_dict(url), password)
            )
        except psycopg.ProgrammingError as error:
            raise BadConfiguration(
                "database.url: not a URL of the form postgresql://USER@HOST:PORT/DATABASE: "
                f"{str(error).strip().partition(' in URI')[0]}"
            ) from None
        self._options: dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "cursor_factory": AsyncRawCursor}
        self._pool = psycopg_pool.AsyncConnectionPool(
            self._conninfo,
            kwargs=self._options,
            configure=_configure,
            min_size=min(2, connections),
            max_size=connections,
            timeout=WAIT_SECONDS,
            open=False,
            name="metadata",
        )
        self._opened = self._closed = False
        self._running: set[asyncio.Task[list[list[Row]]]] = set()
        self._sql = lru_cache(maxsize=2 * STATEMENTS)(_encoded)
        self.transactions = Transactions()

    # -- reads ---------------------------------------------------------------------------------------------------------

    async def one(self, sql: str, params: Sequence[Scalar] = ()) -> Row | None:
        rows = await self._read(sql, params, most=1)
        return rows[0] if rows else None

    async def one_of_both(
        self, both: str, params: Sequence[Scalar], *, seldom: Lookup, often: Callable[[Row], Lookup]
    ) -> Row | None:
        return await self.one(both, params)

    async def all(self, sql: str, params: Sequence[Scalar] = ()) -> list[Row]:
        return await self._read(sql, params, most=None)

    async def pages(self, sql: str, params: Sequence[Scalar], *, size: int, keys: int = 1) -> AsyncIterator[list[Row]]:
        fixed, after = tuple(params[:-keys]), tuple(params[-keys:])
        while True:
            page = await self._read(sql, (*fixed, *after, size), most=None)
            if page:
                yield page
            if len(page) < size:
                return
            after = page[-1][:keys]

    async def _read(self, sql: str, params: Sequence[Scalar], *, most: int | None) -> list[Row]:
        query = self._sql(sql)
        for tries in range(TRIES):
            connection = await self._connection()
            try:
                cursor = connection.cursor(binary=True)
                await cursor.execute(query, _sent(params))
                return await cursor.fetchall() if most is None else await cursor.fetchmany(most)
            except psycopg.Error as error:
                if (lost(connection) or given_up(error)) and tries < TRIES - 1:
                    await self._after_failure(connection)
                    continue
                _raise(error)
            finally:
                await self._pool.putconn(connection)
        raise DatabaseUnavailable  # pragma: no cover - the last round raises

    # -- writes --------------------------------------------------------------------------------------------------------

    async def apply(self, *statements: Statement) -> list[list[Row]]:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        task = asyncio.get_running_loop().create_task(self._apply(statements))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(_noticed)
        return await asyncio.shield(task)

    async def _apply(self, statements: tuple[Statement, ...]) -> list[list[Row]]:
        """Run the transaction; again if the server gave it up, or step by step if a statement was refused: the one
        before may have had a guard that failed, and then it should not have run at all.
        """
        run, began = self._together, time.monotonic()
        for tries in range(TRIES):
            connection = await self._connection()
            try:
                answers = await self._transaction(connection, statements, run)
            except psycopg.Error as error:
                if tries < TRIES - 1 and (lost(connection) or given_up(error)):
                    await self._after_failure(connection)
                    continue
                if tries < TRIES - 1 and run == self._together and len(statements) > 1:
                    run = self._one_by_one
                    continue
                self.transactions.failed += 1
                _raise(error)
            else:
                self.transactions.note((began,), now=time.monotonic())
                return answers
            finally:
                await self._pool.putconn(connection)
        raise DatabaseUnavailable  # pragma: no cover - the last round raises

    async def _transaction(
        self, connection: Connection, statements: tuple[Statement, ...], run: Run
    ) -> list[list[Row]]:
        """Run the statements and commit. Whatever it raises, but for OutcomeUnknown, nothing is stored."""
        try:
            answers = await run(connection, statements)
        except BaseException:
            if not lost(connection):
                await connection.rollback()
            raise
        try:
            await connection.execute(b"commit", prepare=False)
        except psycopg.Error as error:
            if error.sqlstate is None or lost(connection):
                raise OutcomeUnknown from error
            raise
        return answers

    async def _together(self, connection: Connection, statements: tuple[Statement, ...]) -> list[list[Row]]:
        """All in one round trip; guards are looked at when all have run."""
        async with connection.pipeline():
            await _begin(connection, statements)
            cursors = [await self._send(connection, statement) for statement in statements]
        return [await _answer(cursor, statement) for cursor, statement in zip(cursors, statements, strict=True)]

    async def _one_by_one(self, connection: Connection, statements: tuple[Statement, ...]) -> list[list[Row]]:
        await _begin(connection, statements)
        return [await _answer(await self._send(connection, statement), statement) for statement in statements]

    async def _send(self, connection: Connection, statement: Statement) -> Cursor:
        cursor = connection.cursor(binary=True)
        sql = self._sql(statement.sql)
        if statement.many is None:
            await cursor.execute(sql, _sent(statement.params))
        elif statement.many:
            await cursor.executemany(sql, map(_sent, statement.many), returning="returning" in statement.sql.lower())
        return cursor

    # -- opening and closing -------------------------------------------------------------------------------------------

    async def migrate(self) -> int:
        """As the port says; also raises StartupError when the server cannot be reached or is not fit."""
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        try:
            connection = await psycopg.AsyncConnection.connect(self._conninfo, **self._options)
        except psycopg.Error as error:
            raise StartupError(f"database.url: PostgreSQL cannot be reached: {str(error).strip()}") from error
        try:
            await _configure(connection)
            await _require_fit(connection)
            async with connection.transaction():
                await self._migrate(connection)
        except psycopg.Error as error:
            _raise(error)
        finally:
            await connection.close()
        return len(self._migrations)

    async def _migrate(self, connection: Connection) -> None:
        """All steps in one transaction, one process at a time."""
        await connection.execute(_EXCLUSIVE, (str(_MIGRATION_LOCK),))
        await connection.execute(
            'create table if not exists schema_migrations (name text collate "C" not null primary key, '
            "applied timestamptz not null default now())"
        )
        done = {row[0] for row in await (await connection.execute("select name from schema_migrations")).fetchall()}
        require_known(done, self._migrations)
        for migration in self._migrations:
            if migration.name in done:
                continue
            for ddl in migration.ddl:
                await connection.execute(POSTGRES.fill(ddl).encode())
            await connection.execute("insert into schema_migrations (name) values ($1)", (migration.name,))

    @property
    def waiting(self) -> int:
        """As Watched."""
        return int(self._pool.get_stats().get("requests_waiting", 0))

    async def close(self) -> None:
        self._closed = True
        while self._running:
            await asyncio.wait(set(self._running))
        await self._pool.close()

    async def _connection(self) -> Connection:
        """A connection of the pool; it must be given back. Raises DatabaseUnavailable."""
        if self._closed and not self._running:
            raise DatabaseUnavailable("the database is closed")
        try:
            if not self._opened:
                await self._pool.open()
                self._opened = True
            return await self._pool.getconn()
        except psycopg.Error as error:
            _raise(error)

    async def _after_failure(self, connection: Connection) -> None:
        """Before another try: a server that was restarted has left every connection of the pool behind."""
        if lost(connection):
            await self._pool.check()


def advisory_key(lock: Lock) -> int:
    """The number that stands for a lock in the database."""
    return (int(lock.scope) << 60) | lock.id


def _defaults(given: dict[str, Any], password: str) -> dict[str, Any]:
    """What the URL leaves open: time-outs that notice a server that is gone."""
    wanted: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "application_name": "lakehouse",
        "client_encoding": "UTF8",
    }
    if password:
        wanted["password"] = password
    return {name: value for name, value in wanted.items() if name not in given}


def _encoded(sql: str) -> bytes:
    return numbered(sql).encode()


def _sent(params: Sequence[Scalar]) -> list[Scalar]:
    """Parameters as they travel: numbers as text without a type, so that their place gives them one."""
    return [
        str(int(value)) if isinstance(value, int) else stored(value) if isinstance(value, str) else value
        for value in params
    ]


async def _begin(connection: Connection, statements: tuple[Statement, ...]) -> None:
    """Begin, and take the locks, each in a statement of its own."""
    await connection.execute(_BEGIN)
    for lock in locks_of(statements):
        await connection.execute(_EXCLUSIVE if lock.exclusive else _SHARED, (str(advisory_key(lock)),))


async def _configure(connection: Connection) -> None:
    connection.prepared_max = STATEMENTS
    connection.adapters.register_loader("text", TextLoader)
    await connection.execute(_SESSION, prepare=False)


async def _require_fit(connection: Connection) -> None:
    if connection.info.server_version < OLDEST:
        raise StartupError(f"PostgreSQL {OLDEST // 10_000} or newer is needed; the server at database.url is older")
    row = await (await connection.execute("select current_setting('server_encoding')")).fetchone()
    if row is None or row[0] != "UTF8":
        raise StartupError(
            "the database at database.url does not store UTF-8: make one with "
            "create database NAME encoding 'UTF8' template template0"
        )


async def _answer(cursor: Cursor, statement: Statement) -> list[Row]:
    """The rows that one statement returned. Raises its `otherwise`."""
    rows: list[Row]
    if statement.many == ():
        rows, changed = [], 0
    elif cursor.description is None:
        rows, changed = [], cursor.rowcount
    else:
        rows = await cursor.fetchall()
        while cursor.nextset():
            rows += await cursor.fetchall()
        changed = len(rows)
    if statement.rows is not None and changed != statement.rows:
        error = statement.otherwise or DatabaseUnavailable(f"a statement did not change {statement.rows} rows")
        error.__cause__ = error.__context__ = None  # the same value may be raised again and again
        raise error.with_traceback(None)
    return rows


def _raise(error: psycopg.Error) -> NoReturn:
    """Raise the engine's error where there is one, else the driver's own."""
    found = translated(error)
    if found is None:
        raise error
    raise found from error


def _noticed(task: asyncio.Task[Any]) -> None:
    """A transaction whose caller went away has nobody else to look at how it ended."""
    if not task.cancelled():
        task.exception()
