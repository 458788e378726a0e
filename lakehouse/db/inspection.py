# SPDX-License-Identifier: Apache-2.0
"""What a database is made of: schema, tables with their sizes, and whether its file is sound. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import StartupError
from lakehouse.db.migrations import MIGRATIONS
from lakehouse.db.migrations.migration import require_known

if TYPE_CHECKING:
    from lakehouse.db.port import Database

_HIDDEN = ("sqlite_", "_sqlite_migrations", "schema_migrations")


class Table(msgspec.Struct, frozen=True):
    """A table. `size` in bytes with its indexes, None where the database does not tell."""

    name: str
    rows: int
    size: int | None


def is_sqlite(scheme: str) -> bool:
    """By the scheme of `database.url`."""
    return scheme == "sqlite"


async def applied(db: Database, scheme: str) -> list[str]:
    """Names of the migrations that were applied, oldest first; none in a database that is no lake's."""
    if is_sqlite(scheme):
        there, listed = (
            "select 1 from sqlite_master where name = '_sqlite_migrations'",
            "select name from _sqlite_migrations where migration_set = 'lakehouse' order by name",
        )
    else:
        there, listed = (
            "select 1 where to_regclass('schema_migrations') is not null",
            "select name from schema_migrations order by name",
        )
    if await db.one(there) is None:
        return []
    return [row[0] for row in await db.all(listed)]


async def require_current(db: Database, scheme: str) -> None:
    """Raises StartupError when the schema is not this program's, DataTooNew when it is a newer one's."""
    names = await applied(db, scheme)
    if not names:
        raise StartupError("there is no lake in this database; is it the right one?")
    require_known(names, MIGRATIONS)
    missing = [migration.name for migration in MIGRATIONS if migration.name not in names]
    if missing:
        raise StartupError(
            f"the database has the schema of an older lakehouse, without {missing[0]}: use that version's command, or "
            "start this version's server once, which brings it up to date"
        )


async def tables(db: Database, scheme: str) -> list[Table]:
    """All tables of the lake, in order of name. Counts every row."""
    if is_sqlite(scheme):
        listed = await db.all("select name from sqlite_master where type = 'table' order by name")
        sizes = await _sqlite_sizes(db)
    else:
        rows = await db.all(
            "select c.relname, pg_total_relation_size(c.oid) from pg_class c join pg_namespace n on "
            "n.oid = c.relnamespace where c.relkind = 'r' and n.nspname = current_schema() order by c.relname"
        )
        listed, sizes = [(row[0],) for row in rows], {row[0]: row[1] for row in rows}
    found = []
    for (name,) in (row[:1] for row in listed):
        if not name.startswith(_HIDDEN):
            row = await db.one(f'select count(*) from "{name}"')  # noqa: S608  (a name of the database's own)
            found.append(Table(name, 0 if row is None else row[0], sizes.get(name)))
    return found


async def _sqlite_sizes(db: Database) -> dict[str, int]:
    known = await db.one("select 1 from pragma_module_list where name = 'dbstat'")
    if known is None:
        return {}
    rows = await db.all(
        "select m.tbl_name, sum(s.pgsize) from dbstat s join sqlite_master m on m.name = s.name "
        "where s.aggregate = true group by m.tbl_name"
    )
    return {row[0]: row[1] for row in rows}


async def damage(db: Database, scheme: str) -> list[str]:
    """What is wrong with the file itself, in the database's own words. PostgreSQL looks after itself."""
    if not is_sqlite(scheme):
        return []
    rows = await db.all("pragma integrity_check(100)")
    return [row[0] for row in rows if row[0] != "ok"]


async def version(db: Database, scheme: str) -> str:
    """Of the database itself."""
    row = await db.one(
        "select 'SQLite ' || sqlite_version()" if is_sqlite(scheme) else "select 'PostgreSQL ' || version()"
    )
    return "" if row is None else str(row[0]).replace("PostgreSQL PostgreSQL", "PostgreSQL")
