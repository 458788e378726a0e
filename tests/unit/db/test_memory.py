# SPDX-License-Identifier: Apache-2.0
"""Remembered lookups: never other than what the database would answer."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.db import memory
from lakehouse.db.memory import MOST, SECONDS, Memory, disturbs
from lakehouse.db.migrations import MIGRATIONS
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.db.statement import Statement
from lakehouse.sqlite.generation import Generation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = "select name from users where id = ?"
RENAME = "update users set name = ? where id = ?"


class Source:
    """Answers with the number of the read."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, sql: str, params: Any) -> tuple[int]:
        self.reads += 1
        return (self.reads,)


@pytest.fixture
def generation(tmp_path: Path) -> Iterator[Generation]:
    made = Generation(tmp_path / "d.db")
    yield made
    made.close()


def test_a_lookup_is_read_once_until_something_is_written(generation: Generation) -> None:
    read, known = Source(), Memory(generation, clock=lambda: 0.0)
    assert [known.one(read, USER, (1,)), known.one(read, USER, (1,)), known.one(read, USER, (2,))] == [(1,), (1,), (2,)]
    generation.begin()
    assert [known.one(read, USER, (1,)), known.one(read, USER, (1,))] == [(3,), (4,)]
    generation.end()
    assert [known.one(read, USER, (1,)), known.one(read, USER, (1,))] == [(5,), (5,)]


@pytest.mark.parametrize("writes", [None, "begun", "ended"])
def test_two_reads_are_one_moment_or_a_join_is_read(generation: Generation, writes: str | None) -> None:
    """What a write changes between the two reads is never half of an answer."""
    asked: list[str] = []

    def read(sql: str, _: Any) -> tuple[Any, ...]:
        asked.append(sql)
        if sql == "often" and writes is not None:
            generation.begin()
            if writes == "ended":
                generation.end()
        return {"seldom": (1, 2), "often": (3,), "both": (7, 8, 9)}[sql]

    known = Memory(generation, clock=lambda: 0.0)
    both = known.both(read, ("both", ()), ("seldom", ()), lambda row: ("often", row))
    assert both == ((1, 2, 3) if writes is None else (7, 8, 9))
    assert asked == (["seldom", "often"] if writes is None else ["seldom", "often", "both"])
    if writes is None:
        known.both(read, ("both", ()), ("seldom", ()), lambda row: ("often", row))
        assert asked == ["seldom", "often", "often"]
    if writes == "begun":
        known.both(read, ("both", ()), ("seldom", ()), lambda row: ("often", row))
        assert asked[3:] == ["both"]


@pytest.mark.parametrize(("seldom", "often", "found"), [(None, None, None), ((1, 2), None, (1, 2, None))])
def test_what_is_not_there_is_not_joined(generation: Generation, seldom: Any, often: Any, found: Any) -> None:
    known = Memory(generation, clock=lambda: 0.0)
    answers = {"seldom": seldom, "often": often}
    assert known.both(lambda sql, _: answers[sql], ("both", ()), ("seldom", ()), lambda row: ("often", row)) == found


def test_absence_is_remembered_too(generation: Generation) -> None:
    reads: list[str] = []
    known = Memory(generation, clock=lambda: 0.0)
    assert [known.one(lambda sql, _: reads.append(sql), USER, (1,)) for _ in range(3)] == [None] * 3
    assert reads == [USER]


def test_what_names_a_restless_table_is_read_each_time(generation: Generation) -> None:
    read, known = Source(), Memory(generation, clock=lambda: 0.0)
    sql = "select 1 from refs f left join Staged s on s.token = f.staging_token"
    assert [known.one(read, sql, ()), known.one(read, sql, ())] == [(1,), (2,)]
    assert known.one(read, "select staging_token from refs", ()) == known.one(
        read, "select staging_token from refs", ()
    )


def test_nothing_is_remembered_for_long(generation: Generation) -> None:
    now = 0.0
    read, known = Source(), Memory(generation, clock=lambda: now)
    known.one(read, USER, (1,))
    now = SECONDS - 0.01
    assert known.one(read, USER, (1,)) == (1,)
    now = SECONDS
    assert known.one(read, USER, (1,)) == (2,)


def test_its_size_is_bounded(generation: Generation) -> None:
    read, known = Source(), Memory(generation, clock=lambda: 0.0)
    for number in range(MOST * 2 + 1):
        known.one(read, f"select {number}", (number,))
    assert len(known._rows) <= MOST
    assert len(known._fit) <= MOST


@pytest.mark.parametrize(
    ("sql", "loud"),
    [
        ("insert into staged(token, path, value) values (?, ?, ?)", False),
        ("update staged set value = ?", False),
        ("delete from dropped where token = ?", False),
        ("select 1 from refs where id = ?", False),
        ("insert into staged_more values (1)", True),
        ("insert into refs(name) select path from staged", True),
        ("update refs set epoch = 1", True),
        ("with x as (select 1) delete from users", True),
        ("create table t (n integer)", True),
    ],
)
def test_which_writes_disturb(sql: str, loud: bool) -> None:
    assert disturbs([Statement("select 1"), Statement(sql)]) is loud


def test_no_table_changes_because_a_restless_one_does() -> None:
    """Neither a trigger nor a foreign key carries a quiet write into a table whose rows may be remembered."""
    ddl = "\n".join(text for migration in MIGRATIONS for text in migration.ddl).lower()
    assert not re.search(r"\btrigger\b", ddl)
    for name in memory.RESTLESS:
        assert not re.search(rf"references {name}\b", ddl)


@pytest.mark.anyio
async def test_two_connections_to_one_file_see_each_others_writes(tmp_path: Path) -> None:
    one, other = SqliteDatabase(tmp_path / "d.db"), SqliteDatabase(tmp_path / "d.db")
    await one.migrate()
    await one.apply(Statement("insert into users(id, name, created) values (1, 'a', 0)"))
    for number in range(50):
        writer, reader = (one, other) if number % 2 else (other, one)
        assert await reader.one(USER, (1,)) == await writer.one(USER, (1,))
        await writer.apply(Statement(RENAME, (str(number), 1)))
        assert await reader.one(USER, (1,)) == (str(number),) == await writer.one(USER, (1,))
    with pytest.raises(sqlite3.OperationalError):
        await one.apply(Statement(RENAME, ("lost", 1)), Statement("no such statement"))
    assert await one.one(USER, (1,)) == await other.one(USER, (1,)) == ("49",)
    await one.close()
    await other.close()
