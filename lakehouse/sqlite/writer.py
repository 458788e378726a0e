# SPDX-License-Identifier: Apache-2.0
"""The one writer of an SQLite file: a thread that commits the work of many callers together.

Invariants:
- No caller hears of success before the COMMIT that holds its changes has returned.
- A job that raises undoes its own changes and nobody else's.
- SQLite ends the whole transaction at some errors (disk full, I/O). What is then executed would be committed row by
  row; so the writer looks after every job whether the transaction still stands, and if not, all of its jobs fail.
- Small jobs and bulk have transactions of their own, so that nobody's small change waits for others' bulk to reach
  the disk; whose transaction is next, `line.Line` says.
- Transactions, with their checkpoints, and the opening and closing of the file run under the turnstile: no two
  connections ever write or checkpoint at once, in whichever process.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from lakehouse.core.errors import DatabaseUnavailable
from lakehouse.core.urgent import urgent
from lakehouse.sqlite.connection import open_writing
from lakehouse.sqlite.failure import as_unavailable, unavailable
from lakehouse.sqlite.line import Line
from lakehouse.sqlite.log import Log
from lakehouse.sqlite.turnstile import Turnstile
from lakehouse.telemetry.transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.sqlite.generation import Generation

T = TypeVar("T")

MOST_JOBS = 256
"""Jobs in one transaction."""
MOST_ROWS = 10_000
"""Changed rows after which a transaction takes no further job, so that nobody waits long for others' bulk."""


class _Request:
    """A job, who waits for it, and what came of it.

    An error's traceback holds the frame that ran the job, and that holds the request: so both `error` and `future` are
    let go when the future is resolved, lest each refused write waits for the garbage collector.
    """

    __slots__ = ("bulk", "error", "future", "job", "loop", "put", "quiet", "result", "savepoint")

    def __init__(
        self,
        job: Callable[[sqlite3.Connection], Any],
        future: asyncio.Future[Any],
        loop: asyncio.AbstractEventLoop,
        *,
        savepoint: bool,
        quiet: bool,
        bulk: bool,
    ) -> None:
        self.job = job
        self.future = future
        self.loop = loop
        self.savepoint = savepoint
        self.quiet = quiet
        self.bulk = bulk
        self.put = time.monotonic()
        self.result: Any = None
        self.error: BaseException | None = None


class _TransactionLost(Exception):
    """SQLite has ended the transaction, or what is left of it cannot be trusted; `__cause__` says why."""


class _Unprotected(Exception):
    """A job without savepoint has raised after it changed rows: the transaction must be undone and run again."""


class Writer:
    """Runs jobs in transactions on its own thread. Safe to call from several event loops and threads."""

    def __init__(self, path: Path, *, generation: Generation | None = None) -> None:
        """Open or make the file at `path`; `generation` is told of writes that are not quiet. Raises StartupError."""
        self._turnstile = Turnstile(path)
        self._generation = generation
        try:
            with self._turnstile:
                if generation is not None:
                    generation.recover()
                self._connection = open_writing(path)
        except BaseException:
            self._turnstile.close()
            raise
        self._log = Log(self._connection, path)
        self._line = Line[_Request]()
        self.transactions = Transactions()
        self._door = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    async def run(
        self,
        job: Callable[[sqlite3.Connection], T],
        *,
        savepoint: bool = True,
        quiet: bool = False,
        bulk: bool = False,
    ) -> T:
        """What `job` returns, once its changes are on disk. Jobs run one after another, in the order of the calls, but
        that those with `bulk=True`, which change many rows, give way to others.

        The job gets the connection inside a transaction that it shares with others: it must neither commit nor roll
        back, nor keep the connection or a cursor. It may be run a second time from the same state, so it must change
        nothing but the database. When it raises, its changes are undone and its error is raised here.

        `savepoint=False` is for jobs that raise only when they have changed no row (one statement that matched
        nothing): it saves two statements. A job that breaks this is still undone, at the price of a second run of the
        whole batch.

        `quiet=True` is for jobs that change nothing that readers may remember.

        Raises StorageFull or DatabaseUnavailable when it could not be stored. If the caller is cancelled, the job
        may still be stored.
        """
        loop = asyncio.get_running_loop()
        request = _Request(job, loop.create_future(), loop, savepoint=savepoint, quiet=quiet, bulk=bulk)
        with self._door:
            if self._closed:
                raise DatabaseUnavailable("the database is closed")
            self._line.put(request)
        try:
            return await request.future  # type: ignore[no-any-return]
        finally:
            del request  # else an error holds this frame, which holds the future, which holds the error

    @property
    def waiting(self) -> int:
        """Jobs that are not begun."""
        return self._line.length

    def close(self) -> None:
        """Wait for the jobs that were accepted, then let go of the file. Blocks; may be called again."""
        with self._door:
            if not self._closed:
                self._closed = True
                self._line.end()
        self._thread.join()

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        batch: list[_Request] = []
        try:
            while (first := self._line.first()) is not None:
                batch = [first]
                began = time.monotonic()
                with self._turnstile:
                    self._transact(batch)
                ended = time.monotonic()
                if first.bulk:
                    self._line.stay_back(ended - began)
                self.transactions.note([request.put for request in batch], now=ended)
                _settle(batch)
                del batch, first
                batch = []
        except BaseException as error:
            self._fail_all(batch, error)
            raise
        finally:
            with self._turnstile:
                self._connection.close()
            self._turnstile.close()

    def _transact(self, batch: list[_Request]) -> None:
        """Run the one request in `batch`, and what else waits, as one transaction."""
        try:
            with nullcontext() if batch[0].bulk else urgent:
                self._connection.execute("begin immediate")
                self._fill(batch)
            self._connection.execute("commit")
        except _Unprotected:
            self._again(batch)
        except BaseException as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._fail(batch, error)
        if self._generation is not None:
            self._generation.end()
        self._relieve()

    def _fill(self, batch: list[_Request]) -> None:
        """Run requests, adding to `batch`, until none waits that may come with them, or it is full."""
        connection, line = self._connection, self._line
        full = connection.total_changes + MOST_ROWS
        request: _Request | None = batch[0]
        while request is not None:
            self._run(request)
            if len(batch) >= MOST_JOBS or connection.total_changes >= full:
                return
            request = line.along(request)
            if request is not None:
                batch.append(request)

    def _relieve(self) -> None:
        with suppress(sqlite3.Error, OSError):  # the data is safe in the log, and a repeat comes with the next batch
            self._log.relieve()

    def _again(self, batch: list[_Request]) -> None:
        """Undo the transaction and run it once more with a savepoint for every job."""
        try:
            self._connection.execute("rollback")
            self._connection.execute("begin immediate")
            for request in batch:
                request.savepoint, request.result, request.error = True, None, None
                self._run(request)
            self._connection.execute("commit")
        except BaseException as error:  # noqa: BLE001
            self._fail(batch, error)

    def _run(self, request: _Request) -> None:
        connection = self._connection
        if self._generation is not None and not request.quiet:
            self._generation.begin()
        if request.savepoint:
            connection.execute("savepoint job")
        before = connection.total_changes
        try:
            request.result = request.job(connection)
        except BaseException as error:  # it belongs to the caller
            if not connection.in_transaction:
                raise _TransactionLost from error
            request.error = _for_caller(error)
            if request.savepoint:
                connection.execute("rollback to job")
                connection.execute("release job")
            elif connection.total_changes != before:
                raise _Unprotected from None
            return
        if not connection.in_transaction:
            raise _TransactionLost
        if request.savepoint:
            connection.execute("release job")

    def _fail(self, batch: list[_Request], error: BaseException) -> None:
        """The transaction is lost: nobody in it may believe otherwise."""
        self.transactions.fail()
        cause = error.__cause__ if isinstance(error, _TransactionLost) and error.__cause__ else error
        for request in batch:
            request.error = as_unavailable(cause)
        if self._connection.in_transaction:
            self._connection.execute("rollback")

    def _fail_all(self, batch: list[_Request], error: BaseException) -> None:
        """The thread ends for `error`: nobody must wait for it for ever."""
        with self._door:
            self._closed = True
        batch.extend(self._line.all())
        for request in batch:
            request.error = as_unavailable(error)
        _settle(batch)


def _for_caller(error: BaseException) -> BaseException:
    if isinstance(error, StopIteration):  # a future cannot carry it
        stopped = RuntimeError("a job raised StopIteration")
        stopped.__cause__ = error
        return stopped
    return unavailable(error) or error


def _settle(batch: list[_Request]) -> None:
    """Tell those who wait, with one call into each of their loops."""
    loops: dict[asyncio.AbstractEventLoop, list[_Request]] = {}
    for request in batch:
        loops.setdefault(request.loop, []).append(request)
    for loop, requests in loops.items():
        try:
            loop.call_soon_threadsafe(_resolve, requests)
        except RuntimeError:  # the loop is closed: nobody waits there any more
            continue


def _resolve(requests: list[_Request]) -> None:
    for request in requests:
        future, error = request.future, request.error
        del request.future
        if future.done():  # the caller was cancelled
            continue
        if error is None:
            future.set_result(request.result)
        else:
            request.error = None
            future.set_exception(error)
