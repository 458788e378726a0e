# SPDX-License-Identifier: Apache-2.0
"""The index's rows of unfinished multipart uploads and their parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import UploadNotFound
from lakehouse.core.paths import after_prefix
from lakehouse.objects.address import key_text
from lakehouse.objects.local_file import Label
from lakehouse.objects.port import PartInfo, Upload

if TYPE_CHECKING:
    import sqlite3

    from lakehouse.objects.local_index import Index


class PartRow(msgspec.Struct, frozen=True):
    """A part: its file, where in it the bytes start, and its facts."""

    file: str
    start: int
    info: PartInfo


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
            connection.execute("delete from uploads where id = ?", (upload,))
            rows = connection.execute("delete from parts where upload = ? returning file", (upload,)).fetchall()
            connection.executemany("insert or ignore into trash values (?)", rows)
            return [name for (name,) in rows]

        return await self._index.run(delete)

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
