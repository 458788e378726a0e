# SPDX-License-Identifier: Apache-2.0
"""The write-ahead log stays bounded, and a reader that holds it up does not hold up the writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.sqlite.connection import open_reading, open_writing
from lakehouse.sqlite.log import Log
from lakehouse.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 100_000


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_writing(tmp_path / "a.db")
    connection.execute("pragma wal_autocheckpoint = 0").close()
    connection.execute("create table t (v blob)")
    yield connection
    connection.close()


def size(tmp_path: Path) -> int:
    return (tmp_path / "a.db-wal").stat().st_size


def test_a_log_within_its_limit_is_left_alone(writing: sqlite3.Connection, tmp_path: Path) -> None:
    before = size(tmp_path)
    Log(writing, tmp_path / "a.db", limit=LIMIT).relieve()
    assert size(tmp_path) == before > 0


def test_a_log_beyond_its_limit_is_cut(writing: sqlite3.Connection, tmp_path: Path) -> None:
    writing.execute("insert into t values (zeroblob(?))", (2 * LIMIT,))
    assert size(tmp_path) > LIMIT
    Log(writing, tmp_path / "a.db", limit=LIMIT).relieve()
    assert size(tmp_path) == 0


def test_a_reader_that_holds_the_log_is_asked_again_only_when_it_has_grown(
    writing: sqlite3.Connection, tmp_path: Path
) -> None:
    reading = open_reading(tmp_path / "a.db")
    log = Log(writing, tmp_path / "a.db", limit=LIMIT)
    held = reading.execute("select 1 from t union all select 2 union all select 3")
    held.fetchone()
    statements: list[str] = []
    writing.set_trace_callback(statements.append)

    def tries() -> int:
        return sum("wal_checkpoint" in statement for statement in statements)

    writing.execute("insert into t values (zeroblob(?))", (2 * LIMIT,))
    log.relieve()
    log.relieve()
    assert (tries(), size(tmp_path) > LIMIT) == (1, True)
    writing.execute("insert into t values (zeroblob(?))", (2 * LIMIT,))
    held.close()
    log.relieve()
    assert (tries(), size(tmp_path)) == (2, 0)
    assert writing.execute("pragma busy_timeout").fetchone() == (10_000,)
    reading.close()


@pytest.mark.anyio
async def test_the_writer_cuts_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "a.db")
    monkeypatch.setattr(writer, "_log", Log(writer._connection, tmp_path / "a.db", limit=LIMIT))
    await writer.run(lambda c: c.execute("create table t (v blob)").close())
    sizes = []

    def grow(connection: Any) -> None:
        connection.execute("insert into t values (zeroblob(?))", (LIMIT,)).close()

    for _ in range(5):
        await writer.run(grow)
        await writer.run(lambda c: sizes.append(size(tmp_path)))
    assert max(sizes) == 0
    writer.close()
