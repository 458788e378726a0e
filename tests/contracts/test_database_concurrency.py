# SPDX-License-Identifier: Apache-2.0
"""What every adapter of the database port promises to many callers at once, and at its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lakehouse.core.errors import DatabaseUnavailable, LostRace
from lakehouse.db.statement import Lock, Scope, Statement
from tests.contracts.databases import BRANCH, SCAN, STAGE, paths, stage

pytestmark = pytest.mark.anyio

# -- concurrency -------------------------------------------------------------------------------------------------------


async def test_compare_and_set_loses_no_step(database: Any, open_database: Any) -> None:
    await database.apply(stage(b"n", b"0"))
    handles = [database, open_database()]
    step = "update staged set value = ? where token = 1 and path = ? and value = ?"

    async def client(handle: Any) -> None:
        done = 0
        while done < 10:
            (old,) = await handle.one("select value from staged where token = 1")
            try:
                await handle.apply(Statement(step, (b"%d" % (int(old) + 1), b"n", old), rows=1, otherwise=LostRace()))
                done += 1
            except LostRace:
                continue

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(client(handles[number % 2]))
    assert await database.one("select value from staged where token = 1") == (b"120",)


async def test_if_none_match_has_one_winner_for_each_key(database: Any, open_database: Any) -> None:
    await database.apply(Statement(STAGE, many=tuple((1, b"%03d" % n, b"") for n in range(0, 100, 2))))
    handles = [database, open_database()]
    claim = f"{STAGE} on conflict (token, path) do update set value = excluded.value where length(staged.value) = 0"
    wins: list[tuple[bytes, bytes]] = []

    async def client(number: int) -> None:
        for n in range(100):
            path, me = b"%03d" % n, b"client %d" % number
            try:
                await handles[number % 2].apply(Statement(claim, (1, path, me), rows=1, otherwise=LostRace()))
                wins.append((path, me))
            except LostRace:
                continue

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(client(number))
    assert sorted(wins) == await database.all("select path, value from staged where token = 1 order by path")
    assert len(wins) == 100


async def test_ids_are_never_used_again(database: Any) -> None:
    make = Statement("insert into users (name, created) values ('x', 0) returning id")
    seen = set()
    for _ in range(5):
        ((row,),) = await database.apply(make)
        assert row[0] not in seen
        seen.add(row[0])
        await database.apply(Statement("delete from users where id = ?", row, rows=1))


async def test_a_branch_and_a_tag_cannot_have_one_name(database: Any) -> None:
    insert = (
        "insert into refs (repository, name, kind, commit_id, created, updated) values (1, ?, ?, '', 0, 0)"
        " on conflict (repository, name) do nothing"
    )

    async def claim(number: int) -> bool:
        try:
            await database.apply(Statement(insert, (f"n{number // 2}", number % 2), rows=1, otherwise=LostRace()))
        except LostRace:
            return False
        return True

    won = await asyncio.gather(*(claim(number) for number in range(100)))
    assert sum(won) == 50
    assert await database.one("select count(*) from refs") == (50,)


async def test_whoever_has_a_branch_for_itself_sees_all_that_shared_it(database: Any, open_database: Any) -> None:
    """Rows go under the token that the branch shows; what a seal sets aside gets no row after it."""
    await database.apply(Statement(BRANCH, (1,)))
    handles = [database, open_database()]
    lock = Lock(Scope.BRANCH, 1)
    put = "insert into staged (token, path, value) select staging_token, ?, ? from refs where name = 'main'"
    counted: dict[int, int] = {}
    sealing = True

    async def write(number: int) -> None:
        n = 0
        while sealing:
            n += 1
            path = b"%02d %06d" % (number, n)
            await handles[number % 2].apply(Statement(put, (path, b""), rows=1, otherwise=LostRace(), locks=(lock,)))

    async def seal() -> None:
        nonlocal sealing
        alone = (Lock(Scope.BRANCH, 1, exclusive=True),)
        for token in range(1, 60):
            move = "update refs set staging_token = staging_token + 1 where name = 'main'"
            count = "update installation set value = (select count(*) from staged where token = ?) where key = 'count'"
            count += " returning value"
            [_, [[rows]]] = await handles[token % 2].apply(
                Statement(move, rows=1, locks=alone), Statement(count, (token,), rows=1)
            )
            counted[token] = int(rows)
        sealing = False

    await database.apply(Statement("insert into installation (key, value) values ('count', '')"))
    async with asyncio.TaskGroup() as group:
        group.create_task(seal())
        for number in range(8):
            group.create_task(write(number))
    for token, rows in counted.items():
        assert await database.one("select count(*) from staged where token = ?", (token,)) == (rows,), "a late row"
    assert sum(counted.values()) > 0


async def test_locks_of_many_scopes_are_taken_in_one_order(database: Any, open_database: Any) -> None:
    handles = [database, open_database()]
    locks = [Lock(Scope.BRANCH, 2, exclusive=True), Lock(Scope.REPOSITORY, 7), Lock(Scope.BRANCH, 1, exclusive=True)]

    async def client(number: int) -> None:
        for n in range(10):
            mine = locks if n % 2 else locks[::-1]
            path = b"%d %d" % (number, n)
            await handles[number % 2].apply(
                *(Statement(STAGE, (at, path, b""), rows=1, locks=(lock,)) for at, lock in enumerate(mine))
            )

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(client(number))
    assert await database.one("select count(*) from staged") == (8 * 10 * 3,)


async def test_transactions_that_wait_for_each_other_end_all_the_same(database: Any, open_database: Any) -> None:
    """Rows written in two orders: where that is a deadlock, one is undone and run again."""
    await database.apply(stage(b"a", b"0"), stage(b"b", b"0"))
    handles = [database, open_database()]
    update = "update staged set value = ? where path = ?"

    async def client(number: int) -> None:
        order = (b"a", b"b") if number % 2 else (b"b", b"a")
        for n in range(3):
            value = b"%d %d" % (number, n)
            await handles[number % 2].apply(*(Statement(update, (value, path), rows=1) for path in order))

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(client(number))
    rows = await database.all("select value from staged")
    assert rows[0] == rows[1]


# -- opening and closing ---------------------------------------------------------------------------------------------


async def test_what_was_written_is_there_after_closing(open_database: Any) -> None:
    first = open_database()
    await first.migrate()
    pending = [asyncio.create_task(first.apply(stage(b"%03d" % n))) for n in range(100)]
    await asyncio.sleep(0)
    await first.close()
    await asyncio.gather(*pending)
    assert await paths(open_database()) == [b"%03d" % n for n in range(100)]


async def test_a_closed_database_says_so(database: Any) -> None:
    await database.one("select 1")
    await database.close()
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.apply(stage(b"a"))
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.one("select 1")
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await anext(database.pages(SCAN, (1, b""), size=1))
