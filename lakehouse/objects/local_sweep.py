# SPDX-License-Identifier: Apache-2.0
"""Putting the embedded store's folder in order after a crash: stray files go, a lost index comes back."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.core.offload import PAGE, breathe
from lakehouse.objects.local_file import path_of, read_header, remove
from lakehouse.objects.local_index import Row
from lakehouse.objects.local_layout import dead_processes, files, forget
from lakehouse.objects.manifest import MANIFEST, decode, has_file
from lakehouse.objects.part_index import Parts
from lakehouse.objects.port import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from lakehouse.objects.local_file import Header
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.manifest import FileSpan


async def sweep(root: Path, index: Index, executor: Executor) -> None:
    """Remove the files that replaced or deleted objects left, and those of dead processes that have no object."""
    loop = asyncio.get_running_loop()
    trash = index.trash()
    if trash:
        await loop.run_in_executor(executor, remove, root, trash)
        index.removed(trash)
        await index.empty_trash()
    dead = await loop.run_in_executor(executor, dead_processes, root)
    if dead:
        await loop.run_in_executor(executor, remove_strays, root, index, dead)


def remove_strays(root: Path, index: Index, dead: list[str]) -> None:
    """Remove every file of these dead processes that no row names. Reads all folders, on a thread."""
    tokens = frozenset(dead)
    for number, entry in enumerate(files(root)):
        if number % PAGE == 0:
            breathe()
        name, _, suffix = entry.name.partition(".")
        if name.rpartition("-")[2] in tokens and (suffix or not _has_object(index, entry)):
            os.unlink(entry.path)  # noqa: PTH108
    for token in dead:
        forget(root, token)


def _has_object(index: Index, entry: os.DirEntry[str]) -> bool:
    file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header = read_header(file)
    finally:
        os.close(file)
    if header is None:
        return False
    if header.part:
        return Parts(index).has_file(header.label, entry.name) or has_file(index, entry.name)
    row = index.find(header.label.bucket, header.label.key)
    return row is not None and row.file == entry.name


async def restore_index(root: Path, index: Index) -> int:
    """Make the rows of a lost index again from the headers of the files; the number of files that were read.

    Of several files of one key the one that was written last wins.
    """
    loop = asyncio.get_running_loop()
    entries = files(root)
    seen = 0
    while rows := await loop.run_in_executor(None, _read_page, root, entries):
        await index.restore(rows)
        seen += len(rows)
    await index.filled()
    return seen


def _read_page(root: Path, entries: Iterator[os.DirEntry[str]]) -> list[tuple[str, bytes, Row, list[FileSpan]]]:
    rows: list[tuple[str, bytes, Row, list[FileSpan]]] = []
    for entry in entries:
        if "." in entry.name:
            continue
        file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = read_header(file)
            spans = None if header is None or not header.manifest else _spans(root, file, header)
        finally:
            os.close(file)
        if header is not None and not header.part and (not header.manifest or spans is not None):
            label = header.label
            size, start = (header.size, header.offset) if spans is None else (sum(one.size for one in spans), MANIFEST)
            info = ObjectInfo(size, header.etag, header.modified, label.content_type, label.metadata)
            rows.append((label.bucket, label.key, Row(entry.name, start, info), spans or []))
        if len(rows) == PAGE:
            break
    return rows


def _spans(root: Path, file: int, header: Header) -> list[FileSpan] | None:
    """What a manifest says; None when one of its parts is not on the disk any more: then it was being removed."""
    spans = decode(os.pread(file, header.size, header.offset))
    if spans is None or any(not Path(path_of(root, span.file)).exists() for span in spans):
        return None
    return spans
