# SPDX-License-Identifier: Apache-2.0
"""Nodes of a tree: Range (leaf, level 0) and MetaRange (inner, level 1 and up).

A node is two parallel arrays of byte strings, its keys and its values, so that one C call decodes it and `bisect` runs
on the keys. Its id is the SHA-256 of its uncompressed canonical payload. Values stay raw bytes: decoded on demand,
copied as they are (docs/formats/tree.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.boundary import Marks
from lakehouse.format.header import Codec, unwrap, wrap

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary

FORMAT = 1
_OVERHEAD = 2 * (33 + 8)
"""Bytes that Python needs beside the content for one key and one value."""
_BESIDE = 1500
"""Bytes for the node itself, its two lists, what is known of it, and its place in a cache."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, int, list[bytes], list[bytes]])


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


class Kin(NamedTuple):
    """A node that another one was made from: outside of `keys` both hold the same."""

    id: str
    keys: frozenset[bytes]


class Node(msgspec.Struct, frozen=True, eq=False):
    """A decoded node: `keys` strictly ascending, `values[i]` belongs to `keys[i]`. Not to be changed: it is shared.

    `found` are its marks, if somebody has looked for them already: they follow from the keys. `kin` are the nodes that
    it was made from lately, in this process.
    """

    level: int
    keys: list[bytes]
    values: list[bytes]
    length: int
    found: Marks | None = None
    kin: tuple[Kin, ...] = ()

    @property
    def footprint(self) -> int:
        """Bytes of memory that it takes."""
        return self.length + _OVERHEAD * len(self.keys) + _BESIDE

    def marks(self, boundary: Boundary) -> Marks:
        """The marks among its keys by this rule, from the first position on at which a node can end. Kept."""
        if self.found is None:
            found = boundary.marks(self.level, self.keys, boundary.cut(self.level).minimum - 1)
            msgspec.structs.force_setattr(self, "found", found)
            return found
        return self.found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        return (self.level, self.keys, self.values) == (other.level, other.keys, other.values)

    __hash__ = None  # type: ignore[assignment]


class Encoded(msgspec.Struct, frozen=True):
    """A node with its canonical bytes, `payload`, to be stored as `body`."""

    id: str
    payload: bytes
    node: Node
    table: int
    codec: Codec

    @property
    def body(self) -> bytes:
        """What is stored: a header and the payload, compressed each time that it is asked for, which takes as long as
        all else that making a node does.
        """
        return wrap(self.payload, level=self.node.level, table=self.table, codec=self.codec)


_child_decoder = msgspec.msgpack.Decoder(Child)
_children_decoder = msgspec.msgpack.Decoder(list[Child])


def payload_of(level: int, keys: list[bytes], values: list[bytes]) -> bytes:
    """The canonical bytes that the id is the hash of."""
    return _encoder.encode((FORMAT, level, keys, values))


def encode_node(
    level: int,
    keys: list[bytes],
    values: list[bytes],
    *,
    table: int,
    codec: Codec = Codec.ZSTD,
    marks: Marks | None = None,
    kin: tuple[Kin, ...] = (),
) -> Encoded:
    """Make a node. `table` is the id of the boundary table that its ends were found with; `marks` if they are known."""
    payload = payload_of(level, keys, values)
    digest = hashlib.sha256(payload).hexdigest()
    return Encoded(digest, payload, Node(level, keys, values, len(payload), marks, kin), table, codec)


def decode_node(data: bytes, *, node_id: str, table: int) -> Node:
    """Read a stored node and verify that it is the one named `node_id`, cut by boundary table `table`.

    Raises DataDamaged, FormatUnknown.
    """
    header, payload = unwrap(data, name=node_id)
    if hashlib.sha256(payload).hexdigest() != node_id:
        raise DataDamaged(f"node {node_id}: holds another node's bytes: run `lakehouse fsck`")
    if header.table != table:
        raise FormatUnknown(
            f"node {node_id}: cut by boundary table {header.table}, here is {table}: upgrade the program"
        )
    try:
        version, level, keys, values = _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise FormatUnknown(f"node {node_id}: a payload that this program cannot read: upgrade it") from error
    if version != FORMAT:
        raise FormatUnknown(f"node {node_id}: payload format {version}, which this program does not know: upgrade it")
    if level != header.level or len(keys) != len(values) or not keys:
        raise DataDamaged(f"node {node_id}: contradicts itself: run `lakehouse fsck`")
    return Node(level, keys, values, len(payload))


def pack_child(child: Child) -> bytes:
    """The value of an inner node."""
    return _encoder.encode(child)


def unpack_child(value: bytes) -> Child:
    """One value of an inner node. Raises DataDamaged."""
    try:
        return _child_decoder.decode(value)
    except msgspec.DecodeError as error:
        raise DataDamaged("an inner node holds a value that is no child: run `lakehouse fsck`") from error


def unpack_children(values: list[bytes]) -> list[Child]:
    """All values of an inner node, or a slice of them, in one call. Raises DataDamaged."""
    try:
        return _children_decoder.decode(array_of(values))
    except msgspec.DecodeError as error:
        raise DataDamaged("an inner node holds a value that is no child: run `lakehouse fsck`") from error


def array_of(values: list[bytes]) -> bytes:
    """One MessagePack array of values that are packed already, so that one C call decodes them all."""
    return b"\xdd" + len(values).to_bytes(4, "big") + b"".join(values)
