# SPDX-License-Identifier: Apache-2.0
"""The bytes of each format version stay as they are, for ever, and the oracle msgpack reads them as documents say."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import msgpack
import pytest
import xxhash

from lakehouse.format.boundary import TABLE_1
from lakehouse.format.changed_paths import may_contain, may_contain_prefix
from lakehouse.format.child import unpack_children
from lakehouse.format.commit import decode_commit
from lakehouse.format.entry import unpack
from lakehouse.format.node import decode_node
from tests.unit.format import samples

FOLDER = Path(__file__).parents[2] / "data" / "format"


def kept(name, version=1):
    return (FOLDER / f"{name}.v{version}").read_bytes()


@pytest.mark.parametrize("name", samples.samples())
def test_the_same_bytes_are_made_again(name):
    assert samples.samples()[name] == kept(name)


@pytest.mark.parametrize("name", samples.second())
def test_the_same_bytes_of_second_versions_are_made_again(name):
    assert samples.second()[name] == kept(name, 2)


def test_every_kept_file_is_read_by_a_test():
    assert {path.name for path in FOLDER.iterdir()} == {
        *(f"{name}.v1" for name in (*samples.samples(), *samples.compressed(), *samples.second())),
        *(f"{name}.v2" for name in (*samples.second(), *samples.compressed())),
    }


def test_entries_are_read():
    assert unpack(kept("entry-plain")) == samples.PLAIN
    assert unpack(kept("entry-external")) == samples.EXTERNAL


def hashed_of(name, version):
    """What a node's id is the hash of."""
    body = kept(name, version)[24:]
    return body if version == 1 else msgpack.unpackb(body)[0]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["leaf", "leaf-zstd"])
def test_leaves_are_read(name, version):
    node_id = hashlib.sha256(hashed_of("leaf", version)).hexdigest()
    node = decode_node(kept(name, version), node_id=node_id, boundary=TABLE_1)
    assert (node.level, node.keys, node.values) == (0, samples.LEAF_KEYS, samples.LEAF_VALUES)
    assert (node.first, node.last) == (b"a", b"\xff")


@pytest.mark.parametrize("version", [1, 2])
def test_inner_nodes_are_read(version):
    node_id = hashlib.sha256(hashed_of("inner", version)).hexdigest()
    node = decode_node(kept("inner", version), node_id=node_id, boundary=TABLE_1)
    assert (node.level, node.keys) == (1, samples.INNER_KEYS)
    assert unpack_children(node.values) == samples.CHILDREN
    assert (node.first, node.last) == (b"a", b"z")


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["leaf", "inner"])
def test_a_node_is_what_its_document_says(name, version):
    data = kept(name, version)
    magic, stored_as, codec, encryption, level, table, reserved, length, checksum = struct.unpack(
        ">4sBBBBHHIQ", data[:24]
    )
    body = data[24:]
    assert (magic, stored_as, codec, encryption, table, reserved) == (b"LHND", version, 0, 0, 1, 0)
    assert (level, checksum) == (int(name == "inner"), xxhash.xxh3_64_intdigest(body))
    keys, values = (
        (samples.LEAF_KEYS, samples.LEAF_VALUES) if name == "leaf" else (samples.INNER_KEYS, samples.INNER_VALUES)
    )
    if version == 1:
        assert length == len(body)
        assert body == msgpack.packb([1, level, keys, values])
        return
    directory, blocks = msgpack.unpackb(body)
    assert msgpack.packb([directory, blocks]) == body
    assert length == len(directory) + sum(map(len, blocks))
    summaries = []
    for block, part in zip(blocks, (slice(0, 3), slice(3, 9)), strict=False):
        assert block == msgpack.packb([keys[part], values[part]])
        about = samples.SUMMED[name][len(summaries)]
        summaries.append([about[0], keys[part][-1], hashlib.sha256(block).digest(), *about[1:], len(block)])
    assert directory == msgpack.packb([2, level, summaries])


def test_an_entry_is_what_its_document_says():
    entry = samples.EXTERNAL
    metadata = dict(sorted(entry.metadata.items(), key=lambda pair: pair[0].encode()))
    fields = [entry.address, 1, 0, entry.checksum, 1, "", metadata, entry.store]
    assert msgpack.packb(fields) == kept("entry-external")


@pytest.mark.parametrize("name", ["first", "merge", "foreign"])
def test_commit_records_are_read(name):
    commit, paths = decode_commit(kept(f"record-{name}"), name=name)
    assert commit == getattr(samples, name.upper())
    assert paths == (kept("paths") if name == "merge" else None)


@pytest.mark.parametrize("name", ["first", "merge"])
def test_a_commit_is_what_its_document_says(name):
    commit = getattr(samples, name.upper())
    data = kept(f"commit-{name}")
    metadata = dict(sorted(commit.metadata.items()))
    fields = [
        "commit",
        1,
        list(commit.parents),
        commit.root,
        commit.committer,
        commit.message,
        commit.created,
        metadata,
    ]
    assert msgpack.packb(fields) == data
    assert hashlib.sha256(data).hexdigest() == commit.id


@pytest.mark.parametrize("version", [1, 2])
def test_the_kept_filter_holds_its_paths_and_their_directories(version):
    for path in (*samples.PATHS, b"tables/", b"tables/orders/"):
        assert may_contain(kept("paths", version), path)
    assert not any(may_contain(kept("paths", version), b"other/%d" % number) for number in range(5))
    assert not may_contain(kept("paths-none", version), b"a")
    assert not may_contain_prefix(kept("paths-none", version), b"a")


def test_the_kept_filter_is_what_its_document_says():
    data = kept("paths", 2)
    bits = int.from_bytes(data[1:], "little")
    expected = 0
    items = {
        b"a",
        b"tables/",
        b"tables/orders/",
        b"tables/orders/part-0.parquet",
        b"tables/orders/part-1.parquet",
        b"dir/",
    }
    for item in items:
        digest = xxhash.xxh3_128_intdigest(item)
        high, low = digest >> 64, digest & (2**64 - 1)
        for step in range(7):
            expected |= 1 << ((low + step * high + (step**3 - step) // 6) % 2**64 % (16 * 8))
    assert (data[0], len(data), bits) == (2, 17, expected)


def test_boundary_table_1_is_the_one_that_is_written_down():
    table = [hashlib.sha256(b"".join(cut.thresholds)).hexdigest() for cut in (TABLE_1.leaf, TABLE_1.inner)]
    assert table == [
        "6ef374e9879ae49bf8fa4be468c32b90bc2bed31dbd1d93e3ce51e65b5d3cf71",
        "1a1bc9917038103ef482c4e731b800ac6f2ea752fabde9904eaf9079a1c1821b",
    ]
