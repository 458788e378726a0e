# SPDX-License-Identifier: Apache-2.0
"""Blocks: a node's pairs in runs of about a hundred, each hashed, compressed and decoded for itself.

So a change costs what its block costs, however large the node is: the other blocks are taken over as they are stored,
and a lookup decodes one. A block never changes; nodes share it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.boundary import hash_of
from lakehouse.format.child import unpack_children
from lakehouse.format.entry import total_size
from lakehouse.format.header import ADVICE, decompressed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.format.header import Compressor

Pairs: TypeAlias = tuple[list[bytes], list[bytes]]
"""Keys, strictly ascending, and the values at the same positions. Not to be changed: they are shared."""

_OVERHEAD = 2 * (33 + 8)
"""Bytes that Python needs beside the content for one key and one value."""
_BESIDE = 600
"""Bytes for a block beside its pairs."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Pairs).decode


class Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a node says of one of its blocks. Fields are only ever appended.

    `first` is the first path below it and `last` its last key; `digest` the SHA-256 of its payload, which is `length`
    bytes long; `count` and `size` are of all entries below it (number, sum of the sizes of their objects in bytes).
    """

    first: bytes
    last: bytes
    digest: bytes
    pairs: Annotated[int, msgspec.Meta(ge=1)]
    count: Annotated[int, msgspec.Meta(ge=1)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    length: Annotated[int, msgspec.Meta(ge=1)]


class Block(msgspec.Struct, eq=False):
    """A run of pairs. `stored` are its bytes as stored, None until it is part of a node that is written; `node` is the
    node that it was read from, for errors.
    """

    about: Summary
    stored: bytes | None = None
    known: Pairs | None = None
    node: str = ""
    _hash: bytes = b""

    @property
    def footprint(self) -> int:
        """Bytes of memory that it takes once it is decoded."""
        stored = 0 if self.stored is None else len(self.stored)
        return _BESIDE + _OVERHEAD * self.about.pairs + self.about.length + stored

    def hash(self, level: int) -> bytes:
        """The hash of its last key in a node of this level, as boundaries compare it."""
        if not self._hash:
            self._hash = hash_of(level, self.about.last)
        return self._hash

    def entries(self) -> Pairs:
        """Keys and values, decoded and verified the first time. Raises DataDamaged, FormatUnknown."""
        if self.known is None:
            self.known = self._decoded()
        return self.known

    def packed(self, compressor: Compressor) -> bytes:
        """The bytes to be stored. The first time takes as long as all else that making a block does."""
        if self.stored is None:
            self.stored = compressor.compress(self.payload())
        return self.stored

    def payload(self) -> bytes:
        """The canonical bytes."""
        return _encode(self.entries())

    def _decoded(self) -> Pairs:
        assert self.stored is not None
        about, name, payload = self.about, self.node, self.stored
        if len(payload) != about.length:
            payload = decompressed(payload, about.length, name=name)
        if hashlib.sha256(payload).digest() != about.digest:
            raise DataDamaged(f"node {name}: a block holds other bytes than the node says: {ADVICE}")
        try:
            keys, values = _decode(payload)
        except msgspec.DecodeError as error:
            raise FormatUnknown(f"node {name}: a block that this program cannot read: upgrade it") from error
        if len(keys) != len(values) or len(keys) != about.pairs or keys[-1:] != [about.last]:
            raise DataDamaged(f"node {name}: a block contradicts what the node says of it: {ADVICE}")
        return keys, values


def block_of(
    level: int,
    keys: list[bytes],
    values: list[bytes],
    *,
    size: int | None = None,
    compressor: Compressor | None = None,
) -> Block:
    """Make a block of a node of this level. `size`: the sum of the objects' sizes, if it is known.

    `compressor` makes it ready to be stored. Raises DataDamaged for values that are no entries, or in an inner node no
    children.
    """
    payload = _encode((keys, values))
    if level:
        children = unpack_children(values)
        first = children[0].first
        count = sum([child.count for child in children])
        size = sum([child.size for child in children])
    else:
        first, count = keys[0], len(keys)
        size = total_size(values) if size is None else size
    digest = hashlib.sha256(payload).digest()
    about = Summary(first, keys[-1], digest, len(keys), count, size, len(payload))
    return Block(about, None if compressor is None else compressor.compress(payload), (keys, values))


def joined(blocks: Iterable[Block]) -> Pairs:
    """The pairs of all these blocks. Raises as `Block.entries`."""
    keys: list[bytes] = []
    values: list[bytes] = []
    for block in blocks:
        more_keys, more_values = block.entries()
        keys += more_keys
        values += more_values
    return keys, values
