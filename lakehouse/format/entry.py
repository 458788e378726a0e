# SPDX-License-Identifier: Apache-2.0
"""The bytes of an entry, as trees and staging areas hold it: a MessagePack array that only ever grows at its end.

Readers ignore fields that they do not know, and whoever moves an entry moves its bytes, so that an older program loses
nothing that a newer one wrote. Identity (is it the same object?) is not equality of bytes: see `same_identity`.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataDamaged, InvalidArgument
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.child import array_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TOMBSTONE = b""
"""What stands for "deleted" where a packed entry would stand. No entry packs to it."""

_WITHOUT_PARTS = b"\x98"
"""An array of eight elements: `parts`, the last one, is one byte when it is 0, and is left out."""

MAX_METADATA = 8192
"""Bytes of UTF-8, keys and values together."""
_METADATA = itemgetter(6)
_TOO_LONG = f"metadata is longer than {MAX_METADATA} bytes: invalid value: validation error"


class _Sized(msgspec.Struct, array_like=True, gc=False):
    address: msgspec.Raw
    kind: int
    size: int


class _Identity(msgspec.Struct, array_like=True):
    address: str
    kind: int
    size: int
    checksum: str
    mtime: msgspec.Raw
    content_type: str = ""
    metadata: dict[str, str] = {}
    store: str = ""


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decode = msgspec.msgpack.Decoder(Entry).decode
_sized = msgspec.msgpack.Decoder(_Sized)
_all_sized = msgspec.msgpack.Decoder(list[_Sized])
_identity = msgspec.msgpack.Decoder(_Identity)


Packable = tuple[str, int, int, str, int, str, dict[str, str], str]
"""The fields of an `Entry` in their order, but for `parts`, which is 0."""


def pack_page(entries: Sequence[Packable]) -> list[bytes]:
    """What `pack` makes of each, without making them. Raises InvalidArgument when one cannot be kept."""
    try:
        if any(map(_too_long, filter(None, map(_METADATA, entries)))):
            raise InvalidArgument(_TOO_LONG)
        return list(map(_encoder.encode, entries))
    except (UnicodeEncodeError, OverflowError) as error:
        raise _unfit(error) from error


def pack(entry: Entry) -> bytes:
    """The canonical bytes of an entry. Raises InvalidArgument when it cannot be kept."""
    try:
        if entry.metadata and _too_long(entry.metadata):
            raise InvalidArgument(_TOO_LONG)
        packed = _encoder.encode(entry)
        return packed if entry.parts else _WITHOUT_PARTS + packed[1:-1]
    except (UnicodeEncodeError, OverflowError) as error:
        raise _unfit(error) from error


def _unfit(error: Exception) -> InvalidArgument:
    return InvalidArgument(f"entry cannot be stored ({error}): invalid value: validation error")


def _too_long(metadata: dict[str, str]) -> bool:
    return sum(map(_utf8_length, chain(metadata, metadata.values()))) > MAX_METADATA


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def unpack(packed: bytes) -> Entry:
    """The entry of these bytes; fields that this program does not know are left out. Raises DataDamaged."""
    try:
        return _decode(packed)
    except msgspec.DecodeError as error:
        raise _damaged(packed) from error


def unpack_all(packed: Sequence[bytes]) -> list[Entry]:
    """As `unpack`, of each. Raises DataDamaged."""
    try:
        return list(map(_decode, packed))
    except msgspec.DecodeError:
        return list(map(unpack, packed))  # says which


def same_identity(left: bytes, right: bytes) -> bool:
    """Whether two packed entries (or tombstones) are the same object.

    Size, checksum, content type and user metadata decide; of external objects the store and address too. Neither
    the time of change nor the address of an object of our own counts. Raises DataDamaged.
    """
    if left == right:
        return True
    if not left or not right:
        return False
    try:
        return _identity_of(left) == _identity_of(right)
    except msgspec.DecodeError as error:
        raise _damaged(left + right) from error


def same_or_absent(left: bytes | None, right: bytes | None) -> bool:
    """As `same_identity`, where either may be absent: only what is absent on both sides is then the same."""
    if left is None or right is None:
        return left is right
    return same_identity(left, right)


def _identity_of(packed: bytes) -> tuple[object, ...]:
    entry = _identity.decode(packed)
    outside = (entry.store, entry.address) if entry.kind == AddressKind.FULL else None
    return (entry.size, entry.checksum, entry.content_type, entry.metadata, outside)


def size_of(packed: bytes) -> int:
    """Bytes of the object. Raises DataDamaged."""
    try:
        return _sized.decode(packed).size
    except msgspec.DecodeError as error:
        raise _damaged(packed) from error


def total_size(packed: list[bytes]) -> int:
    """Sum of `size_of` over a page or a node. Raises DataDamaged."""
    try:
        return sum([entry.size for entry in _all_sized.decode(array_of(packed))])
    except msgspec.DecodeError as error:
        raise _damaged(b"".join(packed)) from error


def _damaged(packed: bytes) -> DataDamaged:
    return DataDamaged(f"an entry cannot be read (it begins with {packed[:24].hex()}): run `lakehouse fsck`")
