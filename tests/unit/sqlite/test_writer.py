# SPDX-License-Identifier: Apache-2.0
"""The writer thread: who is committed with whom, who is told what and when."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.core.errors import DatabaseUnavailable, StorageFull
from lakehouse.core.urgent import urgent
from lakehouse.sqlite.readers import Readers
from lakehouse.sqlite.writer import MOST_JOBS, MOST_ROWS, Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    made = Writer(tmp_path / "w.db")
    await made.run(lambda c: c.execute("create table t (n integer primary key, v blob) strict").close())
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
def stored(writer: Writer, tmp_path: Path) -> Any:
    readers = Readers(tmp_path / "w.db")
    yield lambda: [row[0] for row in readers.all("select n from t order by n")]
    readers.close()


def put(*numbers: int, size: int = 1) -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        for number in numbers:
            connection.execute("insert into t values (?, ?)", (number, bytes(size)))
        return len(numbers)

    return job


def put_and_raise(*numbers: int) -> Callable[[sqlite3.Connection], None]:
    def job(connection: sqlite3.Connection) -> None:
        put(*numbers)(connection)
        raise LookupError(numbers)

    return job


class Gate:
    """Holds the writer inside a job, so that everything submitted meanwhile waits and comes in order."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._entered, self._open = threading.Event(), threading.Event()

    def _job(self, _: sqlite3.Connection) -> None:
        self._entered.set()
        assert self._open.wait(60)

    async def together(self, *jobs: Any, savepoint: bool = True) -> list[Any]:
        """Run `jobs` in one transaction (with the gate's own); their results or errors."""
        gate = asyncio.create_task(self._writer.run(self._job, savepoint=False))
        await asyncio.to_thread(self._entered.wait, 60)
        tasks = [asyncio.create_task(self._writer.run(job, savepoint=savepoint)) for job in jobs]
        await asyncio.sleep(0)
        self._open.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(gate, return_exceptions=True)
        return list(outcomes)


async def traced(writer: Writer) -> list[str]:
    """The statements that the writer executes from now on."""
    log: list[str] = []
    await writer.run(lambda c: c.set_trace_callback(log.append))
    log.clear()
    return log


async def test_results_come_back_in_the_order_of_the_calls(writer: Writer, stored: Any) -> None:
    results = await asyncio.gather(*(writer.run(put(*range(n * 10, n * 10 + n % 3))) for n in range(30)))
    assert results == [n % 3 for n in range(30)]
    assert len(stored()) == 30


async def test_those_who_wait_share_a_transaction(writer: Writer, stored: Any) -> None:
    log = await traced(writer)
    assert await Gate(writer).together(*(put(n) for n in range(100))) == [1] * 100
    assert [log.count(word) for word in ("begin immediate", "commit")] == [1, 1]
    assert stored() == list(range(100))


async def test_a_transaction_takes_only_so_many_jobs(writer: Writer, stored: Any) -> None:
    log = await traced(writer)
    await Gate(writer).together(*(put(n) for n in range(2 * MOST_JOBS)))
    assert log.count("commit") == 3
    assert len(stored()) == 2 * MOST_JOBS


async def test_a_transaction_takes_only_so_many_rows(writer: Writer) -> None:
    log = await traced(writer)
    bulk = [(n, b"") for n in range(MOST_ROWS)]
    await Gate(writer).together(lambda c: c.executemany("insert into t values (?, ?)", bulk).close(), put(MOST_ROWS))
    assert log.count("commit") == 2


async def test_nobody_is_told_before_the_commit(writer: Writer) -> None:
    events: list[str] = []
    await writer.run(lambda c: c.set_trace_callback(lambda sql: events.append(sql.split()[0])))
    events.clear()

    async def client(number: int) -> None:
        await writer.run(put(number))
        events.append("told")

    await asyncio.gather(*(client(n) for n in range(40)))
    open_inserts = 0
    untold = 0
    for event in events:
        if event == "insert":
            open_inserts += 1
        elif event == "commit":
            untold, open_inserts = untold + open_inserts, 0
        elif event == "told":
            untold -= 1
            assert untold >= 0
    assert untold == 0
    assert events.count("told") == 40


async def test_one_call_into_each_loop_for_a_batch(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    calls: list[int] = []
    real = loop.call_soon_threadsafe

    def counting(callback: Any, *args: Any, **options: Any) -> Any:
        if getattr(callback, "__name__", "") == "_resolve":
            calls.append(len(args[0]))
        return real(callback, *args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    await Gate(writer).together(*(put(n) for n in range(50)))
    assert calls == [51]


async def test_a_job_that_raises_undoes_its_own_changes_only(writer: Writer, stored: Any) -> None:
    jobs = [put_and_raise(n, n + 1000) if n % 3 else put(n) for n in range(60)]
    outcomes = await Gate(writer).together(*jobs)
    assert [n for n, outcome in enumerate(outcomes) if outcome == 1] == list(range(0, 60, 3))
    assert all(isinstance(outcome, LookupError) for n, outcome in enumerate(outcomes) if n % 3)
    assert stored() == list(range(0, 60, 3))


async def test_an_unprotected_job_that_raises_without_a_change_costs_nothing(writer: Writer, stored: Any) -> None:
    def refuse(connection: sqlite3.Connection) -> None:
        assert connection.execute("update t set v = x'' where n = -1").rowcount == 0
        raise LookupError

    log = await traced(writer)
    outcomes = await Gate(writer).together(put(1), refuse, put(2), savepoint=False)
    assert isinstance(outcomes[1], LookupError)
    assert [log.count(word) for word in ("begin immediate", "savepoint job", "rollback")] == [1, 0, 0]
    assert stored() == [1, 2]


async def test_an_unprotected_job_that_raises_after_a_change_is_undone_all_the_same(
    writer: Writer, stored: Any
) -> None:
    log = await traced(writer)
    outcomes = await Gate(writer).together(put(1), put_and_raise(2, 3), put(4), put_and_raise(5), savepoint=False)
    assert outcomes[0] == outcomes[2] == 1
    assert [type(outcomes[n]) for n in (1, 3)] == [LookupError] * 2
    assert stored() == [1, 4]
    assert log.count("rollback") >= 1


async def test_a_second_run_that_fails_fails_everyone(writer: Writer, stored: Any) -> None:
    runs: list[int] = []

    def second_time_large(connection: sqlite3.Connection) -> None:
        runs.append(1)
        put(9, size=1 if len(runs) == 1 else 400_000)(connection)

    await writer.run(lambda c: c.execute("pragma max_page_count = 12").fetchall())
    outcomes = await Gate(writer).together(put(1), second_time_large, put_and_raise(2), savepoint=False)
    assert [type(outcome) for outcome in outcomes] == [StorageFull] * 3
    assert (len(runs), stored()) == (2, [])


async def test_a_statement_that_fails_half_way_is_undone(writer: Writer, stored: Any) -> None:
    await writer.run(put(5))
    with pytest.raises(sqlite3.IntegrityError):
        await writer.run(lambda c: c.execute("insert into t values (4, x''), (5, x'')").close(), savepoint=False)
    assert stored() == [5]


async def test_a_full_disk_fails_everyone_in_the_transaction(writer: Writer, stored: Any) -> None:
    await writer.run(put(0))
    await writer.run(lambda c: c.execute("pragma max_page_count = 12").fetchall())
    outcomes = await Gate(writer).together(*(put(n, size=2000) for n in range(1, 41)))
    told = [n for n, outcome in enumerate(outcomes, 1) if outcome == 1]
    assert stored() == [0, *told]
    full = [outcome for outcome in outcomes if isinstance(outcome, StorageFull)]
    assert len(full) + len(told) == 40
    assert full
    await writer.run(lambda c: c.execute("pragma max_page_count = 100000").fetchall())
    await writer.run(put(100, size=2000))
    assert stored()[-1] == 100


@pytest.mark.parametrize("savepoint", [True, False])
async def test_a_job_that_hides_the_end_of_the_transaction_is_found_out(
    writer: Writer, stored: Any, savepoint: bool
) -> None:
    def hide(connection: sqlite3.Connection) -> None:
        try:
            connection.execute("insert into t values (2, zeroblob(400000))")
        except sqlite3.OperationalError:
            return

    await writer.run(lambda c: c.execute("pragma max_page_count = 12").fetchall())
    outcomes = await Gate(writer).together(put(1), hide, put(2), savepoint=savepoint)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable, DatabaseUnavailable, int]
    assert stored() == [2]


async def test_a_commit_that_fails_fails_everyone(writer: Writer, stored: Any) -> None:
    def orphan(connection: sqlite3.Connection) -> None:
        connection.execute("create table child (n integer references t (n) deferrable initially deferred)")
        connection.execute("insert into child values (99)")

    outcomes = await Gate(writer).together(put(1), orphan, put(2))
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert stored() == []
    await writer.run(put(3))
    assert stored() == [3]


async def test_a_job_that_commits_is_refused(writer: Writer) -> None:
    with pytest.raises(DatabaseUnavailable):
        await writer.run(lambda c: c.execute("commit").close())
    assert await writer.run(put(3)) == 1


async def test_another_program_that_holds_the_file(writer: Writer, tmp_path: Path, stored: Any) -> None:
    await writer.run(lambda c: c.execute("pragma busy_timeout = 1").fetchall())
    other = sqlite3.connect(tmp_path / "w.db", isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(DatabaseUnavailable, match="locked"):
        await writer.run(put(1))
    other.execute("rollback")
    other.close()
    await writer.run(put(2))
    assert stored() == [2]


async def test_stop_iteration_reaches_its_caller(writer: Writer) -> None:
    outcomes = await Gate(writer).together(lambda _: next(iter(())), put(1))
    assert isinstance(outcomes[0], RuntimeError)
    assert outcomes[1] == 1


async def test_a_cancelled_caller_holds_nobody_up(writer: Writer, stored: Any) -> None:
    tasks = [asyncio.create_task(writer.run(put(n))) for n in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[1::2] == [1] * 10
    assert set(range(1, 20, 2)) <= set(stored())


async def test_callers_on_several_loops(writer: Writer, stored: Any) -> None:
    async def client(base: int) -> None:
        assert await asyncio.gather(*(writer.run(put(base + n)) for n in range(100))) == [1] * 100

    threads = [threading.Thread(target=asyncio.run, args=(client(base),)) for base in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert stored() == list(range(300))


async def test_a_loop_that_is_gone_does_not_stop_the_writer(writer: Writer, stored: Any) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> None:
        entered.set()
        assert leave.wait(60)
        put(1)(connection)

    async def give_up() -> None:
        task = asyncio.create_task(writer.run(slow))
        await asyncio.to_thread(entered.wait, 60)
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(give_up(),))
    thread.start()
    await asyncio.to_thread(thread.join)
    leave.set()
    await writer.run(put(2))
    assert stored() == [1, 2]


async def test_close_finishes_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "c.db")
    await writer.run(lambda c: c.execute("create table t (n integer primary key, v blob)").close())
    tasks = [asyncio.create_task(writer.run(put(n))) for n in range(600)]
    await asyncio.sleep(0)
    await asyncio.to_thread(writer.close)
    writer.close()
    assert await asyncio.gather(*tasks) == [1] * 600
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await writer.run(put(601))
    assert not (tmp_path / "c.db-wal").exists()


class Broken:
    """A turnstile whose file system has gone, which shows once `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __enter__(self) -> None:
        assert self.open.wait(60)
        raise OSError("no locks")

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None: ...


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_when_the_thread_dies_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "d.db")
    real = writer._turnstile
    broken = Broken()
    monkeypatch.setattr(writer, "_turnstile", broken)
    tasks = [asyncio.create_task(writer.run(lambda _: 1)) for _ in range(10)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(writer.close))
    while not writer._closed:
        await asyncio.sleep(0)
    broken.open.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    await closing
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 10
    with pytest.raises(DatabaseUnavailable):
        await writer.run(lambda _: 1)
    writer.close()
    writer._connection.close()
    real.close()


async def test_errors_leave_no_cycles_behind(writer: Writer) -> None:
    import gc

    def refuse(_: sqlite3.Connection) -> None:
        raise LookupError

    async def refused() -> None:
        with pytest.raises(LookupError):
            await writer.run(refuse)

    await refused()
    await writer.run(put(1))
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await refused()
        await writer.run(put(2))
        left = [thing for thing in gc.get_objects() if isinstance(thing, LookupError)]
    finally:
        gc.enable()
    assert left == []


@pytest.mark.parametrize("bulk", [False, True])
async def test_small_transactions_are_urgent(writer: Writer, bulk: bool) -> None:
    seen = []

    def job(connection: sqlite3.Connection) -> None:
        seen.append(urgent.any)

    await writer.run(job, bulk=bulk)
    assert seen == [not bulk]
    assert not urgent.any
