# SPDX-License-Identifier: Apache-2.0
"""What every adapter of the database port is held to: migrations, transactions, values, reads."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

import pytest

from lakehouse.core.errors import DatabaseUnavailable, DataTooNew, LakehouseError, LostRace
from lakehouse.db.migrations import MIGRATIONS, Migration
from lakehouse.db.statement import Statement
from tests.contracts.databases import SCAN, SETTING, STAGE, paths, stage

pytestmark = pytest.mark.anyio

# -- migrations --------------------------------------------------------------------------------------------------------


async def test_migrating_again_changes_nothing(open_database: Any) -> None:
    first, second = open_database(), open_database()
    assert await first.migrate() == len(MIGRATIONS)
    await first.apply(stage(b"a"))
    assert await first.migrate() == len(MIGRATIONS)
    assert await second.migrate() == len(MIGRATIONS)
    assert await paths(second) == [b"a"]


async def test_two_handles_migrate_at_once(open_database: Any) -> None:
    handles = [open_database(), open_database()]
    assert await asyncio.gather(*(handle.migrate() for handle in handles)) == [len(MIGRATIONS)] * 2


async def test_a_later_step_is_applied_to_a_database_in_use(open_database: Any) -> None:
    old = open_database()
    await old.migrate()
    await old.apply(stage(b"a"))
    later = Migration("0002_more", ("create table more (id {identity}, name {text} not null) {table}",))
    new = open_database(migrations=(*MIGRATIONS, later))
    assert await new.migrate() == len(MIGRATIONS) + 1
    await new.apply(Statement("insert into more (name) values ('x')", rows=1))
    assert await paths(new) == [b"a"]


async def test_a_database_from_a_newer_version_is_refused_and_left_alone(open_database: Any) -> None:
    later = Migration("9999_future", ("create table future (id {identity}) {table}",))
    await open_database(migrations=(*MIGRATIONS, later)).migrate()
    old = open_database()
    with pytest.raises(DataTooNew, match=rf"9999_future.*{MIGRATIONS[-1].name}"):
        await old.migrate()
    assert await old.all("select id from future") == []


async def test_a_step_that_fails_leaves_nothing_behind(open_database: Any) -> None:
    broken = Migration(
        "0002_broken", ("create table half (id {identity}) {table}", "create table half (id {identity})")
    )
    handle = open_database(migrations=(*MIGRATIONS, broken))
    with pytest.raises(Exception, match="half"):
        await handle.migrate()
    fixed = Migration("0002_broken", ("create table half (id {identity}) {table}",))
    assert await open_database(migrations=(*MIGRATIONS, fixed)).migrate() == len(MIGRATIONS) + 1


async def test_a_join_of_what_is_seldom_and_often_written(database: Any) -> None:
    both = (
        "select i.value, s.value from installation i left join staged s on s.token = 5 and s.path = ? where i.key = ?"
    )

    async def found() -> Any:
        return await database.one_of_both(
            both,
            (b"p", "k"),
            seldom=("select value from installation where key = ?", ("k",)),
            often=lambda _: ("select value from staged where token = 5 and path = ?", (b"p",)),
        )

    assert await found() is None
    await database.apply(Statement("insert into installation(key, value) values ('k', 'old')"))
    assert await found() == ("old", None)
    await database.apply(Statement(STAGE, (5, b"p", b"1")))
    assert await found() == ("old", b"1")
    await database.apply(Statement("update installation set value = 'new' where key = 'k'"))
    assert await found() == ("new", b"1")
    await database.apply(Statement("delete from staged where token = 5"))
    assert await found() == ("new", None)


# -- atomicity and guards ----------------------------------------------------------------------------------------------


async def test_nothing_to_apply(database: Any) -> None:
    assert await database.apply() == []


async def test_each_statement_sees_those_before_it(database: Any) -> None:
    copy = "insert into staged (token, path, value) select 2, path, value from staged where token = 1"
    await database.apply(stage(b"a"), stage(b"b"), Statement(copy, rows=2))
    assert await paths(database, 2) == [b"a", b"b"]


async def test_a_guard_that_fails_undoes_what_came_before_and_raises_its_own_error(database: Any) -> None:
    lost = LostRace()
    guard = Statement("update staged set value = ? where token = 9", (b"x",), rows=1, otherwise=lost)
    with pytest.raises(LostRace) as caught:
        await database.apply(stage(b"a"), guard, stage(b"b"))
    assert caught.value is lost
    assert await paths(database) == []


async def test_a_guard_that_fails_hides_what_the_statements_after_it_would_have_done(database: Any) -> None:
    await database.apply(stage(b"a"))
    guard = Statement("delete from staged where token = 9", rows=1, otherwise=LostRace())
    for after in (stage(b"a"), Statement(STAGE, many=((1, b"b", b""), (1, b"a", b"")))):
        with pytest.raises(LostRace):
            await database.apply(guard, after)
    assert await paths(database) == [b"a"]


async def test_a_lone_statement_that_changes_too_many_rows_is_undone(database: Any) -> None:
    await database.apply(stage(b"a"), stage(b"b"))
    with pytest.raises(LostRace):
        await database.apply(Statement("delete from staged where token = 1", rows=1, otherwise=LostRace()))
    assert await paths(database) == [b"a", b"b"]


async def test_a_lone_statement_that_changes_too_many_rows_does_not_touch_its_neighbours(database: Any) -> None:
    await database.apply(stage(b"a"), stage(b"b"))
    greedy = Statement("delete from staged where token = 1", rows=1, otherwise=LostRace())
    work = [database.apply(greedy if n % 5 == 2 else stage(b"%04d" % n, token=2)) for n in range(200)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert [type(outcome) for n, outcome in enumerate(outcomes) if n % 5 == 2] == [LostRace] * 40
    assert await paths(database) == [b"a", b"b"]
    assert await paths(database, 2) == [b"%04d" % n for n in range(200) if n % 5 != 2]


async def test_no_rows_may_be_required(database: Any) -> None:
    none = Statement("delete from staged where token = 1", rows=0, otherwise=LostRace())
    await database.apply(none)
    await database.apply(stage(b"a"))
    with pytest.raises(LostRace):
        await database.apply(none)
    assert await paths(database) == [b"a"]


async def test_a_query_is_a_guard(database: Any) -> None:
    look = Statement("select 1 from staged where token = ?", (1,), rows=1, otherwise=LostRace())
    with pytest.raises(LostRace):
        await database.apply(look)
    with pytest.raises(LostRace):
        await database.apply(stage(b"x", token=2), look)
    assert await paths(database, 2) == []
    await database.apply(stage(b"a"), look)
    with pytest.raises(LostRace):
        await database.apply(stage(b"b"), look)
    assert await paths(database) == [b"a"]


async def test_a_guard_without_an_error_of_its_own(database: Any) -> None:
    with pytest.raises(DatabaseUnavailable):
        await database.apply(Statement("delete from staged where token = 1", rows=1))


async def test_the_same_error_value_is_raised_again_without_growing(database: Any) -> None:
    lost = LostRace()
    guard = Statement("delete from staged where token = 1", rows=1, otherwise=lost)
    depths = []
    for _ in range(5):
        with pytest.raises(LostRace):
            await database.apply(guard)
        depths.append(len(traceback.extract_tb(lost.__traceback__)))
        assert lost.__context__ is None
    assert len(set(depths)) == 1


async def test_appliers_that_fail_do_not_touch_their_neighbours(database: Any) -> None:
    async def one(number: int) -> None:
        guard = Statement("delete from staged where token = 77", rows=number % 2, otherwise=LostRace())
        await database.apply(stage(b"%04d" % number), guard)

    outcomes = await asyncio.gather(*(one(number) for number in range(400)), return_exceptions=True)
    assert [number for number, outcome in enumerate(outcomes) if outcome is None] == list(range(0, 400, 2))
    assert await paths(database) == [b"%04d" % number for number in range(0, 400, 2)]


async def test_a_mistake_is_not_disguised_as_a_database_that_cannot_be_reached(database: Any) -> None:
    await database.apply(stage(b"a"))
    for mistake in (stage(b"a"), Statement("insert into no_such_table values (1)"), Statement(STAGE, (1, b"x", None))):
        with pytest.raises(Exception, match=r".") as caught:
            await database.apply(stage(b"b"), mistake)
        assert not isinstance(caught.value, LakehouseError)
    with pytest.raises(Exception, match="no_such") as caught:
        await database.one("select * from no_such_table")
    assert not isinstance(caught.value, LakehouseError)
    assert await paths(database) == [b"a"]


async def test_a_caller_that_goes_away_leaves_all_or_nothing(database: Any) -> None:
    tasks = [asyncio.create_task(database.apply(stage(b"%03d" % n), stage(b"%03d+" % n))) for n in range(60)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found = set(await paths(database))
    assert {b"%03d" % n for n in range(1, 60, 2)} <= found
    assert all((b"%03d" % n in found) == (b"%03d+" % n in found) for n in range(60))


# -- many and RETURNING ------------------------------------------------------------------------------------------------


async def test_many_counts_all_rounds_together(database: Any) -> None:
    rows = tuple((1, b"%05d" % n, b"v") for n in range(2500))
    await database.apply(Statement(STAGE, many=rows, rows=2500))
    ignore = f"{STAGE} on conflict (token, path) do nothing"
    with pytest.raises(LostRace):
        await database.apply(Statement(ignore, many=(*rows[:3], (1, b"x", b"")), rows=4, otherwise=LostRace()))
    assert len(await paths(database)) == 2500
    await database.apply(Statement(ignore, many=(*rows[:3], (1, b"x", b"")), rows=1, otherwise=LostRace()))
    assert len(await paths(database)) == 2501


async def test_many_of_none(database: Any) -> None:
    assert await database.apply(Statement(STAGE, many=(), rows=0)) == [[]]


async def test_many_that_fails_half_way_is_undone(database: Any) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        await database.apply(Statement(STAGE, many=((1, b"a", b""), (1, b"b", b""), (1, b"a", b""))))
    assert not isinstance(caught.value, LakehouseError)
    assert await paths(database) == []


async def test_returning(database: Any) -> None:
    made = "insert into users (name, created) values (?, 5) returning id, name"
    first, nothing, both = await database.apply(
        Statement(made, ("ann",), rows=1),
        Statement("delete from staged where token = 1"),
        Statement(made, many=(("bob",), ("cyd",)), rows=2),
    )
    assert [row[1] for row in first] == ["ann"]
    assert nothing == []
    assert [row[1] for row in both] == ["bob", "cyd"]
    ids = [row[0] for row in first + both]
    assert ids == sorted(set(ids))
    changed = await database.apply(
        Statement("update users set created = created + 1 where id = ? returning created", ids[:1])
    )
    assert changed == [[(6,)]]


async def test_returning_counts_for_the_guard(database: Any) -> None:
    await database.apply(stage(b"a"), stage(b"b"))
    take = Statement("delete from staged where token = 1 returning path", rows=1, otherwise=LostRace())
    with pytest.raises(LostRace):
        await database.apply(take)
    assert await paths(database) == [b"a", b"b"]


async def test_an_insert_that_begins_with_a_common_table(database: Any) -> None:
    await database.apply(stage(b"a"), stage(b"b"))
    copy = (
        "with old as (select path, value from staged where token = 1)"
        " insert into staged (token, path, value) select 2, path, value from old"
    )
    await database.apply(Statement(copy, rows=2, otherwise=LostRace()))
    with pytest.raises(LostRace):
        await database.apply(Statement(copy.replace("select 2", "select 3"), rows=3, otherwise=LostRace()))
    assert (await paths(database, 2), await paths(database, 3)) == ([b"a", b"b"], [])


# -- values and order --------------------------------------------------------------------------------------------------

BLOBS = [
    b"\x00",
    b"\x00\x00",
    b"\x01\xff",
    b"A",
    b"a",
    b"a.b",
    b"a/b",
    b"ab",
    b"z",
    b"\x7f",
    b"\x80",
    "é".encode(),
    b"\xff",
]
TEXTS = [
    "\x00",
    "\x00\x01\x02",
    "\x01",
    "\x01\x00",
    "\x01\x01",
    "\x02",
    "B",
    "Z",
    "_x",
    "a",
    "a.b",
    "a/b",
    "aa",
    "é",
    "ß",
    "ﬀ",
    "漢",
    "😀",
]


async def test_bytes_come_back_as_they_went_and_sort_bytewise(database: Any) -> None:
    await database.apply(
        Statement(STAGE, many=tuple((1, path, path[::-1]) for path in reversed(BLOBS)), rows=len(BLOBS))
    )
    rows = await database.all("select path, value from staged where token = 1 order by path")
    assert rows == [(path, path[::-1]) for path in sorted(BLOBS)]


async def test_text_comes_back_as_it_went_and_sorts_by_code_point(database: Any) -> None:
    await database.apply(
        Statement(SETTING, many=tuple((1, text, text * 3) for text in reversed(TEXTS)), rows=len(TEXTS))
    )
    rows = await database.all("select key, value from settings where repository = 1 order by key")
    assert rows == [(text, text * 3) for text in sorted(TEXTS)]
    assert await database.all("select key from settings where key > 'Z' order by key limit 1") == [("_x",)]


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63 - 1, -(2**63)])
async def test_integers_of_64_bits(database: Any, number: int) -> None:
    await database.apply(Statement(STAGE, (number, b"a", b""), rows=1))
    assert await database.one("select token, value from staged where token = ?", (number,)) == (number, b"")


async def test_null_and_empty_are_different(database: Any) -> None:
    insert = (
        "insert into commits (repository, id, parents, root, committer, message, created, generation, paths)"
        " values (1, ?, '[]', '', '', '', 0, 1, ?)"
    )
    await database.apply(Statement(insert, many=(("a", None), ("b", b"")), rows=2))
    assert await database.all("select id, paths from commits order by id") == [("a", None), ("b", b"")]


async def test_a_large_value(database: Any) -> None:
    value = bytes(range(256)) * 4096
    await database.apply(stage(b"a", value))
    assert await database.one("select value from staged where token = 1") == (value,)


# -- reads -------------------------------------------------------------------------------------------------------------


async def test_one_and_all(database: Any) -> None:
    assert await database.one("select path from staged") is None
    assert await database.all("select path from staged") == []
    await database.apply(stage(b"a"), stage(b"b"))
    assert await database.one("select path from staged order by path") == (b"a",)
    assert await database.all("select path from staged where path > ? order by path", (b"a",)) == [(b"b",)]


async def test_a_read_sees_what_was_acknowledged_before_it_on_every_handle(database: Any, open_database: Any) -> None:
    other = open_database()
    for n in range(50):
        writer, reader = (database, other) if n % 2 else (other, database)
        await writer.apply(stage(b"%03d" % n))
        assert await reader.one("select count(*) from staged") == (n + 1,)
        assert await writer.one("select count(*) from staged") == (n + 1,)


async def test_reads_never_see_half_of_a_transaction(database: Any) -> None:
    await database.apply(stage(b"n", b"0"), stage(b"n", b"0", token=2))
    update = "update staged set value = ? where token = ? and path = ?"

    async def write() -> None:
        for n in range(100):
            value = b"%d" % n
            await database.apply(
                Statement(update, (value, 1, b"n"), rows=1), Statement(update, (value, 2, b"n"), rows=1)
            )

    writing = asyncio.create_task(write())
    while not writing.done():
        rows = await database.all("select value from staged")
        assert rows[0] == rows[1]
        await asyncio.sleep(0)
    await writing


@pytest.mark.parametrize(("count", "size"), [(0, 5), (1, 5), (4, 5), (5, 5), (6, 5), (10, 5), (23, 7), (3, 1)])
async def test_pages(database: Any, count: int, size: int) -> None:
    wanted = [(b"%04d" % n, b"v") for n in range(count)]
    await database.apply(Statement(STAGE, many=tuple((1, *row) for row in wanted)), stage(b"0002", token=2))
    pages = [page async for page in database.pages(SCAN, (1, b""), size=size)]
    assert [row for page in pages for row in page] == wanted
    assert all(0 < len(page) <= size for page in pages)


async def test_pages_by_two_columns(database: Any) -> None:
    wanted = [(token, b"%d" % n) for token in (1, 2, 3) for n in range(7)]
    await database.apply(Statement(STAGE, many=tuple((*row, b"") for row in wanted)))
    sql = "select token, path from staged where token < ? and (token, path) > (?, ?) order by token, path limit ?"
    for size in (1, 3, 7, 50):
        pages = [page async for page in database.pages(sql, (3, 1, b"2"), size=size, keys=2)]
        assert [row for page in pages for row in page] == [row for row in wanted if (1, b"2") < row < (3,)]


async def test_pages_while_others_write(database: Any) -> None:
    stable = [b"%04d" % n for n in range(0, 400, 2)]
    await database.apply(Statement(STAGE, many=tuple((1, path, b"") for path in stable)))
    seen: list[bytes] = []
    number = 1
    async for page in database.pages(SCAN, (1, b""), size=20):
        seen.extend(row[0] for row in page)
        come = Statement(STAGE, many=tuple((1, b"%04d" % n, b"") for n in range(number, 400, 40)))
        await database.apply(come, Statement("delete from staged where path = ?", (b"%04d" % (number - 2),)))
        number += 2
    assert seen == sorted(set(seen))
    assert set(stable) - set(seen) <= {path for path in stable if int(path) < number}
    assert {path for path in stable if int(path) >= 40} <= set(seen)


async def test_pages_that_are_left_half_read_hold_nothing_up(database: Any) -> None:
    await database.apply(Statement(STAGE, many=tuple((1, b"%04d" % n, b"") for n in range(100))))
    pages = database.pages(SCAN, (1, b""), size=10)
    first = await anext(pages)
    await database.apply(Statement("delete from staged where token = 1", rows=100))
    assert await database.one("select count(*) from staged") == (0,)
    assert [page async for page in pages] == []
    assert len(first) == 10
