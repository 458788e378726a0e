# SPDX-License-Identifier: Apache-2.0
"""Putting the embedded store's folder in order after a crash: stray files go, a lost index comes back."""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lakehouse.core.offload import PAGE, breathe
from lakehouse.objects import segment_index
from lakehouse.objects.disk_errors import unreadable
from lakehouse.objects.local_file import path_of, read_header
from lakehouse.objects.local_index import Row
from lakehouse.objects.local_layout import dead_processes, files, forget, living_processes
from lakehouse.objects.local_trash import remove
from lakehouse.objects.manifest import MANIFEST, decode, has_file
from lakehouse.objects.part_index import Parts
from lakehouse.objects.port import ObjectInfo
from lakehouse.objects.segment_index import is_open, names, weight
from lakehouse.objects.segment_record import FIRST, is_segment, scan, strike

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor

    from lakehouse.objects.local_file import Header
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.manifest import FileSpan

log = logging.getLogger(__name__)

_Found: TypeAlias = "tuple[str, bytes, Row, list[FileSpan]]"
"""Bucket, key, row and, of an object of parts, what its manifest says."""


async def sweep(root: Path, index: Index, executor: Executor) -> None:
    """Remove what replaced or deleted objects left, and the files of dead processes that have no object."""
    loop = asyncio.get_running_loop()
    await _empty_trash(root, index, executor, index.trash())
    dead = await loop.run_in_executor(executor, dead_processes, root)
    if not dead:
        return
    later = set()
    for segment in await loop.run_in_executor(executor, remove_strays, root, index, dead):
        try:
            total = await loop.run_in_executor(executor, judge_segment, root, index, segment)
        except OSError:
            log.warning("the segment %s cannot be put in order; the next start tries it again", segment, exc_info=True)
            later.add(segment.rpartition("-")[2])
            continue
        if total is not None:
            left = await index.run(lambda connection, of=(segment, total): segment_index.close(connection, *of))  # type: ignore[misc]
            await _empty_trash(root, index, executor, left)
    for token in dead:
        if token not in later:
            forget(root, token)


async def _empty_trash(root: Path, index: Index, executor: Executor, names: Sequence[str]) -> None:
    if names:
        await asyncio.get_running_loop().run_in_executor(executor, remove, root, names)
        index.removed(names)
        await index.empty_trash()


def remove_strays(root: Path, index: Index, dead: Sequence[str]) -> list[str]:
    """Remove every file of these dead processes that no row names; their segments, which have yet to be judged.

    Reads all folders, on a thread.
    """
    tokens = frozenset(dead)
    segments = []
    for number, entry in enumerate(files(root)):
        if number % PAGE == 0:
            breathe()
        name, _, suffix = entry.name.partition(".")
        if name.rpartition("-")[2] not in tokens:
            continue
        if is_segment(name):
            segments.append(name)
        elif suffix or not _has_object(index, entry):
            os.unlink(entry.path)  # noqa: PTH108
    return segments


def judge_segment(root: Path, index: Index, name: str) -> int | None:
    """Put the segment of a dead process in order: the weight of its records; None when it is closed or has gone.

    One without a row is removed. Of others, records that are no object's are struck out, and what follows the last
    record that is whole or has a row is cut off: nobody can have heard that it was stored.
    """
    open_ = is_open(index, name)
    if not open_:
        if open_ is None:
            remove(root, [name])
        return None
    try:
        file = os.open(path_of(root, name), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # another process was faster
        return None
    try:
        end, total = segment_index.end_of(index, name), 0
        for number, record in enumerate(scan(file)):
            if number % PAGE == 0:
                breathe()
            header, named = record.header, names(index, name, record.header)
            if record.whole or named:
                end, total = max(end, record.end), total + weight([header.size])
            if record.whole and not named and not record.struck:
                strike(file, header.offset)
        if 0 < end < os.fstat(file).st_size:
            os.ftruncate(file, end)
    finally:
        os.close(file)
    return total


def _has_object(index: Index, entry: os.DirEntry[str]) -> bool:
    file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        header = read_header(file)
    except OSError as error:
        if not unreadable(error):
            raise
        log.warning("the file %s cannot be read; it stays", entry.name, exc_info=True)
        return True
    finally:
        os.close(file)
    if header is None:
        return False
    if header.part:
        return Parts(index).has_file(header.label, entry.name) or has_file(index, entry.name)
    row = index.find(header.label.bucket, header.label.key)
    return row is not None and row.file == entry.name


async def restore_index(root: Path, index: Index) -> int:
    """Make the rows of a lost index again from the headers of the files; the number of objects that were read.

    Of several of one key the one that was written last wins.
    """
    loop = asyncio.get_running_loop()
    totals: dict[str, int | None] = {}
    found = _objects(root, totals)
    seen = 0
    while rows := await loop.run_in_executor(None, lambda: list(islice(found, PAGE))):
        await index.restore(rows)
        seen += len(rows)
    living = living_processes(root)
    ended = {name: total for name, total in totals.items() if name.rpartition("-")[2] not in living}
    kept = [name for name, total in ended.items() if total is None]
    for name in kept:
        log.warning("no record of the segment %s can be read; it stays where it is, without its objects", name)
    left = await index.filled({name: total for name, total in ended.items() if total is not None}, kept=kept)
    await loop.run_in_executor(None, remove, root, left)
    index.removed(left)
    return seen


def _objects(root: Path, totals: dict[str, int | None]) -> Iterator[_Found]:
    """What the folder has; notes in `totals` the weight of each segment, None when something is in it that cannot be
    read, and nothing else.
    """
    for entry in files(root):
        if "." in entry.name:
            continue
        file = os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if is_segment(entry.name):
                yield from _records(file, entry.name, totals)
            else:
                yield from _object(root, file, entry.name)
        except OSError as error:
            if not unreadable(error):
                raise
            log.warning("the file %s cannot be read; it stays, and its objects are missing", entry.name, exc_info=True)
        finally:
            os.close(file)


def _records(file: int, name: str, totals: dict[str, int | None]) -> Iterator[_Found]:
    totals[name] = None if os.fstat(file).st_size > FIRST else 0
    for record in scan(file):
        if record.whole:
            header = record.header
            totals[name] = (totals[name] or 0) + weight([header.size])
            if not record.struck:
                yield header.label.bucket, header.label.key, Row(name, header.offset, _info(header, header.size)), []


def _object(root: Path, file: int, name: str) -> Iterator[_Found]:
    header = read_header(file)
    if header is None or header.part:
        return
    spans, size, start = [], header.size, header.offset
    if header.manifest:
        read = _spans(root, file, header)
        if read is None:
            return
        spans, size, start = read, sum(one.size for one in read), MANIFEST
    yield header.label.bucket, header.label.key, Row(name, start, _info(header, size)), spans


def _info(header: Header, size: int) -> ObjectInfo:
    label = header.label
    return ObjectInfo(size, header.etag, header.modified, label.content_type, label.metadata)


def _spans(root: Path, file: int, header: Header) -> list[FileSpan] | None:
    """What a manifest says; None when one of its parts is not on the disk any more: then it was being removed."""
    spans = decode(os.pread(file, header.size, header.offset))
    if spans is None or any(not Path(path_of(root, span.file)).exists() for span in spans):
        return None
    return spans
