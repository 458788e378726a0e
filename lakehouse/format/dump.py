# SPDX-License-Identifier: Apache-2.0
"""The bytes of a dump: commits, branches or tags of a repository, in a file that is named by its own SHA-256.

A head of magic, version and kind; then pages, each a length of four bytes, its xxh3 of eight bytes, and a MessagePack
array of records (docs/formats/dump.md). A page of length 0 ends the file: without it, it is cut off.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

import msgspec
import xxhash

from lakehouse.core.errors import DataDamaged, FormatUnknown

if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"LHRD"
VERSION = 1
HEAD = len(MAGIC) + 2
FRAME = struct.Struct(">IQ")
MOST_BYTES = 1 << 26
"""Of a page; more is no page of ours."""
T = TypeVar("T")


class DumpKind(IntEnum):
    COMMITS = 0
    BRANCHES = 1
    TAGS = 2


class DumpedRef(msgspec.Struct, frozen=True, array_like=True):
    """A branch or a tag: fields are only ever appended."""

    name: str
    commit: str
    hidden: bool = False


_encoder = msgspec.msgpack.Encoder(order="deterministic")


def dump_head(kind: DumpKind) -> bytes:
    """What a file begins with."""
    return MAGIC + bytes((VERSION, kind))


def require_head(head: bytes, kind: DumpKind) -> None:
    """Raises DataDamaged when this is no dump of this kind, FormatUnknown when it is of a newer version."""
    if len(head) != HEAD or head[:4] != MAGIC or head[5] != kind:
        raise DataDamaged(f"this is not a dump of {kind.name.lower()}")
    if head[4] != VERSION:
        raise FormatUnknown(f"the dump has version {head[4]}, this program knows {VERSION}: upgrade it")


def dump_page(records: Sequence[object]) -> bytes:
    """A page of records; without records the end of a file."""
    packed = _encoder.encode(records) if records else b""
    return FRAME.pack(len(packed), xxhash.xxh3_64_intdigest(packed)) + packed


def read_page(packed: bytes, digest: int, kind: type[T]) -> list[T]:
    """The records of a page's bytes. Raises DataDamaged."""
    if xxhash.xxh3_64_intdigest(packed) != digest:
        raise DataDamaged("a page of the dump is not what was written")
    try:
        return msgspec.msgpack.decode(packed, type=list[kind])  # type: ignore[valid-type]
    except msgspec.DecodeError as error:
        raise DataDamaged("a page of the dump cannot be read") from error
