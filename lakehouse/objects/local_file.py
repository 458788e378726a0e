# SPDX-License-Identifier: Apache-2.0
"""One file of the embedded store: a header that says what it is, then the object's bytes.

The header holds all that the index knows of the object, so that a lost index can be made again. It is specified in
docs/formats/object-store.md. A file has its final name only when all of it is on disk: bytes and header are written
under a temporary name, synced, renamed, and the folder is synced.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataTooNew, StorageUnavailable
from lakehouse.objects.disk_errors import translated

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"LAKEOBJ\x00"
FORMAT = 1
_FIXED = struct.Struct(">8sHHIQd48s")
PART = 1
"""Flag of a file that holds a part of an upload."""
MANIFEST_FLAG = 2
"""Flag of a file whose bytes are a manifest."""
RECORD = 4
"""Flag of a record of a segment."""


class Label(msgspec.Struct, frozen=True, array_like=True):
    """What the header says beside size, time and ETag. Fields are only ever appended."""

    bucket: str
    key: bytes
    content_type: str
    metadata: dict[str, str]


class Written(msgspec.Struct, frozen=True):
    """A file that is in place and durable: its name, where the bytes begin, how many they are, their ETag."""

    name: str
    offset: int
    size: int
    etag: str
    modified: float


class Header(msgspec.Struct, frozen=True):
    """A header that was read."""

    label: Label
    offset: int
    size: int
    etag: str
    modified: float
    part: bool
    manifest: bool = False


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(Label).decode


def folder_of(root: Path, name: str) -> Path:
    """The folder that holds the file of this name."""
    return root / "objects" / name[:2]


def path_of(root: Path, name: str) -> str:
    """Where the file of this name is."""
    return f"{root}/objects/{name[:2]}/{name}"


def _fixed(text: bytes, *, flags: int, size: int, modified: float, etag: str) -> bytes:
    return _FIXED.pack(MAGIC, FORMAT, flags, len(text), size, modified, etag.encode())


def head_of(label: Label, *, size: int, modified: float, etag: str, flags: int = 0) -> bytes:
    """What stands before the bytes of an object in its file."""
    text = _encode(label)
    return _fixed(text, flags=flags, size=size, modified=modified, etag=etag) + text


class ShortHeader(msgspec.Struct, frozen=True):
    """The part of a header that has a fixed length. `offset`: the bytes of the header with its label."""

    flags: int
    offset: int
    size: int
    modified: float
    etag: bytes

    def label(self, raw: bytes) -> Label | None:
        """The label, from a header that was read whole; None when it is damaged."""
        try:
            return _decode(raw[_FIXED.size : self.offset])
        except msgspec.DecodeError:
            return None

    def header(self, label: Label, offset: int) -> Header:
        """All of it, of an object whose bytes begin at `offset`."""
        etag = self.etag.rstrip(b"\x00").decode()
        part, manifest = bool(self.flags & PART), bool(self.flags & MANIFEST_FLAG)
        return Header(label, offset, self.size, etag, self.modified, part, manifest)


def header_of(raw: bytes) -> ShortHeader | None:
    """The header that begins with `raw`; None when there is none. Raises DataTooNew."""
    if len(raw) < _FIXED.size:
        return None
    magic, version, flags, length, size, modified, etag = _FIXED.unpack_from(raw)
    if magic != MAGIC:
        return None
    if version > FORMAT:
        raise DataTooNew(f"an object file has format {version}, this program reads up to {FORMAT}: use a newer one")
    return ShortHeader(flags, _FIXED.size + length, size, modified, etag)


def read_header(file: int) -> Header | None:
    """The header of an open file; None when it is not one of ours or not whole. Raises DataTooNew."""
    short = header_of(os.pread(file, _FIXED.size, 0))
    if short is None or os.fstat(file).st_size != short.offset + short.size:
        return None
    label = short.label(os.pread(file, short.offset, 0))
    return None if label is None else short.header(label, short.offset)


def write_small(
    root: Path, name: str, label: Label, data: bytes, *, modified: float, flags: int = 0, etag: str | None = None
) -> Written:
    """Store `data` as the file `name`, durably; `etag` None: its MD5.

    Raises StorageFull or StorageUnavailable, and then leaves nothing.
    """
    etag = hashlib.md5(data, usedforsecurity=False).hexdigest() if etag is None else etag
    head = head_of(label, size=len(data), modified=modified, etag=etag, flags=flags)
    temporary = path_of(root, name) + ".tmp"
    with translated(on_error=lambda: unlink(temporary)):
        file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            write_all(file, head + data)
            os.fsync(file)
        finally:
            os.close(file)
        _publish(root, name)
    return Written(name, len(head), len(data), etag, modified)


class FileWriter:
    """A file that is written piece by piece. For one thread at a time; end it with `finish` or `discard`.

    Raises StorageFull or StorageUnavailable; after that only `discard` may be called.
    """

    def __init__(self, root: Path, name: str, label: Label, *, part: bool = False) -> None:
        self._root = root
        self._part = part
        self._name = name
        self._temporary = path_of(root, name) + ".tmp"
        self._digest = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self._text = _encode(label)
        self._offset = _FIXED.size + len(self._text)
        self._file = -1

    def write(self, data: bytes) -> None:
        """Append `data` (best 1 MiB)."""
        with translated():
            if self._file < 0:
                flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
                self._file = os.open(self._temporary, flags, 0o600)
                write_all(self._file, bytes(_FIXED.size) + self._text)
            write_all(self._file, data)
            self._digest.update(data)
            self._size += len(data)

    def copy_from(self, source: int, offset: int, size: int) -> None:
        """Append `size` bytes of another file. The ETag of `finish` then has to be given."""
        self.write(b"")
        with translated():
            done = 0
            while done < size:
                step = os.copy_file_range(source, self._file, size - done, offset + done)
                if step == 0:
                    raise StorageUnavailable("an object's file is shorter than the index says; run a check of the disk")
                done += step
            self._size += size

    def finish(self, modified: float, etag: str | None = None) -> Written:
        """Make the file durable under its name. `etag` None: the MD5 of what was written."""
        self.write(b"")
        etag = self._digest.hexdigest() if etag is None else etag
        with translated():
            fixed = _fixed(self._text, flags=PART if self._part else 0, size=self._size, modified=modified, etag=etag)
            os.pwrite(self._file, fixed, 0)
            os.fsync(self._file)
            self._close()
            _publish(self._root, self._name)
        return Written(self._name, self._offset, self._size, etag, modified)

    def discard(self) -> None:
        """Remove what was written. Never raises."""
        self._close()
        unlink(self._temporary)
        unlink(path_of(self._root, self._name))

    def _close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _publish(root: Path, name: str) -> None:
    """Give a synced file its name, and make the name durable."""
    path = path_of(root, name)
    os.rename(path + ".tmp", path)  # noqa: PTH104
    sync_folder(folder_of(root, name))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_all(file: int, data: bytes) -> None:
    """Write `data` to its end where the file stands."""
    done = os.write(file, data)
    while done < len(data):
        done += os.write(file, memoryview(data)[done:])


def unlink(path: str) -> None:
    """Remove a file; never raises."""
    try:
        os.unlink(path)  # noqa: PTH108
    except OSError:
        return
