# SPDX-License-Identifier: Apache-2.0
"""The embedded store's index: which object is at which key, in an SQLite file of its own.

An object exists exactly when its row does. Each change is one transaction that also notes the files which it leaves
without an object (`trash`), so that a crash before they are removed leaves no unknown files.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.errors import (
    ContentDiffers,
    DatabaseUnavailable,
    DataTooNew,
    PreconditionFailed,
    StorageUnavailable,
    StoredObjectNotFound,
)
from lakehouse.core.paths import after_prefix
from lakehouse.objects import manifest, segment_index
from lakehouse.objects.address import key_text
from lakehouse.objects.port import Match, ObjectInfo, PutMode, StoredObject
from lakehouse.objects.segment_index import Place
from lakehouse.objects.segment_record import is_segment, left_of
from lakehouse.sqlite.readers import Readers
from lakehouse.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeVar

    from lakehouse.objects.manifest import FileSpan
    from lakehouse.objects.port import Mode

    T = TypeVar("T")

SCHEMA = 1

_TABLES = (
    """
create table if not exists objects (
    bucket text not null,
    key blob not null,
    file text not null,
    start integer not null,
    size integer not null,
    etag text not null,
    modified real not null,
    content_type text not null,
    metadata text not null,
    primary key (bucket, key)
) strict, without rowid;
create table if not exists uploads (
    id text primary key,
    bucket text not null,
    key blob not null,
    content_type text not null,
    metadata text not null,
    created real not null
) strict, without rowid;
create index if not exists uploads_by_key on uploads (bucket, key, id);
create table if not exists parts (
    upload text not null,
    number integer not null,
    file text not null,
    start integer not null,
    size integer not null,
    etag text not null,
    modified real not null,
    primary key (upload, number)
) strict, without rowid;
create table if not exists trash (file text primary key) strict, without rowid;
"""
    + manifest.TABLE.lstrip()
    + segment_index.TABLE.lstrip()
)

_STANDS = "select file, start, size, etag from objects where bucket = ? and key = ?"
_COLUMNS = "file, start, size, etag, modified, content_type, metadata"
_FIND = f"select {_COLUMNS} from objects where bucket = ? and key = ?"  # noqa: S608 - our own columns
_INSERT = "insert into objects values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing"
REPLACE = "insert or replace into objects values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PAGE = f"select key, {_COLUMNS} from objects where bucket = ? and key >= ? and key < ? order by key limit ?"  # noqa: S608
_PAGE_OPEN = f"select key, {_COLUMNS} from objects where bucket = ? and key >= ? order by key limit ?"  # noqa: S608


class Row(msgspec.Struct, frozen=True):
    """What the index says of an object: its file, where in it the bytes start, and its facts."""

    file: str
    start: int
    info: ObjectInfo

    @property
    def place(self) -> Place:
        """Where its bytes are."""
        return Place(self.file, self.start, self.info.size)


def _row(columns: Sequence[Any]) -> Row:
    file, start, size, etag, modified, content_type, metadata = columns
    facts = ObjectInfo(size, etag, modified, content_type, json.loads(metadata) if metadata != "{}" else {})
    return Row(file, start, facts)


def require_match(mode: Match, etag: str | None) -> None:
    """Raises StoredObjectNotFound when nothing is there (`etag` None), PreconditionFailed when it is another object."""
    if etag is None:
        raise StoredObjectNotFound("no object here has the ETag that was asked for")
    if not mode.meets(etag):
        raise PreconditionFailed


def columns_of(bucket: str, key: bytes, row: Row) -> tuple[str | bytes | int | float, ...]:
    """What `REPLACE` takes."""
    info = row.info
    metadata = json.dumps(info.metadata, separators=(",", ":")) if info.metadata else "{}"
    return bucket, key, row.file, row.start, info.size, info.etag, info.modified, info.content_type, metadata


class Index:
    """Rows by bucket and key. Reads run at once on the calling thread, writes are committed together."""

    def __init__(self, path: Path) -> None:
        """Open or make the file at `path`. Raises StartupError."""
        self._writer = Writer(path)
        self._readers = Readers(path)
        self._removed: list[str] = []

    async def prepare(self) -> bool:
        """Make the tables; whether they have yet to be filled from the files. Raises DataTooNew."""

        def make(connection: sqlite3.Connection) -> bool:
            (version,) = connection.execute("pragma user_version").fetchone()
            if version > SCHEMA:
                raise DataTooNew(
                    f"the object store's index has version {version}, this program knows up to {SCHEMA}: "
                    "use the version that made it, or a newer one"
                )
            for statement in _TABLES.strip().split(";\n"):
                connection.execute(statement)
            return not _is_filled(connection)

        return await self.run(make, savepoint=True)

    async def filled(self, segments: dict[str, int], *, kept: Sequence[str] = ()) -> list[str]:
        """Note that every file has its row: the index is to be believed from here on. `segments` is what those hold
        that nobody writes, `kept` those that are never to be removed; what is to be removed.
        Nothing happens when another process was faster.
        """

        def mark(connection: sqlite3.Connection) -> list[str]:
            if _is_filled(connection):
                return []
            segment_index.keep(connection, kept)
            left = segment_index.count_again(connection, segments)
            connection.execute(f"pragma user_version = {SCHEMA}")
            return left

        return await self.run(mark)

    def find(self, bucket: str, key: bytes) -> Row | None:
        """The row of an object, or None. Raises StorageUnavailable."""
        found = self.all(_FIND, (bucket, key))
        return _row(found[0]) if found else None

    def page(self, bucket: str, *, prefix: bytes, after: bytes, limit: int) -> list[StoredObject]:
        """Up to `limit` objects in order of key. Raises StorageUnavailable."""
        # Keys begin at the prefix itself, or after the last one seen: the latter excludes, so add the least byte.
        first = max(prefix, after + b"\x00" if after else b"")
        end = after_prefix(prefix)
        if end is None:
            rows = self.all(_PAGE_OPEN, (bucket, first, limit))
        else:
            rows = self.all(_PAGE, (bucket, first, end, limit))
        return [StoredObject(key_text(row[0]), _row(row[1:]).info) for row in rows]

    def buckets(self, *, after: str, limit: int) -> list[str]:
        """Names of buckets that have an object, in order, after `after`."""
        found: list[str] = []
        while len(found) < limit:
            rows = self.all("select min(bucket) from objects where bucket > ?", (after,))
            if rows[0][0] is None:
                break
            after = rows[0][0]
            found.append(after)
        return found

    async def put(self, bucket: str, key: bytes, row: Row, mode: Mode) -> tuple[Row, list[str]]:
        """Point a key at a file; the row that now stands, and what is to be removed.

        With ONCE the row that was there stands when its bytes are the same; then `row` is to be removed. Raises
        PreconditionFailed, ContentDiffers, StoredObjectNotFound, StorageFull, StorageUnavailable; then nothing has
        changed.
        """
        info, columns = row.info, columns_of(bucket, key, row)
        emptied = self._take_removed()

        def replace(connection: sqlite3.Connection) -> tuple[Row, list[str]]:
            old = connection.execute(_STANDS, (bucket, key)).fetchone()
            if isinstance(mode, Match):
                require_match(mode, None if old is None else old[3])
            connection.execute(REPLACE, columns)
            left = _take_over(connection, [(row, old)])
            _empty(connection, emptied)
            return row, left

        def insert(connection: sqlite3.Connection) -> tuple[Row, list[str]]:
            if connection.execute(_INSERT, columns).rowcount == 1:
                return row, _take_over(connection, [(row, None)])
            there = _row(connection.execute(_FIND, (bucket, key)).fetchone())
            if there.place == row.place:  # whoever made a lost index again found our record first
                return there, []
            if mode is PutMode.CREATE:
                raise PreconditionFailed
            if (there.info.size, there.info.etag) != (info.size, info.etag):
                raise ContentDiffers
            return there, [left_of(row.file, row.start)]

        if mode is PutMode.CREATE or mode is PutMode.ONCE:
            self._removed += emptied
            return await self.run(insert)
        try:
            return await self.run(replace)
        except (PreconditionFailed, StoredObjectNotFound):
            self._removed += emptied
            raise

    async def put_many(self, rows: Sequence[tuple[str, bytes, Row]]) -> list[str]:
        """Point keys (bucket, key, file) at files, all in one transaction; what is to be removed.

        The record of an object that is there already is left as if it had been moved: batches are what others build
        on, such as nodes of trees, and a copy of the folder must find it in one place or the other.

        Raises StorageFull, StorageUnavailable.
        """
        emptied = self._take_removed()

        def replace(connection: sqlite3.Connection) -> list[str]:
            olds = [connection.execute(_STANDS, (bucket, key)).fetchone() for bucket, key, _ in rows]
            connection.executemany(REPLACE, [columns_of(*row) for row in rows])
            made = [(row, old) for (_, _, row), old in zip(rows, olds, strict=True)]
            again = [(row, old) for row, old in made if old is not None and _again(row, old)]
            left = _take_over(connection, [(row, None if _again(row, old) else old) for row, old in made])
            for row, old in again:
                segment_index.leave(connection, Place(*old[:3]), row.info.modified)
            _empty(connection, emptied)
            return left

        return await self.run(replace)

    async def delete(self, keys: Sequence[tuple[str, bytes]]) -> list[str]:
        """Drop the rows of these keys in one transaction; what is to be removed."""
        emptied = self._take_removed()

        def drop(connection: sqlite3.Connection) -> list[str]:
            names: list[str] = []
            for place in keys:
                sql = "delete from objects where bucket = ? and key = ? returning file, start, size"
                for row in connection.execute(sql, place).fetchall():
                    names += manifest.let_go(connection, Place(*row))
            _empty(connection, emptied)
            return names

        return await self.run(drop)

    def removed(self, names: Sequence[str]) -> None:
        """Note that these files of the trash are gone; a later transaction strikes them out."""
        self._removed += names

    def trash(self) -> list[str]:
        """Files that have no object any more and may still be there."""
        return [name for (name,) in self.all("select file from trash", ())]

    async def empty_trash(self) -> None:
        """Strike out now what `removed` noted."""
        emptied = self._take_removed()
        if emptied:
            await self.run(lambda connection: _empty(connection, emptied))

    async def put_manifest(
        self, bucket: str, key: bytes, row: Row, spans: Sequence[FileSpan], *, source: str
    ) -> tuple[Row, list[str]]:
        """Point a key at a manifest that shares the files of the manifest `source`; as `put` does, replacing.

        Raises StoredObjectNotFound when `source` has gone meanwhile; then nothing has changed.
        """

        def replace(connection: sqlite3.Connection) -> tuple[Row, list[str]]:
            if not manifest.stands(connection, source):
                raise StoredObjectNotFound
            old = connection.execute(_STANDS, (bucket, key)).fetchone()
            connection.execute(REPLACE, columns_of(bucket, key, row))
            manifest.add(connection, row.file, spans)
            return row, [] if old is None else manifest.let_go(connection, Place(*old[:3]))

        return await self.run(replace)

    async def restore(self, rows: Sequence[tuple[str, bytes, Row, list[FileSpan]]]) -> None:
        """Add rows that were read from files' headers; of two files of one key the younger one wins.

        Nothing happens when another process has noted that all are there: it may have deleted some of them since.
        """

        def add(connection: sqlite3.Connection) -> None:
            if _is_filled(connection):
                return
            for bucket, key, row, spans in rows:
                manifest.add(connection, row.file, spans)
                connection.execute(
                    "insert into objects values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set "
                    "file = excluded.file, start = excluded.start, size = excluded.size, etag = excluded.etag, "
                    "modified = excluded.modified, content_type = excluded.content_type, "
                    "metadata = excluded.metadata where excluded.modified > modified",
                    columns_of(bucket, key, row),
                )

        await self.run(add)

    def close(self) -> None:
        """Wait for what was accepted, then let go of the file. Blocks."""
        self._readers.close()
        self._writer.close()

    def _take_removed(self) -> list[str]:
        taken, self._removed = self._removed, []
        return taken

    def all(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows of a bounded SELECT. Raises StorageUnavailable."""
        try:
            return self._readers.all(sql, params)
        except DatabaseUnavailable as error:
            raise StorageUnavailable(f"{StorageUnavailable.default} ({error})") from error

    async def run(self, job: Callable[[sqlite3.Connection], T], *, savepoint: bool = False) -> T:
        """A transaction; without savepoint, `job` raises only when it has changed nothing."""
        try:
            return await self._writer.run(job, savepoint=savepoint)
        except DatabaseUnavailable as error:
            raise StorageUnavailable(f"{StorageUnavailable.default} ({error})") from error


def _is_filled(connection: sqlite3.Connection) -> bool:
    (version,) = connection.execute("pragma user_version").fetchone()
    return bool(version)


def _take_over(
    connection: sqlite3.Connection, rows: Sequence[tuple[Row, tuple[str, int, int, str] | None]]
) -> list[str]:
    """Account for rows that were made, each in place of (file, start, size, etag); what is to be removed."""
    changed = [(row.place, old) for row, old in rows if old is None or Place(*old[:3]) != row.place]
    segment_index.add(connection, (place for place, _ in changed))
    return [name for _, old in changed if old is not None for name in manifest.let_go(connection, Place(*old[:3]))]


def _again(row: Row, old: tuple[str, int, int, str] | None) -> bool:
    """Whether a row was made for the bytes that its key had before, which are elsewhere in a segment."""
    facts = row.info.size, row.info.etag
    return old is not None and is_segment(old[0]) and old[2:] == facts and Place(*old[:3]) != row.place


def _empty(connection: sqlite3.Connection, names: Sequence[str]) -> None:
    if names:
        connection.executemany("delete from trash where file = ?", [(name,) for name in names])
