# SPDX-License-Identifier: Apache-2.0
"""The index's account of segments: how much of each is still the bytes of objects.

Every change is part of the transaction that changes the rows of the objects. A segment goes to the trash when its last
row goes, but never while its writer may add to it: `total` is null until it was closed. One whose objects were moved to
another segment, or stored there once more, stays for `MOVED_STAYS` seconds, so that whoever copies the folder file by
file misses nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lakehouse.objects.segment_record import is_segment, left_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from lakehouse.objects.local_file import Header

TABLE = """
create table if not exists segments (
    file text primary key,
    live integer not null,
    weight integer not null,
    total integer,
    moved real,
    dead real
) strict, without rowid;
create table if not exists retired (file text primary key, moved real not null) strict, without rowid;
"""
MOVED_STAYS = 24 * 3600.0
"""Seconds that a segment stays on the disk after objects were moved out of it."""
DEAD_STAYS = 28 * 24 * 3600.0
"""Seconds after which a segment is compacted for the least of what is dead in it."""
_OWN = 128
"""What a record weighs beside its bytes: its head, more or less."""


class Index(Protocol):
    """Where the rows are."""

    def all(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        ...


class Place(msgspec.Struct, frozen=True):
    """Where the bytes of an object are."""

    file: str
    start: int
    size: int


def weight(sizes: Iterable[int]) -> int:
    """What records of so many bytes weigh."""
    return sum(size + _OWN for size in sizes)


def add(connection: sqlite3.Connection, places: Iterable[Place]) -> None:
    """Note that these places have a row now. Of files that are no segments nothing is noted."""
    live, weights = Counter[str](), Counter[str]()
    for place in places:
        if is_segment(place.file):
            live[place.file] += 1
            weights[place.file] += place.size + _OWN
    for file, number in live.items():
        connection.execute(
            "insert into segments values (?, ?, ?, null, null, null) on conflict do update set "
            "live = live + excluded.live, weight = weight + excluded.weight",
            (file, number, weights[file]),
        )


def let_go(connection: sqlite3.Connection, place: Place) -> list[str]:
    """Note that a record has no row any more; what is to be removed: the record, or the segment when it was the last
    and nothing was moved out of it.

    The caller puts it into the trash.
    """
    rows = connection.execute(
        "update segments set live = live - 1, weight = weight - ? where file = ? returning live, total, moved",
        (place.size + _OWN, place.file),
    ).fetchall()
    for live, total, moved in rows:
        if live == 0 and total is not None:
            return _end(connection, place.file, moved) or [left_of(place.file, place.start)]
    return [left_of(place.file, place.start)]


def leave(connection: sqlite3.Connection, place: Place, now: float) -> None:
    """Note that the bytes of a record have been written again elsewhere, and the row names that place.

    The record is not struck out: it stays good for whoever copies the folder.
    """
    connection.execute("update segments set moved = ? where file = ?", (now, place.file))
    let_go(connection, place)


def close(connection: sqlite3.Connection, file: str, total: int) -> list[str]:
    """Note that nothing is added to a segment any more, which holds records of the weight `total`; what is to be
    removed, the segment itself when no row names it.
    """
    rows = connection.execute(
        "update segments set total = max(?, weight) where file = ? returning live, moved", (total, file)
    ).fetchall()
    if not rows:
        left = [] if connection.execute("select 1 from retired where file = ?", (file,)).fetchall() else [file]
    else:
        ((live, moved),) = rows
        left = _end(connection, file, moved) if live == 0 else []
    connection.executemany("insert or ignore into trash values (?)", [(name,) for name in left])
    return left


def _end(connection: sqlite3.Connection, file: str, moved: float | None) -> list[str]:
    connection.execute("delete from segments where file = ?", (file,))
    if moved is None:
        return [file]
    connection.execute("insert or replace into retired values (?, ?)", (file, moved))
    return []


def keep(connection: sqlite3.Connection, files: Iterable[str]) -> None:
    """Note segments that have no row but may have had objects: they are never removed."""
    connection.executemany("insert or replace into retired values (?, ?)", [(file, math.inf) for file in files])


def is_open(index: Index, file: str) -> bool | None:
    """Whether a segment may still get records, as far as the index knows; None when it does not know it at all."""
    for (total,) in index.all("select total from segments where file = ?", (file,)):
        return total is None
    return False if index.all("select 1 from retired where file = ?", (file,)) else None


def names(index: Index, segment: str, header: Header) -> bool:
    """Whether the row of the object that a record says it is names that record of the segment."""
    sql = "select file, start from objects where bucket = ? and key = ?"
    return index.all(sql, (header.label.bucket, header.label.key)) == [(segment, header.offset)]


def end_of(index: Index, segment: str) -> int:
    """Where the last record with a row ends, 0 when there is none. Looks at the rows of all objects."""
    ((end,),) = index.all("select coalesce(max(start + size), 0) from objects where file = ?", (segment,))
    return int(end)


def count_again(connection: sqlite3.Connection, totals: dict[str, int]) -> list[str]:
    """Make the account of a lost index again from the rows of its objects, given what those segments hold that nobody
    writes; segments without a row, which are to be removed. Of others it is kept that they were closed.
    """
    connection.execute("update segments set live = 0, weight = 0")
    connection.execute(
        "insert into segments select file, count(*), sum(size) + count(*) * ?, null, null, null from objects "
        "where file like '%-s-%' group by file "
        "on conflict do update set live = excluded.live, weight = excluded.weight",
        (_OWN,),
    )
    for file, total in connection.execute("select file, total from segments where total is not null").fetchall():
        totals.setdefault(file, total)
    return [name for file, total in totals.items() for name in close(connection, file, total)]


class Move(msgspec.Struct, frozen=True):
    """An object whose bytes were written a second time, to be found there from now on."""

    bucket: str
    key: bytes
    old: Place
    new: Place


def move(connection: sqlite3.Connection, moves: Sequence[Move], now: float) -> list[str]:
    """Point the rows of these objects at their new places, but those that changed meanwhile; what is to be removed."""
    left: list[str] = []
    for one in moves:
        old, new = one.old, one.new
        changed = connection.execute(
            "update objects set file = ?, start = ? where bucket = ? and key = ? and file = ? and start = ?",
            (new.file, new.start, one.bucket, one.key, old.file, old.start),
        )
        if changed.rowcount == 1:
            add(connection, [new])
            leave(connection, old, now)
        else:
            left.append(left_of(new.file, new.start))
    connection.executemany("insert or ignore into trash values (?)", [(name,) for name in left])
    return left


def note_dead(connection: sqlite3.Connection, now: float) -> None:
    """Note since when closed segments have had records that are no objects any more."""
    connection.execute("update segments set dead = ? where dead is null and weight < total", (now,))


def worth_moving(index: Index, now: float) -> list[str]:
    """Closed segments of which a quarter or more is no object's any more, or anything for long; the emptiest first."""
    sql = "select file from segments where total is not null and (weight * 4 <= total * 3 or dead < ?) order by weight"
    return [file for (file,) in index.all(sql, (now - DEAD_STAYS,))]


def expire(connection: sqlite3.Connection, before: float) -> list[str]:
    """Give up the segments whose last object was moved away before `before`; they are to be removed."""
    rows = connection.execute("delete from retired where moved < ? returning file", (before,)).fetchall()
    connection.executemany("insert or ignore into trash values (?)", rows)
    return [file for (file,) in rows]
