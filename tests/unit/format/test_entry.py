# SPDX-License-Identifier: Apache-2.0
"""Entries: packing, identity, sizes."""

from __future__ import annotations

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.core.errors import DataDamaged, InvalidArgument
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import MAX_METADATA, TOMBSTONE, pack, pack_page, same_identity, size_of, total_size, unpack
from tests.unit.format.samples import EXTERNAL, PLAIN

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ENTRIES = st.builds(
    Entry,
    address=TEXT,
    kind=st.sampled_from(AddressKind),
    size=st.integers(0, 2**63 - 1),
    checksum=TEXT,
    mtime=st.integers(-(2**31), 2**40),
    content_type=TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=4),
    store=TEXT,
    parts=st.one_of(st.just(0), st.integers(1, 10_000)),
)


@given(ENTRIES)
def test_an_entry_comes_back_and_the_oracle_makes_the_same_bytes(entry):
    packed = pack(entry)
    assert unpack(packed) == entry
    assert size_of(packed) == entry.size
    fields = list(msgspec.structs.astuple(entry))
    fields[1] = int(entry.kind)
    fields[6] = dict(sorted(entry.metadata.items(), key=lambda pair: pair[0].encode()))
    assert msgpack.packb(fields if entry.parts else fields[:-1]) == packed


@given(st.lists(ENTRIES, max_size=4))
def test_a_page_is_packed_as_its_entries_are(entries):
    fields = [msgspec.structs.astuple(entry)[:-1] for entry in entries]
    whole = [msgspec.structs.replace(entry, parts=0) for entry in entries]
    assert pack_page(fields) == [pack(entry) for entry in whole]


@pytest.mark.parametrize("number", [0, 2])
def test_a_page_with_what_cannot_be_kept_is_refused(number):
    fields = [msgspec.structs.astuple(PLAIN)[:-1]] * 3
    for place, value in ((6, {"k": "v" * MAX_METADATA}), (2, 2**70), (3, "\ud800")):
        wrong = [list(one) for one in fields]
        wrong[number][place] = value
        with pytest.raises(InvalidArgument):
            pack_page([tuple(one) for one in wrong])


@given(ENTRIES, ENTRIES)
def test_identity_of_bytes_is_that_of_entries(left, right):
    assert same_identity(pack(left), pack(right)) == (left.identity == right.identity)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"mtime": 5}, True),
        ({"address": "data/other"}, True),
        ({"store": "other"}, True),
        ({"parts": 3}, True),
        ({"size": 5}, False),
        ({"checksum": "x"}, False),
        ({"content_type": "x"}, False),
        ({"metadata": {"a": "b"}}, False),
        ({"kind": AddressKind.FULL}, False),
    ],
)
def test_what_belongs_to_the_identity_of_an_object_of_our_own(changes, same):
    other = msgspec.structs.replace(PLAIN, **changes)
    assert same_identity(pack(PLAIN), pack(other)) == same


@pytest.mark.parametrize("field", ["address", "store"])
def test_the_place_belongs_to_the_identity_of_an_external_object(field):
    assert not same_identity(pack(EXTERNAL), pack(msgspec.structs.replace(EXTERNAL, **{field: "x"})))


def test_a_tombstone_is_only_like_a_tombstone():
    assert same_identity(TOMBSTONE, TOMBSTONE)
    assert not same_identity(TOMBSTONE, pack(PLAIN))
    assert not same_identity(pack(PLAIN), TOMBSTONE)


def test_fields_of_later_programs_are_left_out_and_earlier_entries_are_read():
    later = msgpack.packb([*msgpack.unpackb(pack(PLAIN)), 0, "new field", 17])
    assert unpack(later) == PLAIN
    assert same_identity(later, pack(PLAIN))
    assert unpack(msgpack.packb(["data/x", 0, 1, "c", 2])) == Entry("data/x", AddressKind.RELATIVE, 1, "c", 2)


def test_sizes_of_a_page_are_summed():
    assert total_size([pack(PLAIN), pack(EXTERNAL), pack(PLAIN)]) == 2 * PLAIN.size
    assert total_size([]) == 0


def test_metadata_has_a_limit_in_bytes():
    fits = {"k": "ä" * ((MAX_METADATA - 1) // 2)}
    assert unpack(pack(msgspec.structs.replace(PLAIN, metadata=fits))).metadata == fits
    with pytest.raises(InvalidArgument, match="8192"):
        pack(msgspec.structs.replace(PLAIN, metadata={**fits, "x": "ä"}))


@pytest.mark.parametrize("changes", [{"content_type": "\udcff"}, {"metadata": {"a": "\udcff"}}, {"size": 2**70}])
def test_what_has_no_bytes_is_refused(changes):
    with pytest.raises(InvalidArgument, match="cannot be stored"):
        pack(msgspec.structs.replace(PLAIN, **changes))


@pytest.mark.parametrize("packed", [b"\xc1", msgpack.packb(["a"]), msgpack.packb(["a", 9, "b", 1, "c"])])
def test_what_is_no_entry_is_refused(packed):
    with pytest.raises(DataDamaged):
        unpack(packed)
    with pytest.raises(DataDamaged):
        size_of(packed)
    with pytest.raises(DataDamaged):
        total_size([packed])
    with pytest.raises(DataDamaged):
        same_identity(packed, pack(PLAIN))
