# SPDX-License-Identifier: Apache-2.0
"""Dumps: their bytes, and what is refused."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.dump import FRAME, HEAD, DumpedRef, DumpKind, dump_head, dump_page, read_page, require_head

REFS = [DumpedRef("main", "a" * 64), DumpedRef("tx", "b" * 64, hidden=True)]
PAGE = bytes.fromhex("000000919e24ac685373d5a99293a46d61696ed940" + "61" * 64 + "c293a27478d940" + "62" * 64 + "c3")
"""The bytes of a page of `REFS`, for ever."""


def test_the_same_bytes_are_made_again() -> None:
    assert dump_head(DumpKind.TAGS) == b"LHRD\x01\x02"
    page = dump_page(REFS)
    length, digest = FRAME.unpack(page[: FRAME.size])
    assert length == len(page) - FRAME.size
    assert page == PAGE
    assert read_page(page[FRAME.size :], digest, DumpedRef) == REFS
    assert FRAME.unpack(dump_page(()))[0] == 0


def test_records_of_later_programs_are_read() -> None:
    import msgspec
    import xxhash

    packed = msgspec.msgpack.encode([["main", "c", False, "later"], ["old", "d"]])
    assert read_page(packed, xxhash.xxh3_64_intdigest(packed), DumpedRef) == [
        DumpedRef("main", "c"),
        DumpedRef("old", "d"),
    ]


def test_what_is_refused() -> None:
    require_head(dump_head(DumpKind.COMMITS), DumpKind.COMMITS)
    for head in (b"", b"LHRD\x01", b"LHRX\x01\x00", dump_head(DumpKind.TAGS)):
        with pytest.raises(DataDamaged):
            require_head(head, DumpKind.COMMITS)
    with pytest.raises(FormatUnknown):
        require_head(b"LHRD\x02\x00", DumpKind.COMMITS)
    assert len(dump_head(DumpKind.TAGS)) == HEAD
    page = dump_page(REFS)
    _, digest = FRAME.unpack(page[: FRAME.size])
    with pytest.raises(DataDamaged):
        read_page(page[FRAME.size : -1], digest, DumpedRef)
    with pytest.raises(DataDamaged):
        read_page(page[FRAME.size :], digest, bytes)
