# SPDX-License-Identifier: Apache-2.0
"""What the folder of an embedded store holds, seen without its index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.port import Location
from lakehouse.objects.segment_record import is_segment, scan

if TYPE_CHECKING:
    from pathlib import Path

    from lakehouse.objects.port import ByteRange


def stored(folder: Path) -> list[str]:
    """Names of files, and of the records of segments that are not struck out."""
    found = []
    for path in sorted(folder.glob("objects/*/*")):
        found += records(path) if is_segment(path.name) else [path.name]
    return found


def records(segment: Path) -> list[str]:
    """Of one segment: name and place of each record that is whole and not struck out."""
    with segment.open("rb") as file:
        good = [record for record in scan(file.fileno()) if record.whole and not record.struck]
    return [f"{segment.name}@{record.header.offset}" for record in good]


def segments(folder: Path) -> list[Path]:
    """The files that are segments."""
    return [path for path in sorted(folder.glob("objects/*/*")) if is_segment(path.name)]


def at(key: str) -> Location:
    """Where tests of one store put this key."""
    return Location("lake.local", key)


async def read(store, key: str, byte_range: ByteRange | None = None) -> bytes:
    """The bytes of an object of such a store."""
    return await (await store.get(at(key), byte_range)).read()


def account(store) -> dict[str, tuple[int, int, int | None]]:
    """What its index says of segments: live records, their weight, and that of all once closed."""
    return {row[0]: row[1:] for row in store._index.all("select file, live, weight, total from segments", ())}


def lose_index(folder: Path) -> None:
    """Remove the index of a store that is closed."""
    for path in folder.glob("index.sqlite*"):
        path.unlink()
