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
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.block import block_of
from lakehouse.format.boundary import TABLE_1
from lakehouse.format.child import Child, pack_child, unpack_child, unpack_children
from lakehouse.format.entry import pack, size_of
from lakehouse.format.header import Compressor
from lakehouse.format.node import decode_node, encode_node

KEYS = [b"key/%04d" % number for number in range(300)]
VALUES = [pack(Entry(f"data/{number}", AddressKind.RELATIVE, number, "sum", 1)) for number in range(300)]


def made_of(keys=KEYS, values=VALUES, *, level=0, block=100, **options):
    """A node with blocks of this length."""
    cuts = range(0, len(keys), block)
    blocks = [block_of(level, keys[at : at + block], values[at : at + block]) for at in cuts]
    return encode_node(level, blocks, **{"table": 1, "compressor": Compressor(), **options})


HOW = pytest.mark.parametrize("compressor", [None, Compressor()], ids=["plain", "compressed"])


def read(data, node_id):
    """The pairs of a stored node."""
    return decode_node(data, node_id=node_id, boundary=TABLE_1).pairs()


def stored(body, **fields):
    """A stored node with a header of one's own."""
    head = {"version": 1, "codec": 0, "encryption": 0, "level": 0, "table": 1, "length": len(body)} | fields
    return (
        struct.pack(">4sBBBBHHIQ", b"LHND", *list(head.values())[:5], 0, head["length"], xxhash.xxh3_64_intdigest(body))
        + body
    )


@HOW
def test_what_was_written_is_read(compressor):
    made = made_of(compressor=compressor)
    node = decode_node(made.body, node_id=made.id, boundary=TABLE_1)
    assert (node.keys, node.values, node.length) == (KEYS, VALUES, made.node.length)
    assert node.footprint > node.length
    assert node == made.node


def test_the_id_is_of_the_content_whatever_the_codec_and_the_table():
    made = [made_of(table=table, compressor=compressor) for table in (1, 2) for compressor in (None, Compressor())]
    assert len({node.id for node in made}) == 1
    assert len({node.body for node in made}) == 4


def test_the_id_covers_level_keys_values_and_blocks():
    children = [pack_child(Child(bytes(32), key, 1, 1, 1)) for key in KEYS]
    made = [
        made_of(),
        made_of([*KEYS[:-1], b"other"]),
        made_of(KEYS, [*VALUES[:-1], VALUES[0]]),
        made_of(block=50),
        made_of(KEYS, children, level=1),
        made_of(KEYS, children, level=2),
    ]
    assert len({node.id for node in made}) == len(made)


def test_one_lookup_decodes_one_block():
    made = made_of()
    node = decode_node(made.body, node_id=made.id, boundary=TABLE_1)
    assert node.value(KEYS[150]) == VALUES[150]
    assert [node.value(key) for key in (b"", KEYS[150] + b"+", b"z")] == [None] * 3
    assert [block.known is not None for block in node.blocks] == [True, True, False]


@pytest.mark.parametrize(
    ("start", "end", "limit", "low", "high"),
    [
        (b"", None, 999, 0, 300),
        (b"key/0099", b"key/0101", 999, 99, 101),
        (b"key/0100", None, 100, 100, 200),
        (b"key/0150", b"key/0100", 10, 0, 0),
        (b"z", None, 10, 0, 0),
        (b"", b"key/0000", 10, 0, 0),
    ],
)
def test_a_part_of_a_node_is_read(start, end, limit, low, high):
    assert made_of().node.within(start, end, limit) == (KEYS[low:high], VALUES[low:high])


def test_what_does_not_shrink_is_stored_as_it_is():
    assert Compressor().compress(b"ab") == b"ab"


def test_a_block_that_several_nodes_have_is_compressed_once():
    class Counting(Compressor):
        done = 0

        def compress(self, payload):
            self.done += 1
            return super().compress(payload)

    compressor = Counting()
    first = block_of(0, KEYS[:100], VALUES[:100], compressor=compressor)
    assert compressor.done == 1
    blocks = [first, block_of(0, KEYS[100:], VALUES[100:])]
    for number in (1, 2, 2):
        made = encode_node(0, blocks[:number], table=1, compressor=compressor)
        total = 100 if number == 1 else 300
        assert read(made.body, made.id) == (KEYS[:total], VALUES[:total])
    assert compressor.done == 2


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
    "a later version": (lambda data: data[:4] + b"\x03" + data[5:], FormatUnknown),
    "an earlier version than there was": (lambda data: data[:4] + b"\x00" + data[5:], FormatUnknown),
    "a later codec": (lambda data: data[:5] + b"\x09" + data[6:], FormatUnknown),
    "encrypted": (lambda data: data[:6] + b"\x01" + data[7:], FormatUnknown),
    "another table": (lambda data: data[:8] + b"\x00\x07" + data[10:], FormatUnknown),
}


@pytest.mark.parametrize("name", DAMAGE)
@HOW
def test_what_is_damaged_is_refused_by_name(name, compressor):
    damage, error = DAMAGE[name]
    made = made_of(compressor=compressor)
    with pytest.raises(error, match=made.id):
        read(damage(made.body), made.id)


def test_another_nodes_bytes_are_refused():
    with pytest.raises(DataDamaged, match="another node"):
        read(made_of().body, "00" * 32)


ID = "77" * 32


def directory_of(blocks, *, version=2, level=0, **changed):
    """A directory of these blocks' bytes, with fields of one's own in the first summary."""
    summaries = []
    for block in blocks:
        about = {
            "first": b"a",
            "last": b"b",
            "digest": hashlib.sha256(block).digest(),
            "pairs": 2,
            "count": 2,
            "size": 0,
        }
        summaries.append(about | {"length": len(block)})
    if summaries:
        summaries[0] |= changed
    return msgpack.packb([version, level, [list(about.values()) for about in summaries]])


GOOD = msgpack.packb([[b"a", b"b"], [VALUES[0], VALUES[1]]])


def node_of(directory, stored_blocks, *, length=None, **fields):
    body = msgpack.packb([directory, stored_blocks])
    length = len(directory) + sum(map(len, stored_blocks)) if length is None else length
    return stored(body, version=2, length=length, **fields), hashlib.sha256(directory).hexdigest()


def test_fields_that_come_later_are_ignored():
    later = [[*about, "later"] for about in msgpack.unpackb(directory_of([GOOD]))[2]]
    assert read(*node_of(msgpack.packb([2, 0, later]), [GOOD])) == ([b"a", b"b"], VALUES[:2])


BAD_BLOCKS = {
    "other bytes": (GOOD, GOOD[:-1] + b"x", {}, DataDamaged, "other bytes"),
    "no frame": (GOOD, b"no frame", {}, DataDamaged, "cannot be decompressed"),
    "a frame that grows": (GOOD, zstd.compress(bytes(10_000_000)), {}, DataDamaged, "length that was noted"),
    "no pairs": (b"\xc1", b"\xc1", {}, FormatUnknown, "cannot read"),
    "text": (msgpack.packb([["a", "b"], []]),) * 2 + ({}, FormatUnknown, "cannot read"),
    "fewer values": (msgpack.packb([[b"a", b"b"], [b""]]),) * 2 + ({}, DataDamaged, "contradicts"),
    "another number": (GOOD, GOOD, {"pairs": 3}, DataDamaged, "contradicts"),
    "another last key": (GOOD, GOOD, {"last": b"c"}, DataDamaged, "contradicts"),
}


@pytest.mark.parametrize("name", BAD_BLOCKS)
def test_a_bad_block_is_refused_when_it_is_looked_at(name):
    block, bad, changed, error, words = BAD_BLOCKS[name]
    directory = directory_of([block], **changed)
    data, node_id = node_of(directory, [bad], length=len(directory) + len(block))
    node = decode_node(data, node_id=node_id, boundary=TABLE_1)
    for _ in range(2):
        with pytest.raises(error, match=f"{node_id}.*{words}"):
            node.value(b"a")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (node_of(directory_of([GOOD], version=3), [GOOD]), FormatUnknown),
        (node_of(directory_of([GOOD], version=1), [GOOD]), FormatUnknown),
        (node_of(b"\xc1", [GOOD]), FormatUnknown),
        (node_of(directory_of([]), []), DataDamaged),
        (node_of(directory_of([GOOD]), []), DataDamaged),
        (node_of(directory_of([GOOD]), [GOOD, GOOD]), DataDamaged),
        (node_of(directory_of([GOOD]), [GOOD], length=7), DataDamaged),
        (node_of(directory_of([GOOD], level=1), [GOOD]), DataDamaged),
        (node_of(directory_of([GOOD], pairs=0), [GOOD]), FormatUnknown),
        (node_of(directory_of([GOOD], size=-1), [GOOD]), FormatUnknown),
        (node_of(directory_of([GOOD, GOOD], length=-5), [GOOD, GOOD], length=9), FormatUnknown),
        ((stored(b"\xc1", version=2), ID), DataDamaged),
    ],
)
def test_a_directory_that_is_none_is_refused(data, error):
    stored_node, node_id = data
    with pytest.raises(error, match=node_id):
        decode_node(stored_node, node_id=node_id, boundary=TABLE_1)


@pytest.mark.parametrize("lie", [{"first": b"aa"}, {"count": 3}, {"size": 5}])
def test_what_a_node_says_of_its_blocks_is_verified(lie):
    good = {"size": size_of(VALUES[0]) + size_of(VALUES[1])}
    data, node_id = node_of(directory_of([GOOD], **good), [GOOD])
    decode_node(data, node_id=node_id, boundary=TABLE_1).verify()
    data, node_id = node_of(directory_of([GOOD], **good | lie), [GOOD])
    node = decode_node(data, node_id=node_id, boundary=TABLE_1)
    assert node.value(b"a") == VALUES[0]
    with pytest.raises(DataDamaged, match=node_id):
        node.verify()


def first_version(payload, **fields):
    return stored(payload, **fields), hashlib.sha256(payload).hexdigest()


def test_nodes_of_version_1_are_read_in_blocks():
    values = [VALUES[0]] * 300
    payload = msgpack.packb([1, 0, KEYS, values])
    data, _node_id = first_version(zstd.compress(payload), codec=1, length=len(payload))
    node = decode_node(data, node_id=hashlib.sha256(payload).hexdigest(), boundary=TABLE_1)
    assert (node.pairs(), node.length) == ((KEYS, values), len(payload))
    assert len(node.blocks) > 1
    assert [block.about.last for block in node.blocks[:-1]] == [KEYS[at] for at, _ in TABLE_1.marks(0, KEYS[:-1])]


def test_a_body_of_version_1_that_is_no_zstd_is_refused():
    with pytest.raises(DataDamaged, match="cannot be decompressed"):
        read(stored(b"not compressed", codec=1), ID)


def test_a_body_of_version_1_that_grows_beyond_its_length_is_refused_early():
    bomb = zstd.compress(bytes(10_000_000))
    with pytest.raises(DataDamaged, match="length that was noted"):
        read(stored(bomb, codec=1, length=100), ID)


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
def test_a_payload_of_version_1_that_is_no_node_is_refused(payload, error):
    with pytest.raises(error):
        read(*first_version(payload))


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
