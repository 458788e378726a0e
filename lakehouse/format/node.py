# SPDX-License-Identifier: Apache-2.0
"""Nodes of a tree: Range (leaf, level 0) and MetaRange (inner, level 1 and up).

A node is a directory of blocks (`lakehouse.format.block`). Its id is the SHA-256 of the directory, which holds the
SHA-256 of each block: so it covers every byte, and a changed pair costs one block and the directory
(docs/formats/tree.md).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.block import Block, Pairs, Summary, block_of, joined
from lakehouse.format.header import ADVICE, Codec, Compressor, decompressed, unwrap, wrap

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary
    from lakehouse.format.header import Header

FORMAT = 2
"""Of the payload that is written; 1 is read."""
_LISTED = 2 * 8
"""Bytes for a pair's place in the lists of all keys and values."""
_BESIDE = 1500
"""Bytes for the node itself, its lists, and its place in a cache."""

_encode = msgspec.msgpack.Encoder().encode
_decode_directory = msgspec.msgpack.Decoder(tuple[int, int, list[Summary]]).decode
_decode_body = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode
_decode_first = msgspec.msgpack.Decoder(tuple[int, int, list[bytes], list[bytes]]).decode


class Node(msgspec.Struct, eq=False):
    """A node in memory: its blocks, which are decoded when they are needed. Not to be changed: it is shared.

    `length` is that of its payload in bytes: directory and blocks. `version` is that of the format it was read in:
    whoever makes an earlier one again, of the same content, makes another node.
    """

    level: int
    blocks: list[Block]
    length: int
    version: int = FORMAT
    lasts: list[bytes] = msgspec.field(default_factory=list)
    """The last key of each block."""
    _flat: Pairs | None = None
    _digests: frozenset[bytes] | None = None

    def __post_init__(self) -> None:
        self.lasts = [block.about.last for block in self.blocks]

    @property
    def first(self) -> bytes:
        """The first path below it."""
        return self.blocks[0].about.first

    @property
    def last(self) -> bytes:
        """The last path below it."""
        return self.lasts[-1]

    @property
    def digests(self) -> frozenset[bytes]:
        """The digests of its blocks."""
        if self._digests is None:
            self._digests = frozenset([block.about.digest for block in self.blocks])
        return self._digests

    @property
    def keys(self) -> list[bytes]:
        """All keys; this and `values` decode all blocks. Raises as `Block.entries`."""
        return self.pairs()[0]

    @property
    def values(self) -> list[bytes]:
        """All values, `values[i]` belongs to `keys[i]`."""
        return self.pairs()[1]

    def pairs(self) -> Pairs:
        """All keys and values. Raises as `Block.entries`."""
        if self._flat is None:
            self._flat = joined(self.blocks)
        return self._flat

    def value(self, key: bytes) -> bytes | None:
        """What belongs to `key`, or None. Decodes one block. Raises as `Block.entries`."""
        number = bisect_left(self.lasts, key)
        if number == len(self.lasts):
            return None
        keys, values = self.blocks[number].entries()
        at = bisect_left(keys, key)
        return values[at] if keys[at] == key else None

    def within(self, start: bytes, end: bytes | None, limit: int) -> Pairs:
        """The first `limit` pairs from `start` on and before `end`. Decodes their blocks. Raises as `Block.entries`."""
        keys: list[bytes] = []
        values: list[bytes] = []
        for block in self.blocks[bisect_left(self.lasts, start) :]:
            more_keys, more_values = block.entries()
            low = 0 if keys else bisect_left(more_keys, start)
            high = len(more_keys) if end is None or block.about.last < end else bisect_left(more_keys, end)
            high = min(high, low + limit - len(keys))
            keys += more_keys[low:high]
            values += more_values[low:high]
            if high < len(more_keys) or len(keys) == limit:
                break
        return keys, values

    @property
    def undecoded(self) -> int:
        """How many pairs have yet to be decoded."""
        return sum([block.about.pairs for block in self.blocks if block.known is None])

    def verify(self) -> None:
        """Decode and check everything. Raises DataDamaged, FormatUnknown."""
        for block in self.blocks:
            if block_of(self.level, *block.entries()).about != block.about:
                raise DataDamaged(f"node {block.node}: says of a block what is not so: {ADVICE}")

    @property
    def own(self) -> int:
        """Bytes of memory that it takes beside its blocks, which other nodes may have too."""
        return _BESIDE + _LISTED * sum([block.about.pairs for block in self.blocks])

    @property
    def footprint(self) -> int:
        """Bytes of memory that it takes once all of it is decoded."""
        return self.own + sum([block.footprint for block in self.blocks])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        return self.level == other.level and self.pairs() == other.pairs()

    __hash__ = None  # type: ignore[assignment]


class Encoded(msgspec.Struct, frozen=True):
    """A node and what is stored of it: a header, and the directory with the blocks."""

    id: str
    node: Node
    body: bytes


def encode_node(level: int, blocks: list[Block], *, table: int, compressor: Compressor | None) -> Encoded:
    """Make a node of its blocks. `table` is the id of the boundary table that its ends were found with; without
    `compressor` the blocks are stored as they are.
    """
    summaries = [block.about for block in blocks]
    directory = _encode((FORMAT, level, summaries))
    length = len(directory) + sum([summary.length for summary in summaries])
    if compressor is None:
        codec, stored = Codec.NONE, [block.payload() for block in blocks]
    else:
        codec, stored = Codec.ZSTD, [block.packed(compressor) for block in blocks]
    body = wrap(_encode((directory, stored)), level=level, table=table, length=length, codec=codec)
    return Encoded(hashlib.sha256(directory).hexdigest(), Node(level, blocks, length), body)


def decode_node(data: bytes, *, node_id: str, boundary: Boundary) -> Node:
    """Read a stored node and verify that it is the one named `node_id`, cut by this boundary table.

    Its blocks are verified when they are decoded. Raises DataDamaged, FormatUnknown.
    """
    header, body = unwrap(data, name=node_id)
    if header.version == 1:
        return _first_version(header, body, node_id, boundary)
    try:
        directory, stored = _decode_body(body)
    except msgspec.DecodeError as error:
        raise DataDamaged(f"node {node_id}: its parts cannot be told apart: {ADVICE}") from error
    _require_id(directory, header, node_id, boundary)
    try:
        version, level, summaries = _decode_directory(directory)
    except msgspec.DecodeError as error:
        raise _unknown(node_id) from error
    _require_format(version, FORMAT, node_id)
    length = len(directory) + sum([summary.length for summary in summaries])
    if level != header.level or not summaries or len(summaries) != len(stored) or length != header.length:
        raise _contradicts(node_id)
    blocks = [Block(about, part, node=node_id) for about, part in zip(summaries, stored, strict=True)]
    return Node(level, blocks, length)


def _first_version(header: Header, body: bytes, node_id: str, boundary: Boundary) -> Node:
    """A node of version 1, whose payload was keys and values in one piece; cut into blocks, as if it were of today."""
    payload = decompressed(body, header.length, name=node_id) if header.codec is Codec.ZSTD else body
    if len(payload) != header.length:
        raise DataDamaged(f"node {node_id}: {len(payload)} bytes where the header says {header.length}: {ADVICE}")
    _require_id(payload, header, node_id, boundary)
    try:
        version, level, keys, values = _decode_first(payload)
    except msgspec.DecodeError as error:
        raise _unknown(node_id) from error
    _require_format(version, 1, node_id)
    if level != header.level or len(keys) != len(values) or not keys:
        raise _contradicts(node_id)
    ends = [at + 1 for at, _ in boundary.marks(level, keys)]
    if not ends or ends[-1] < len(keys):
        ends.append(len(keys))
    blocks = [
        block_of(level, keys[start:end], values[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return Node(level, blocks, len(payload), version)


def _require_id(hashed: bytes, header: Header, node_id: str, boundary: Boundary) -> None:
    if hashlib.sha256(hashed).hexdigest() != node_id:
        raise DataDamaged(f"node {node_id}: holds another node's bytes: run `lakehouse fsck`")
    if header.table != boundary.id:
        raise FormatUnknown(
            f"node {node_id}: cut by boundary table {header.table}, here is {boundary.id}: upgrade the program"
        )


def _require_format(version: int, known: int, node_id: str) -> None:
    if version != known:
        raise FormatUnknown(
            f"node {node_id}: payload format {version}, which this program does not know here: upgrade it"
        )


def _unknown(node_id: str) -> FormatUnknown:
    return FormatUnknown(f"node {node_id}: a payload that this program cannot read: upgrade it")


def _contradicts(node_id: str) -> DataDamaged:
    return DataDamaged(f"node {node_id}: contradicts itself: run `lakehouse fsck`")
