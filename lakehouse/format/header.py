# SPDX-License-Identifier: Apache-2.0
"""The header before every stored node, and its body's compression (docs/formats/tree.md, "Stored form").

What is here never takes part in a node's id: the same node may be stored with another codec, or encrypted, and stays
the same node.
"""

from __future__ import annotations

import struct
import sys
from enum import IntEnum

import msgspec
import xxhash

from lakehouse.core.errors import DataDamaged, FormatUnknown

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAGIC = b"LHND"
VERSION = 2
"""Of the stored form that is written; 1 is read."""
MAX_LENGTH = 1 << 28
"""Largest uncompressed payload in bytes that a reader accepts: no honest node comes near it."""

_LAYOUT = struct.Struct(">4sBBBBHHIQ")
HEADER_SIZE = _LAYOUT.size
_ZSTD_LEVEL = 1
ADVICE = "run `lakehouse fsck`, and restore the object from a backup or replica of the store"


class Codec(IntEnum):
    """How the body is compressed."""

    NONE = 0
    ZSTD = 1


class Header(msgspec.Struct, frozen=True):
    """The 24 bytes before a body, numbers big-endian. `length` is that of the payload, uncompressed."""

    version: int
    codec: Codec
    level: int
    table: int
    length: int
    checksum: int


def wrap(body: bytes, *, level: int, table: int, length: int, codec: Codec) -> bytes:
    """A body with its header, as it is stored. `length` as in the header."""
    head = _LAYOUT.pack(MAGIC, VERSION, codec, 0, level, table, 0, length, xxhash.xxh3_64_intdigest(body))
    return head + body


def version_of(data: bytes) -> int:
    """The version that the header of a stored node says, unchecked; 0 when there is none."""
    return data[4] if len(data) >= HEADER_SIZE else 0


def read_header(data: bytes, *, name: str) -> Header:
    """The header of a stored node; `name` says which in errors. Raises DataDamaged, FormatUnknown."""
    if len(data) < HEADER_SIZE or data[:4] != MAGIC:
        raise DataDamaged(f"node {name}: not a node (no header): {ADVICE}")
    _, version, codec, encryption, level, table, _, length, checksum = _LAYOUT.unpack_from(data)
    if not 1 <= version <= VERSION:
        raise FormatUnknown(f"node {name}: format version {version} is newer than this program knows: upgrade it")
    if encryption:
        raise FormatUnknown(
            f"node {name}: encrypted by method {encryption}, which this program does not know: upgrade it"
        )
    if codec not in (Codec.NONE, Codec.ZSTD):
        raise FormatUnknown(f"node {name}: compressed by codec {codec}, which this program does not know: upgrade it")
    if length > MAX_LENGTH:
        raise DataDamaged(f"node {name}: says it is {length} bytes long: {ADVICE}")
    return Header(version, Codec(codec), level, table, length, checksum)


def unwrap(data: bytes, *, name: str) -> tuple[Header, bytes]:
    """Header and body of a stored node, checksum verified. Raises DataDamaged, FormatUnknown."""
    header = read_header(data, name=name)
    body = data[HEADER_SIZE:]
    if xxhash.xxh3_64_intdigest(body) != header.checksum:
        raise DataDamaged(f"node {name}: the checksum does not match: {ADVICE}")
    return header, body


class Compressor:
    """Compresses one payload after the other, which spares a third of what each costs alone. For one thread."""

    def __init__(self) -> None:
        self._zstd = zstd.ZstdCompressor(level=_ZSTD_LEVEL)

    def compress(self, payload: bytes) -> bytes:
        """One Zstandard frame; what does not shrink stays as it is, which is known by its length."""
        self._zstd.set_pledged_input_size(len(payload))
        body = self._zstd.compress(payload, mode=self._zstd.FLUSH_FRAME)
        return body if len(body) < len(payload) else payload


def decompressed(body: bytes, length: int, *, name: str) -> bytes:
    """What a frame holds, `length` bytes. Never makes more than these and one, whatever it says. Raises DataDamaged."""
    reader = zstd.ZstdDecompressor()
    try:
        payload = reader.decompress(body, max_length=length + 1)
    except zstd.ZstdError as error:
        raise DataDamaged(f"node {name}: cannot be decompressed: {ADVICE}") from error
    if not reader.eof or reader.unused_data or len(payload) != length:
        raise DataDamaged(f"node {name}: does not decompress to the length that was noted: {ADVICE}")
    return payload
