# SPDX-License-Identifier: Apache-2.0
"""The values whose bytes are kept in tests/data/format, and how these files are made: once, when a format is new.

`python -m tests.unit.format.samples FOLDER` writes those that FOLDER lacks; one that is there is never written again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakehouse.core.ids import EMPTY_TREE, CommitId, MetaRangeId
from lakehouse.core.records import AddressKind, Commit, Entry
from lakehouse.format.block import block_of
from lakehouse.format.boundary import TABLE_1
from lakehouse.format.changed_paths import paths_filter
from lakehouse.format.child import Child, pack_child
from lakehouse.format.commit import canonical_bytes, encode_commit, id_of
from lakehouse.format.entry import pack
from lakehouse.format.header import Compressor
from lakehouse.format.node import encode_node

PLAIN = Entry(
    address="data/gk5b1h2q/c8v0s1d2e3f4g5h6i7j8",
    kind=AddressKind.RELATIVE,
    size=1_234_567,
    checksum="9e107d9d372bb6826bd81d3542a419d6",
    mtime=1_763_700_000,
    content_type="application/octet-stream",
)
EXTERNAL = Entry(
    address="s3://elsewhere/lake/part-0.parquet",
    kind=AddressKind.FULL,
    size=0,
    checksum="d41d8cd98f00b204e9800998ecf8427e-3",
    mtime=1,
    content_type="",
    metadata={"z": "1", "b": "ä", "\U0001f600": "", "\uffff": "last but one", "aa": "2"},
    store="second",
)
LEAF_KEYS = [b"a", b"a/b", b"a0", "ä/ö".encode(), b"\xff"]
LEAF_VALUES = [pack(entry) for entry in (PLAIN, EXTERNAL, PLAIN, EXTERNAL, PLAIN)]
CHILDREN = [
    Child(bytes(range(32)), b"a", 1024, 2**40, 150_000),
    Child(bytes(range(32, 64)), b"n", 3, 0, 400),
]
INNER_KEYS = [b"m", b"z"]
INNER_VALUES = [pack_child(child) for child in CHILDREN]
SUMMED = {
    "leaf": [(b"a", 3, 3, 2 * PLAIN.size), ("ä/ö".encode(), 2, 2, PLAIN.size)],
    "inner": [(b"a", 2, 1027, 2**40)],
}
"""Of each block of the two: first path, pairs, entries below, bytes of their objects."""
FIRST_FILTER = bytes.fromhex("01cb5aab96aea46239")
"""What version 1 made of PATHS."""
PATHS = [b"a", b"tables/orders/part-0.parquet", b"tables/orders/part-1.parquet", b"dir/"]


def _commit(**fields):
    commit = Commit(id=CommitId(""), **fields)
    return Commit(id=id_of(commit), **fields)


FIRST = _commit(
    parents=(), root=EMPTY_TREE, committer="lakehouse", message="", created=1_763_700_000, metadata={}, generation=1
)
MERGE = _commit(
    parents=(FIRST.id, CommitId("ab" * 32)),
    root=MetaRangeId("cd" * 32),
    committer="ana@example.com",
    message="Merge 'täglich' into 'main'\n",
    created=1_763_703_600,
    metadata={"z": "1", ".lakefs.merge.strategy": "default", "aa": "2"},
    generation=7,
)
FOREIGN = Commit(
    id=CommitId("12" * 32),
    parents=(),
    root=MetaRangeId("34" * 32),
    committer="x",
    message="restored",
    created=1,
    metadata={},
    generation=1,
    version=0,
)


def samples() -> dict[str, bytes]:
    """File name to bytes, of what every writer must make bit by bit."""
    return {
        "entry-plain": pack(PLAIN),
        "entry-external": pack(EXTERNAL),
        "commit-first": canonical_bytes_of(FIRST),
        "commit-merge": canonical_bytes_of(MERGE),
        "record-first": encode_commit(FIRST),
        "record-merge": encode_commit(MERGE, paths=FIRST_FILTER),
        "record-foreign": encode_commit(FOREIGN),
    }


def second() -> dict[str, bytes]:
    """As `samples`, of what has a second version."""
    return {
        "paths": paths_filter(PATHS) or b"",
        "paths-none": paths_filter([]) or b"",
        "leaf": encode_node(0, blocks_of(0, LEAF_KEYS, LEAF_VALUES), table=TABLE_1.id, compressor=None).body,
        "inner": encode_node(1, blocks_of(1, INNER_KEYS, INNER_VALUES), table=TABLE_1.id, compressor=None).body,
    }


def compressed() -> dict[str, bytes]:
    """File name to bytes that only have to stay readable: compressors differ."""
    return {
        "leaf-zstd": encode_node(
            0, blocks_of(0, LEAF_KEYS, LEAF_VALUES), table=TABLE_1.id, compressor=Compressor()
        ).body
    }


def blocks_of(level, keys, values):
    """Two blocks, the first one of three pairs at most."""
    return [block_of(level, keys[start:end], values[start:end]) for start, end in ((0, 3), (3, 9)) if keys[start:end]]


def canonical_bytes_of(commit: Commit) -> bytes:
    return canonical_bytes(
        parents=commit.parents,
        root=commit.root,
        committer=commit.committer,
        message=commit.message,
        created=commit.created,
        metadata=commit.metadata,
        version=commit.version,
    )


if __name__ == "__main__":
    for version, made in (("v1", samples()), ("v2", {**second(), **compressed()})):
        for name, data in made.items():
            path = Path(sys.argv[1]) / f"{name}.{version}"
            if not path.exists():
                path.write_bytes(data)
