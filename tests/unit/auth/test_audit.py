# SPDX-License-Identifier: Apache-2.0
"""The audit log: chains that show every change, written in batches, whatever the database does meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.auth.audit import BATCH, MOST_WAITING, AuditLog, Event, merkle_root, verify
from lakehouse.auth.keys import KeyRing
from lakehouse.core.errors import DatabaseUnavailable, OutcomeUnknown
from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.db.statement import Statement
from lakehouse.meta import audit as rows
from tests.lakes import Hands

from .conftest import NEW, OLD

pytestmark = pytest.mark.anyio
STRAY = "insert into audit_events(chain, seq, number, at, actor, operation, document) values "


@pytest.fixture(params=["sqlite", "postgres"])
async def db(request, tmp_path):
    if request.param == "sqlite":
        made = SqliteDatabase(tmp_path / "m.sqlite")
    else:
        made = PostgresDatabase(request.getfixturevalue("postgres_url"))
    await made.migrate()
    yield made
    await made.close()


def event(number: int = 0, actor: str = "ann") -> Event:
    return Event(at=1000 + number, actor=actor, operation="commit", status=201, what={"n": str(number)})


async def written(db, ring, *, chain="c", batches=3, size=2) -> AuditLog:
    log = AuditLog(db, ring, clock=Hands(), chain=chain)
    for number in range(batches * size):
        log.record(event(number))
        if number % size == size - 1:
            await log.flush()
    return log


async def test_batches_and_their_chain(db, ring) -> None:
    await written(db, ring)
    await written(db, ring, chain="d", batches=1)
    report = await verify(db, ring)
    assert report.broken == ()
    assert [(one.name, one.batches, one.events) for one in report.chains] == [("c", 3, 6), ("d", 1, 2)]
    again = await verify(db, ring)
    assert again == report


async def test_an_empty_log_is_whole(db, ring) -> None:
    assert (await verify(db, ring)).broken == ()


@pytest.mark.parametrize(
    "sql",
    [
        "update audit_events set document = replace(document, 'ann', 'bob') where seq = 2 and number = 0",
        "update audit_events set actor = 'bob' where seq = 2 and number = 0",
        "update audit_events set operation = 'x' where seq = 2 and number = 0",
        "update audit_events set number = 7 where seq = 2 and number = 0",
        "delete from audit_events where seq = 3 and number = 1",
        "delete from audit_events where seq = 2",
        "delete from audit_batches where seq = 1",
        "delete from audit_batches where seq = 2",
        "update audit_batches set at = at + 1 where seq = 2",
        "update audit_batches set events = 1 where seq = 2",
        "update audit_batches set seq = 9 where seq = 3",
        STRAY + "('c', 3, 2, 1, 'a', 'b', '{}')",
        STRAY + "('x', 1, 0, 1, 'a', 'b', '{}')",
        "insert into audit_batches(chain, seq, at, events, root, hash) values ('c', 4, 1, 0, '', 'x:y')",
        "update audit_batches set hash = (select hash from audit_batches where seq = 1) where seq = 2",
    ],
)
async def test_every_change_shows(db, ring, sql) -> None:
    await written(db, ring)
    await db.apply(Statement(sql))
    assert (await verify(db, ring)).broken != ()


async def test_only_the_key_makes_links(db, ring) -> None:
    await written(db, ring)
    assert len((await verify(db, KeyRing(NEW))).broken) == 3
    assert (await verify(db, KeyRing(NEW, OLD))).broken == ()


async def test_many_at_once_are_few_batches(db, ring) -> None:
    log = AuditLog(db, ring, chain="c")
    log.start()
    for number in range(BATCH + 10):
        log.record(event(number))
    await log.stop()
    report = await verify(db, ring)
    assert report.broken == ()
    assert [(one.batches, one.events) for one in report.chains] == [(2, BATCH + 10)]


async def test_events_while_one_batch_is_written(db, ring) -> None:
    log = AuditLog(db, ring, chain="c")
    log.start()
    for number in range(50):
        log.record(event(number))
        await asyncio.sleep(0)
    await log.stop()
    assert [one.events for one in (await verify(db, ring)).chains] == [50]


class Failing:
    """A database that fails some writes: before it stores them, or after."""

    def __init__(self, db, *failures: Exception) -> None:
        self._db = db
        self._failures = list(failures)

    def __getattr__(self, name):
        return getattr(self._db, name)

    async def apply(self, *statements):
        failure = self._failures.pop(0) if self._failures else None
        if isinstance(failure, OutcomeUnknown):
            await self._db.apply(*statements)
        if failure is not None:
            raise failure
        return await self._db.apply(*statements)


@pytest.mark.parametrize("failure", [DatabaseUnavailable(), OutcomeUnknown()], ids=lambda one: type(one).__name__)
async def test_nothing_is_lost_or_doubled_by_a_failure(db, ring, failure) -> None:
    log = AuditLog(Failing(db, failure), ring, chain="c")
    log.record(event(0))
    with pytest.raises(DatabaseUnavailable):
        await log.flush()
    log.record(event(1))
    await log.flush()
    report = await verify(db, ring)
    assert report.broken == ()
    assert [one.events for one in report.chains] == [2]


async def test_a_queue_has_an_end(db, ring, caplog) -> None:
    log = AuditLog(db, ring, chain="c")
    for _ in range(MOST_WAITING + 3):
        log.record(event())
    del log._waiting[5:]
    await log.flush()
    assert "3 audit events were lost" in caplog.text


async def test_pages_newest_first(db, ring) -> None:
    await written(db, ring, batches=2, size=3)
    log = AuditLog(db, ring, clock=Hands(), chain="d")
    log.record(event(1, actor="bob"))
    await log.flush()
    found, before = [], None
    while page := await rows.page(db, rows.Wanted(before=before), limit=3):
        found += [(one.key.at, one.actor) for one in page]
        before = page[-1].key
    assert found == [
        (1005, "ann"),
        (1004, "ann"),
        (1003, "ann"),
        (1002, "ann"),
        (1001, "bob"),
        (1001, "ann"),
        (1000, "ann"),
    ]
    assert len(await rows.page(db, rows.Wanted(actor="bob"), limit=9)) == 1
    assert len(await rows.page(db, rows.Wanted(operation="commit", since=1002, until=1004), limit=9)) == 2
    assert await rows.page(db, rows.Wanted(operation="merge"), limit=9) == []


def test_roots() -> None:
    assert merkle_root([]) == ""
    roots = {merkle_root(list(text)) for text in ("a", "b", "ab", "ba", "abc", "abcd", "abcdd", "aab")}
    assert len(roots) == 8
