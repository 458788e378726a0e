# SPDX-License-Identifier: Apache-2.0
"""Tables `audit_batches` and `audit_events`: rows are only ever added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.db.port import Database, Row


class Key(msgspec.Struct, frozen=True, order=True):
    """Where an event stands in the log; sorts by time. `at` in milliseconds."""

    at: int
    chain: str
    seq: int
    number: int


class Stored(msgspec.Struct, frozen=True):
    """An event as it is stored: `document` is what counts, actor and operation stand beside it to be found by."""

    key: Key
    actor: str
    operation: str
    document: str


class Batch(msgspec.Struct, frozen=True):
    """A link of a chain: so many events, the root of their hashes, and the hash of all that with the link before."""

    chain: str
    seq: int
    at: int
    events: int
    root: str
    hash: str


class Wanted(msgspec.Struct, frozen=True):
    """Which events: before `before` (newest first), in [since, until) milliseconds, of this actor and operation."""

    before: Key | None = None
    since: int = 0
    until: int = 2**62
    actor: str = ""
    operation: str = ""


_COLUMNS = "at, chain, seq, number, actor, operation, document"


def _stored(row: Row) -> Stored:
    return Stored(Key(row[0], row[1], row[2], row[3]), row[4], row[5], row[6])


def append(batch: Batch, events: Sequence[Stored]) -> tuple[Statement, Statement]:
    """Add a batch and its events. A number that is there is the database's own error: a chain has one writer."""
    return (
        Statement(
            "insert into audit_batches(chain, seq, at, events, root, hash) values (?, ?, ?, ?, ?, ?)",
            (batch.chain, batch.seq, batch.at, batch.events, batch.root, batch.hash),
        ),
        Statement(
            "insert into audit_events(at, chain, seq, number, actor, operation, document) values (?, ?, ?, ?, ?, ?, ?)",
            many=tuple(
                (one.key.at, one.key.chain, one.key.seq, one.key.number, one.actor, one.operation, one.document)
                for one in events
            ),
        ),
    )


async def page(db: Database, wanted: Wanted, *, limit: int) -> list[Stored]:
    """Up to `limit` events, newest first."""
    before = wanted.before or Key(2**62, "", 0, 0)
    rows = await db.all(
        f"select {_COLUMNS} from audit_events where (at, chain, seq, number) < (?, ?, ?, ?) and at >= ? and at < ? "
        "and (? = '' or actor = ?) and (? = '' or operation = ?) "
        "order by at desc, chain desc, seq desc, number desc limit ?",
        (
            *(before.at, before.chain, before.seq, before.number),
            *(wanted.since, wanted.until),
            *(wanted.actor, wanted.actor, wanted.operation, wanted.operation),
            limit,
        ),
    )
    return [_stored(row) for row in rows]


async def batches(db: Database, *, size: int = 500) -> AsyncIterator[Batch]:
    """Every batch, chain by chain, in order."""
    sql = (
        "select chain, seq, at, events, root, hash from audit_batches where (chain, seq) > (?, ?) "
        "order by chain, seq limit ?"
    )
    async for rows in db.pages(sql, ("", 0), size=size, keys=2):
        for row in rows:
            yield Batch(row[0], row[1], row[2], row[3], row[4], row[5])


async def find(db: Database, chain: str, seq: int) -> Batch | None:
    """A batch by its number, or None."""
    row = await db.one(
        "select chain, seq, at, events, root, hash from audit_batches where chain = ? and seq = ?", (chain, seq)
    )
    return None if row is None else Batch(row[0], row[1], row[2], row[3], row[4], row[5])


async def events_of(db: Database, batch: Batch) -> list[Stored]:
    """The events of a batch in order."""
    rows = await db.all(
        f"select {_COLUMNS} from audit_events where chain = ? and seq = ? order by number", (batch.chain, batch.seq)
    )
    return [_stored(row) for row in rows]


async def strays(db: Database) -> int:
    """How many events belong to no batch."""
    row = await db.one(
        "select count(*) from audit_events e where not exists "
        "(select 1 from audit_batches b where b.chain = e.chain and b.seq = e.seq)"
    )
    return 0 if row is None else int(row[0])
