# SPDX-License-Identifier: Apache-2.0
"""The schema's history: names, placeholders, and what SQLite makes of them."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse._version import __version__
from lakehouse.core.errors import DataTooNew
from lakehouse.db.dialect import SQLITE
from lakehouse.db.migrations import MIGRATIONS, Migration
from lakehouse.db.migrations.migration import require_known
from lakehouse.db.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from pathlib import Path


def test_names_are_in_order_and_numbered() -> None:
    names = [migration.name for migration in MIGRATIONS]
    assert names == sorted(names)
    assert all(re.fullmatch(r"\d{4}_[a-z_]+", name) for name in names)
    assert len({name[:4] for name in names}) == len(names)


def test_every_placeholder_is_known() -> None:
    for migration in MIGRATIONS:
        for ddl in migration.ddl:
            filled = SQLITE.fill(ddl)
            assert not re.search(r"\{[a-z]", filled)
    with pytest.raises(KeyError, match="mystery"):
        SQLITE.fill("create table t (a {mystery})")


def test_what_is_ahead_is_refused_by_name() -> None:
    known = (Migration("0001_a", ()), Migration("0002_b", ()))
    require_known(["0001_a"], known)
    require_known([], ())
    with pytest.raises(DataTooNew, match=rf"0009_z.*\({re.escape(__version__)}\).*0002_b.*newer version.*backup"):
        require_known(["0001_a", "0009_z", "0003_c"], known)
    with pytest.raises(DataTooNew, match="none"):
        require_known(["0001_a"], ())


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    import asyncio

    async def make() -> None:
        database = SqliteDatabase(tmp_path / "m.db")
        await database.migrate()
        await database.close()

    asyncio.run(make())
    opened = sqlite3.connect(tmp_path / "m.db")
    yield opened
    opened.close()


def test_all_tables_are_strict_and_ranges_are_clustered(connection: sqlite3.Connection) -> None:
    rows = connection.execute("select name, strict, wr from pragma_table_list where schema = 'main'").fetchall()
    tables = {name: (strict, clustered) for name, strict, clustered in rows if not name.startswith("sqlite_")}
    assert {name for name, (strict, _) in tables.items() if not strict} == set()
    assert {"reflog", "commits", "staged", "settings"} <= {name for name, (_, wr) in tables.items() if wr}


def test_the_record_is_kept_by_name(connection: sqlite3.Connection) -> None:
    applied = connection.execute("select migration_set, name from _sqlite_migrations order by id").fetchall()
    assert applied == [("lakehouse", migration.name) for migration in MIGRATIONS]


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("select id from refs where repository = 1 and name = 'main'", "refs"),
        ("select name from refs where repository = 1 and name > 'a' order by name limit 100", "refs"),
        ("select value from staged where token = 1 and path = x'00'", "PRIMARY KEY"),
        ("select path from staged where token = 1 and path > x'00' order by path limit 1000", "PRIMARY KEY"),
        ("select 1 from repositories where storage_namespace = 'x'", "repositories_storage_namespace"),
        ('select 1 from credentials where "user" = 1', "credentials_user"),
        ("select 1 from commits where repository = 1 and id >= 'ab' and id < 'ac'", "PRIMARY KEY"),
        ("select 1 from reflog where branch = 1 order by seq desc limit 1", "PRIMARY KEY"),
    ],
)
def test_lookups_use_an_index_and_need_no_sort(connection: sqlite3.Connection, sql: str, index: str) -> None:
    plan = " ".join(row[3] for row in connection.execute(f"explain query plan {sql}"))
    assert plan.startswith("SEARCH")
    assert index in plan
    assert "TEMP B-TREE" not in plan
