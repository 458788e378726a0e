# SPDX-License-Identifier: Apache-2.0
"""Segments of the embedded store: files that hold many small objects, one record after another.

The layout is specified in docs/formats/object-store.md. A record says all that the index knows of its object and has
checksums with the salt of its segment, so that whoever reads a segment without the index knows a whole record from one
that was being written when the machine stopped, and from bytes that somebody stored and that only look like a record.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

import msgspec
import xxhash

from lakehouse.core.errors import DataTooNew
from lakehouse.objects.disk_errors import unreadable
from lakehouse.objects.local_file import MAGIC, RECORD, Header, Label, head_of, header_of

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_MAGIC = b"LAKESEG\x00"
SEGMENT_FORMAT = 1
_SEGMENT = struct.Struct(">8sHH4xQ8x")
"""Magic, format, flags, salt."""
_SEAL = struct.Struct(">QII8x")
"""Checksum of the bytes, that of the head, the head's length; the last eight say whether the record is struck out."""
_STATE = 8
FIRST = _SEGMENT.size
"""Where the first record of a segment begins."""
_STEP = 8
_WINDOW = 256 * 1024
_SECTOR = 4096
"""Bytes that are passed over when the disk cannot read them."""
_HEAD_GUESS = 1024
_MARK = "-s-"
_LONGEST_HEAD = 1024 * 1024


class NewRecord(msgspec.Struct, frozen=True):
    """An object to be written as a record; `etag` None: the MD5 of its bytes."""

    label: Label
    body: bytes
    modified: float
    etag: str | None = None


class Record(msgspec.Struct, frozen=True):
    """A record that was found: where it begins and ends, its header (`offset` from the segment's beginning)."""

    begin: int
    end: int
    header: Header
    struck: bool
    """Whether it was noted in the segment that this is no object any more."""
    whole: bool
    """Whether all of its bytes are as they were written."""


def segment_name(name: str) -> str:
    """The name of a segment, made from that of a file: no other file's looks like it."""
    number, _, token = name.rpartition("-")
    return f"{number}{_MARK}{token}"


def is_segment(name: str) -> bool:
    """Whether this is the name of a segment."""
    return _MARK in name


def left_of(file: str, start: int) -> str:
    """What is left to be removed of an object: its file, or `<segment>@<start>` for a record among others."""
    return f"{file}@{start}" if is_segment(file) else file


def segment_head(salt: int) -> bytes:
    """The first bytes of a segment."""
    return _SEGMENT.pack(SEGMENT_MAGIC, SEGMENT_FORMAT, 0, salt)


def read_salt(file: int) -> int | None:
    """The salt of an open segment; None when it is none. Raises DataTooNew."""
    raw = os.pread(file, FIRST, 0)
    if len(raw) < FIRST:
        return None
    magic, version, _, salt = _SEGMENT.unpack(raw)
    if magic != SEGMENT_MAGIC:
        return None
    if version > SEGMENT_FORMAT:
        raise DataTooNew(f"a segment has format {version}, this program reads up to {SEGMENT_FORMAT}: use a newer one")
    return int(salt)


def encode(record: NewRecord, *, etag: str, salt: int) -> tuple[bytes, bytes]:
    """What stands before and behind the bytes of an object in a segment."""
    body = record.body
    head = _padded(head_of(record.label, size=len(body), modified=record.modified, etag=etag, flags=RECORD))
    seal = _SEAL.pack(xxhash.xxh3_64_intdigest(body, salt), _head_sum(head, salt), len(head))
    return head + seal, bytes(-len(body) % _STEP)


def strike(file: int, start: int) -> None:
    """Note in an open segment that the record whose bytes begin at `start` is no object any more."""
    os.pwrite(file, b"\x01", start - _STATE)


def scan(file: int, begin: int = FIRST) -> Iterator[Record]:
    """The records of an open segment from `begin` on, in their order, also those behind one that is damaged or that
    the disk cannot read.

    Raises DataTooNew, OSError.
    """
    salt, size = read_salt(file), os.fstat(file).st_size
    if salt is None:
        return
    at = begin
    while at < size:
        found = _record(file, at, size, salt)
        if found is not None:
            yield found
            at = found.end
        else:
            at = _next(file, at + _STEP)


def head_before(file: int, start: int) -> Header | None:
    """The header of the record whose bytes begin at `start` in an open segment; None when there is no such record."""
    seal = os.pread(file, _SEAL.size, start - _SEAL.size)
    if len(seal) < _SEAL.size:
        return None
    begin = start - _SEAL.size - _SEAL.unpack(seal)[2]
    salt = read_salt(file)
    found = None if salt is None or begin < FIRST else _head(file, begin, salt)
    return None if found is None or found[0].offset != start else found[0]


def _record(file: int, at: int, size: int, salt: int) -> Record | None:
    found = _head(file, at, salt)
    if found is None:
        return None
    header, checksum, struck = found
    end = header.offset + header.size
    whole = end <= size and _body_sum(file, header, salt) == checksum
    return Record(at, end + -end % _STEP, header, struck, whole)


def _head(file: int, at: int, salt: int) -> tuple[Header, int, bool] | None:
    """Header of the record at `at`, checksum of its bytes, whether it is struck out; None when none begins there."""
    raw = _read(file, _HEAD_GUESS, at)
    try:
        short = header_of(raw)
    except DataTooNew:  # the segment's format says which headers are in it: these are bytes that look like one
        return None
    if short is None or not short.flags & RECORD or short.offset > _LONGEST_HEAD:
        return None
    length = short.offset + -short.offset % _STEP
    if length + _SEAL.size > len(raw):
        raw = _read(file, length + _SEAL.size, at)
        if len(raw) < length + _SEAL.size:
            return None
    checksum, head_sum, said = _SEAL.unpack_from(raw, length)
    if said != length or _head_sum(raw[:length], salt) != head_sum:
        return None
    label = short.label(raw)
    if label is None:
        return None
    header = short.header(label, at + length + _SEAL.size)
    return header, checksum, raw[length + _SEAL.size - _STATE] != 0


def _head_sum(head: bytes, salt: int) -> int:
    return xxhash.xxh3_64_intdigest(head, salt) & 0xFFFFFFFF


def _body_sum(file: int, header: Header, salt: int) -> int:
    digest = xxhash.xxh3_64(seed=salt)
    at, end = header.offset, header.offset + header.size
    while at < end and (data := _read(file, min(_WINDOW, end - at), at)):
        digest.update(data)
        at += len(data)
    return digest.intdigest() if at == end else -1


def _next(file: int, at: int) -> int:
    """Where, from `at` on, the next record may begin; the end of the segment when nowhere."""
    end = os.fstat(file).st_size
    while at < end:
        data = _read(file, _WINDOW, at) or _read(file, _SECTOR - at % _SECTOR, at)
        found = data.find(MAGIC)
        while found >= 0:
            if (at + found) % _STEP == 0:
                return at + found
            found = data.find(MAGIC, found + 1)
        at += len(data) // _STEP * _STEP or _SECTOR - at % _SECTOR
    return at


def _read(file: int, size: int, at: int) -> bytes:
    """Up to `size` bytes; none at the end of the file, and where the disk cannot read them."""
    try:
        return os.pread(file, size, at)
    except OSError as error:
        if unreadable(error):
            return b""
        raise


def _padded(head: bytes) -> bytes:
    return head + bytes(-len(head) % _STEP)
