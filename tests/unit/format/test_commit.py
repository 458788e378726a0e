# SPDX-License-Identifier: Apache-2.0
"""Commit ids and records."""

from __future__ import annotations

import msgpack
import msgspec
import pytest
import xxhash

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.core.ids import CommitId
from lakehouse.format.commit import decode_commit, encode_commit, id_of
from tests.unit.format.samples import FIRST, FOREIGN, MERGE


@pytest.mark.parametrize(
    "changes",
    [
        {"parents": MERGE.parents[::-1]},
        {"root": MERGE.root[:-1] + "0"},
        {"committer": "x"},
        {"message": "x"},
        {"created": 5},
        {"metadata": {}},
        {"version": 2},
    ],
)
def test_the_id_covers_every_field_of_the_author(changes):
    assert id_of(msgspec.structs.replace(MERGE, **changes)) != MERGE.id


def test_the_id_covers_neither_the_generation_nor_the_order_of_metadata():
    turned = dict(reversed(MERGE.metadata.items()))
    assert id_of(msgspec.structs.replace(MERGE, generation=99, metadata=turned)) == MERGE.id


@pytest.mark.parametrize("paths", [None, b"\x01", b"\x01abc"])
def test_a_record_comes_back(paths):
    assert decode_commit(encode_commit(MERGE, paths=paths), name="m") == (MERGE, paths)


def test_the_id_of_our_own_commits_is_verified_and_that_of_others_is_data():
    assert decode_commit(encode_commit(FOREIGN), name="f")[0] == FOREIGN
    forged = msgspec.structs.replace(FIRST, id=CommitId("99" * 32))
    with pytest.raises(DataDamaged, match="do not give its id"):
        decode_commit(encode_commit(forged), name="f")


DAMAGE = {
    "cut short": (lambda data: data[:12], DataDamaged),
    "another magic": (lambda data: b"x" + data[1:], DataDamaged),
    "a byte missing": (lambda data: data[:-1], DataDamaged),
    "a later version": (lambda data: data[:4] + b"\x02" + data[5:], FormatUnknown),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_record_is_refused_by_name(name):
    damage, error = DAMAGE[name]
    with pytest.raises(error, match="record m1"):
        decode_commit(damage(encode_commit(MERGE)), name="m1")


def test_a_record_of_something_else_is_refused():
    body = msgpack.packb([1, 2, 3])
    with pytest.raises(DataDamaged, match="cannot be read"):
        decode_commit(b"LHCM\x01" + xxhash.xxh3_64_digest(body) + body, name="m1")
