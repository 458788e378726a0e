# SPDX-License-Identifier: Apache-2.0
"""Stored nodes: what is damaged or unknown is refused by name."""

from __future__ import annotations

import hashlib
import struct

import msgpack
import pytest
import xxhash
from backports import zstd

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.header import Codec, unwrap, wrap
from lakehouse.format.node import decode_node, encode_node, unpack_child, unpack_children

KEYS = [b"key/%04d" % number for number in range(300)]
VALUES = [b"value %d" % number for number in range(300)]


def stored(payload, **fields):
    """A stored node with a header of one's own."""
    head = {"version": 1, "codec": 0, "encryption": 0, "level": 0, "table": 1, "length": len(payload)} | fields
    return (
        struct.pack(
            ">4sBBBBHHIQ", b"LHND", *list(head.values())[:5], 0, head["length"], xxhash.xxh3_64_intdigest(payload)
        )
        + payload
    )


@pytest.mark.parametrize("codec", Codec)
def test_what_was_written_is_read(codec):
    made = encode_node(0, KEYS, VALUES, table=1, codec=codec)
    node = decode_node(made.body, node_id=made.id, table=1)
    assert (node.keys, node.values, node.length) == (KEYS, VALUES, made.node.length)
    assert node.footprint > node.length


def test_the_id_is_of_the_payload_whatever_the_codec_and_the_table():
    ids = {encode_node(0, KEYS, VALUES, table=table, codec=codec).id for table in (1, 2) for codec in Codec}
    assert len(ids) == 1


def test_the_id_covers_level_keys_and_values():
    made = [
        encode_node(0, KEYS, VALUES, table=1),
        encode_node(1, KEYS, VALUES, table=1),
        encode_node(0, [*KEYS[:-1], b"other"], VALUES, table=1),
        encode_node(0, KEYS, [*VALUES[:-1], b"other"], table=1),
    ]
    assert len({node.id for node in made}) == 4


def test_what_does_not_shrink_is_stored_as_it_is():
    assert wrap(b"ab", level=0, table=1)[5] == Codec.NONE


DAMAGE = {
    "empty": (lambda data: b"", DataDamaged),
    "half a header": (lambda data: data[:23], DataDamaged),
    "another magic": (lambda data: b"GIF8" + data[4:], DataDamaged),
    "a byte missing": (lambda data: data[:-1], DataDamaged),
    "a byte too many": (lambda data: data + b"x", DataDamaged),
    "a bit turned": (lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], DataDamaged),
    "another level": (lambda data: data[:7] + b"\x05" + data[8:], DataDamaged),
    "a huge length": (lambda data: data[:12] + b"\xff\xff\xff\xff" + data[16:], DataDamaged),
    "a small length": (lambda data: data[:12] + b"\x00\x00\x00\x05" + data[16:], DataDamaged),
    "a later version": (lambda data: data[:4] + b"\x02" + data[5:], FormatUnknown),
    "a later codec": (lambda data: data[:5] + b"\x09" + data[6:], FormatUnknown),
    "encrypted": (lambda data: data[:6] + b"\x01" + data[7:], FormatUnknown),
    "another table": (lambda data: data[:8] + b"\x00\x07" + data[10:], FormatUnknown),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("codec", Codec)
def test_what_is_damaged_is_refused_by_name(name, codec):
    damage, error = DAMAGE[name]
    made = encode_node(0, KEYS, VALUES, table=1, codec=codec)
    with pytest.raises(error, match=made.id):
        decode_node(damage(made.body), node_id=made.id, table=1)


def test_another_nodes_bytes_are_refused():
    made = encode_node(0, KEYS, VALUES, table=1)
    with pytest.raises(DataDamaged, match="another node"):
        decode_node(made.body, node_id="00" * 32, table=1)


def test_a_body_that_is_no_zstd_is_refused():
    with pytest.raises(DataDamaged, match="cannot be decompressed"):
        unwrap(stored(b"not compressed", codec=1), name="n")


def test_a_body_that_grows_beyond_its_length_is_refused_early():
    bomb = zstd.compress(bytes(10_000_000))
    with pytest.raises(DataDamaged, match="length in its header"):
        unwrap(stored(bomb, codec=1, length=100), name="n")


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (msgpack.packb([2, 0, [b"a"], [b"b"]]), FormatUnknown),
        (msgpack.packb([1, 0, ["a"], [b"b"]]), FormatUnknown),
        (b"\xc1", FormatUnknown),
        (msgpack.packb([1, 0, [b"a"], []]), DataDamaged),
        (msgpack.packb([1, 0, [], []]), DataDamaged),
    ],
)
def test_a_payload_that_is_no_node_is_refused(payload, error):
    data = stored(payload)
    with pytest.raises(error):
        decode_node(data, node_id=hashlib.sha256(payload).hexdigest(), table=1)


def test_children_grow_at_their_end_only():
    value = msgpack.packb([bytes(32), b"first", 3, 4, 5, "a later field"])
    assert unpack_child(value).count == 3
    assert [child.size for child in unpack_children([value, value])] == [4, 4]


@pytest.mark.parametrize("value", [b"", b"\xc1", msgpack.packb([1, 2])])
def test_values_that_are_no_children_are_refused(value):
    with pytest.raises(DataDamaged):
        unpack_child(value)
    with pytest.raises(DataDamaged):
        unpack_children([value])
