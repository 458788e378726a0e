# SPDX-License-Identifier: Apache-2.0
"""Children: the values of inner nodes (docs/formats/tree.md, "Children")."""

from __future__ import annotations

import msgspec

from lakehouse.core.errors import DataDamaged


class Child(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The value of an inner node: a node one level below, whose last key is this value's key.

    `count` and `size` are of all entries below it (number, sum of the sizes of their objects in bytes); `length` is
    that of its own payload, uncompressed. Fields are only ever appended.
    """

    id: bytes
    first: bytes
    count: int
    size: int
    length: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Child)
_decoder_of_many = msgspec.msgpack.Decoder(list[Child])


def pack_child(child: Child) -> bytes:
    """The value of an inner node."""
    return _encoder.encode(child)


def unpack_child(value: bytes) -> Child:
    """One value of an inner node. Raises DataDamaged."""
    try:
        return _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise DataDamaged("an inner node holds a value that is no child: run `lakehouse fsck`") from error


def unpack_children(values: list[bytes]) -> list[Child]:
    """All values of an inner node, or a slice of them, in one call. Raises DataDamaged."""
    try:
        return _decoder_of_many.decode(array_of(values))
    except msgspec.DecodeError as error:
        raise DataDamaged("an inner node holds a value that is no child: run `lakehouse fsck`") from error


def array_of(values: list[bytes]) -> bytes:
    """One MessagePack array of values that are packed already, so that one C call decodes them all."""
    return b"\xdd" + len(values).to_bytes(4, "big") + b"".join(values)
