# SPDX-License-Identifier: Apache-2.0
"""What the folder of an embedded store holds, seen without its index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.objects.segment_record import is_segment, scan

if TYPE_CHECKING:
    from pathlib import Path


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
