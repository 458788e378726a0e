# SPDX-License-Identifier: Apache-2.0
"""The index's rows of unfinished multipart uploads and their parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import ContentDiffers, InvalidPart, PreconditionFailed, UploadNotFound
from lakehouse.core.paths import after_prefix
from lakehouse.objects import manifest
from lakehouse.objects.address import key_text
from lakehouse.objects.local_file import Label
from lakehouse.objects.local_index import REPLACE, columns_of, require_match
from lakehouse.objects.manifest import FileSpan
from lakehouse.objects.port import Match, PartInfo, PutMode, Upload
from lakehouse.objects.segment_index import Place

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lakehouse.objects.local_index import Index, Row
    from lakehouse.objects.port import Mode


class PartRow(msgspec.Struct, frozen=True):
    """A part: its file, where in it the bytes start, and its facts."""

    file: str
    start: int
    info: PartInfo


class Completed(msgspec.Struct, frozen=True):
    """Whether the object that was there `stands`, and the files that are left without a row."""

    stands: bool
    left: list[str]


def _end(connection: sqlite3.Connection, upload: str, *, keep: Sequence[str]) -> list[str]:
    """Forget an upload and its parts; the files that are to be removed: all but those to `keep`."""
    kept = frozenset(keep)
    connection.execute("delete from uploads where id = ?", (upload,))
    rows = connection.execute("delete from parts where upload = ? returning file", (upload,)).fetchall()
    names = [name for (name,) in rows if name not in kept]
    connection.executemany("insert or ignore into trash values (?)", [(name,) for name in names])
    return names


class Parts:
    """Rows of uploads and parts, in the file of the index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def create(self, upload: str, label: Label, now: float) -> None:
        """Note a new upload."""
        row = (upload, label.bucket, label.key, label.content_type, json.dumps(label.metadata), now)

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("insert into uploads values (?, ?, ?, ?, ?, ?)", row)

        await self._index.run(insert)

    def label(self, upload: str) -> Label | None:
        """What an upload will become; None when there is no such upload."""
        sql = "select bucket, key, content_type, metadata from uploads where id = ?"
        for bucket, key, content_type, metadata in self._index.all(sql, (upload,)):
            return Label(bucket, key, content_type, json.loads(metadata))
        return None

    async def put(self, upload: str, row: PartRow) -> list[str]:
        """Note a part, in place of one of the same number; files to remove. Raises UploadNotFound."""
        info = row.info
        columns = (upload, info.number, row.file, row.start, info.size, info.etag, info.modified)

        def replace(connection: sqlite3.Connection) -> list[str]:
            if connection.execute("select 1 from uploads where id = ?", (upload,)).fetchone() is None:
                raise UploadNotFound
            sql = "select file from parts where upload = ? and number = ?"
            old = [name for (name,) in connection.execute(sql, (upload, info.number)).fetchall()]
            connection.execute("insert or replace into parts values (?, ?, ?, ?, ?, ?, ?)", columns)
            connection.executemany("insert or ignore into trash values (?)", [(name,) for name in old])
            return old

        return await self._index.run(replace)

    def page(self, upload: str, *, after: int, limit: int) -> list[PartRow]:
        """Parts in order of their numbers."""
        sql = (
            "select file, start, number, size, etag, modified from parts "
            "where upload = ? and number > ? order by number limit ?"
        )
        rows = self._index.all(sql, (upload, after, limit))
        return [PartRow(row[0], row[1], PartInfo(*row[2:])) for row in rows]

    async def drop(self, upload: str) -> list[str]:
        """Forget an upload and its parts; files to remove."""

        def delete(connection: sqlite3.Connection) -> list[str]:
            return _end(connection, upload, keep=())

        return await self._index.run(delete)

    async def complete(self, upload: str, label: Label, made: tuple[Row, Sequence[PartRow]], mode: Mode) -> Completed:
        """Make the object of an upload: its row, the spans, and the end of the upload, in one transaction.

        `made`: the row of the manifest, and the parts that it names. With ONCE the row that was there stands when it is
        made of the same parts. Raises UploadNotFound, InvalidPart when a part was replaced meanwhile,
        PreconditionFailed, ContentDiffers, StoredObjectNotFound; then nothing has changed.
        """
        row, parts = made
        place = (label.bucket, label.key)

        def finish(connection: sqlite3.Connection) -> Completed:
            if connection.execute("select 1 from uploads where id = ?", (upload,)).fetchone() is None:
                raise UploadNotFound
            sql = "select file, start, size, etag from objects where bucket = ? and key = ?"
            there = connection.execute(sql, place).fetchone()
            if isinstance(mode, Match):
                require_match(mode, None if there is None else there[3])
            if there is not None and mode is PutMode.CREATE:
                raise PreconditionFailed
            if there is not None and mode is PutMode.ONCE:
                if there[2:] != (row.info.size, row.info.etag):
                    raise ContentDiffers
                return Completed(stands=True, left=[row.file, *_end(connection, upload, keep=())])
            files = dict(connection.execute("select number, file from parts where upload = ?", (upload,)).fetchall())
            if any(files.get(part.info.number) != part.file for part in parts):
                raise InvalidPart("a part was uploaded again while the upload was being completed")
            connection.execute(REPLACE, columns_of(label.bucket, label.key, row))
            manifest.add(connection, row.file, [FileSpan(part.file, part.start, part.info.size) for part in parts])
            left = [] if there is None else manifest.let_go(connection, Place(*there[:3]))
            return Completed(stands=False, left=left + _end(connection, upload, keep=[part.file for part in parts]))

        return await self._index.run(finish)

    def abandoned(self, before: float, *, limit: int) -> list[str]:
        """Ids of uploads that began before `before` (seconds since 1970) and got no part since."""
        sql = (
            "select id from uploads u where created < ? and not exists "
            "(select 1 from parts p where p.upload = u.id and p.modified >= ?) limit ?"
        )
        return [name for (name,) in self._index.all(sql, (before, before, limit))]

    def uploads(self, bucket: str, *, prefix: str, after: tuple[str, str], limit: int) -> list[Upload]:
        """Unfinished uploads in order of key and id, strictly after `after`."""
        low, key, upload = (text.encode("utf-8", "surrogateescape") for text in (prefix, *after))
        end = after_prefix(low) or b"\xff" * 1025
        sql = (
            "select key, id, created from uploads where bucket = ? and key >= ? and key < ? "
            "and (key, id) > (?, ?) order by key, id limit ?"
        )
        rows = self._index.all(sql, (bucket, low, end, key, upload.decode(), limit))
        return [Upload(key_text(row[0]), row[1], row[2]) for row in rows]

    def has_file(self, label: Label, file: str) -> bool:
        """Whether a part's row names this file."""
        place = (label.metadata.get("upload", ""), int(label.metadata.get("part", "0")))
        return self._index.all("select file from parts where upload = ? and number = ?", place) == [(file,)]
