# SPDX-License-Identifier: Apache-2.0
"""What tests on PostgreSQL rely on: nothing of the test before is in the tables that they are given."""

from __future__ import annotations

import psycopg
import pytest

from lakehouse.versioning import resolve
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import commit_all, open_lake, put

pytestmark = pytest.mark.anyio
ROWS = """select tablename, (xpath('/row/n/text()', query_to_xml(format('select count(*) n from %I', tablename),
    false, true, '')))[1]::text::int from pg_tables where schemaname = current_schema()"""


async def used(url: str) -> int:
    """Make a repository there with a commit and with staged rows; its id."""
    lake = await open_lake(url)
    await create_repository(lake, RepositoryRequest(name="lakes"))
    await put(lake, "lakes", "main", a="1")
    await commit_all(lake, "lakes", "main")
    await put(lake, "lakes", "main", b="2")
    found = await resolve.repository(lake, "lakes")
    await lake.background.drain()
    await lake.db.close()
    return found.id


async def test_a_place_is_handed_on_without_rows(postgres) -> None:
    with postgres.place() as first:
        number = await used(first)
        with psycopg.connect(first) as connection:
            filled = {name for name, rows in connection.execute(ROWS) if rows}
    assert {"repositories", "refs", "staged", "schema_migrations"} <= filled
    with postgres.place() as second:
        with psycopg.connect(second) as connection:
            assert {name for name, rows in connection.execute(ROWS) if rows} == {"schema_migrations"}
        assert await used(second) == number
    assert second == first


async def test_two_places_are_two(postgres) -> None:
    with postgres.place() as one, postgres.place() as other:
        assert await used(one) == await used(other)
