# SPDX-License-Identifier: Apache-2.0
"""Whether what the embedded store's index says is so on the disk: files are there, and long enough."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.objects.address import key_bytes
from lakehouse.objects.local_file import path_of
from lakehouse.objects.manifest import MANIFEST, spans_of
from lakehouse.objects.segment_record import head_before, is_segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.objects.local_index import Index, Row


def check_files(root: Path, index: Index, bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    """Of these objects those whose bytes are not there, each with what is wrong in words.

    An object whose row changes meanwhile is looked at once more.
    """
    wrong = []
    for key in keys:
        for _ in range(2):
            row = index.find(bucket, key_bytes(key))
            found = None if row is None else _wrong(root, index, row)
            if found is None or index.find(bucket, key_bytes(key)) == row:
                break
        if found is not None:
            wrong.append((key, found))
    return wrong


def _wrong(root: Path, index: Index, row: Row) -> str | None:
    if row.start != MANIFEST:
        short = _short(root, row.file, row.start + row.info.size)
        return short or (_other(root, row) if is_segment(row.file) else None)
    spans = spans_of(index, row.file)
    if sum(span.size for span in spans) != row.info.size:
        return "does not have all of its parts"
    return next((found for span in spans if (found := _short(root, span.file, span.start + span.size))), None)


def _other(root: Path, row: Row) -> str | None:
    """What is wrong with the record that a row names."""
    try:
        file = os.open(path_of(root, row.file), os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = head_before(file, row.start)
        finally:
            os.close(file)
    except OSError as error:
        return f"has a segment {row.file} that cannot be read: {error.strerror}"
    if header is None or (header.size, header.etag) != (row.info.size, row.info.etag):
        return f"is not in the segment {row.file} where the index says"
    return None


def _short(root: Path, file: str, least: int) -> str | None:
    try:
        size = Path(path_of(root, file)).stat().st_size
    except OSError as error:
        return f"has lost its file {file}: {error.strerror}"
    return None if size >= least else f"has a file {file} of {size} bytes, {least} are needed"
