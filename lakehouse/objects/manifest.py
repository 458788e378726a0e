# SPDX-License-Identifier: Apache-2.0
"""Objects that were uploaded in parts: nothing is copied, a manifest names the parts' files in their order.

The index has the same as rows of `spans`. A part's file may be in several manifests, since copies of such an object
share its files; it goes when the last of them lets go of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lakehouse.core.errors import StorageUnavailable
from lakehouse.objects import segment_index
from lakehouse.objects.segment_record import is_segment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lakehouse.objects.segment_index import Place

MANIFEST = -1
"""Stands for the place of the bytes in the row of an object whose file is a manifest."""
TABLE = """
create table if not exists spans (
    manifest text not null,
    at integer not null,
    file text not null,
    start integer not null,
    size integer not null,
    primary key (manifest, at)
) strict, without rowid;
create index if not exists spans_by_file on spans (file);
"""


class Index(Protocol):
    """Where the rows are."""

    def all(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        ...


class FileSpan(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of an object: so many, from `start` on in the file `file`."""

    file: str
    start: int
    size: int


encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[FileSpan]).decode


def decode(data: bytes) -> list[FileSpan] | None:
    """The spans of a manifest; None when it is none."""
    try:
        return _decode(data)
    except msgspec.DecodeError:
        return None


def add(connection: sqlite3.Connection, manifest: str, spans: Sequence[FileSpan]) -> None:
    """Note what a manifest says."""
    rows, at = [], 0
    for span in spans:
        rows.append((manifest, at, span.file, span.start, span.size))
        at += span.size
    connection.executemany("insert or replace into spans values (?, ?, ?, ?, ?)", rows)


def let_go(connection: sqlite3.Connection, place: Place) -> list[str]:
    """Put what an object had into the trash: its record or file and, of a manifest, the parts that no other has."""
    if is_segment(place.file):
        names = segment_index.let_go(connection, place)
    else:
        rows = connection.execute("delete from spans where manifest = ? returning file", (place.file,)).fetchall()
        shared = "select 1 from spans where file = ? limit 1"
        names = [place.file, *(name for (name,) in rows if connection.execute(shared, (name,)).fetchone() is None)]
    connection.executemany("insert or ignore into trash values (?)", [(name,) for name in names])
    return names


def stands(connection: sqlite3.Connection, manifest: str) -> bool:
    """Whether an object still has this manifest."""
    return connection.execute("select 1 from spans where manifest = ? limit 1", (manifest,)).fetchone() is not None


def spans_of(index: Index, manifest: str, *, start: int = 0, length: int | None = None) -> list[FileSpan]:
    """The spans that hold `length` bytes from `start` on (None: all), the first and last cut to them."""
    end = 2**62 if length is None else start + length
    sql = (
        "select at, file, start, size from spans where manifest = ?1 and at < ?3 "
        "and at >= (select coalesce(max(at), 0) from spans where manifest = ?1 and at <= ?2) order by at"
    )
    found = []
    for at, file, place, size in index.all(sql, (manifest, start, end)):
        skip = max(start - at, 0)
        found.append(FileSpan(file, place + skip, min(size, end - at) - skip))
    if not found:
        raise StorageUnavailable(
            "the index does not know an object's parts; they may just have been replaced: try again"
        )
    return found


def part_at(index: Index, manifest: str, number: int) -> tuple[int, int, int] | None:
    """Where the part `number` (from 1) of an object begins, its bytes, and how many parts there are; None beyond."""
    sql = (
        "select at, size, (select count(*) from spans where manifest = ?1) from spans where manifest = ?1 "
        "order by at limit 1 offset ?2"
    )
    for at, size, count in index.all(sql, (manifest, number - 1)):
        return at, size, count
    return None


def has_file(index: Index, file: str) -> bool:
    """Whether a manifest names this file."""
    return bool(index.all("select 1 from spans where file = ? limit 1", (file,)))
