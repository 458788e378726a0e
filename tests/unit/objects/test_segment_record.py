# SPDX-License-Identifier: Apache-2.0
"""Records of segments: their bytes, and how a reader without an index tells whole ones from others."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager

import pytest

from lakehouse.core.errors import DataTooNew
from lakehouse.objects.local_file import Label
from lakehouse.objects.segment_record import (
    FIRST,
    NewRecord,
    encode,
    head_before,
    is_segment,
    left_of,
    scan,
    segment_head,
    segment_name,
    strike,
)

SALT = 0x0102030405060708


def record(key: str, body: bytes, **metadata: str) -> NewRecord:
    return NewRecord(Label("b.x", key.encode(), "text/plain", metadata), body, 1000.5)


def written(*records: NewRecord) -> bytes:
    """A segment of these records."""
    made = segment_head(SALT)
    for one in records:
        before, behind = encode(one, etag="e" * 32, salt=SALT)
        made += before + one.body + behind
    return made


@contextmanager
def opened(data: bytes):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield file.fileno()


def found(data: bytes) -> list[tuple[bytes, bool]]:
    with opened(data) as file:
        return [(one.header.label.key, one.whole) for one in scan(file)]


def test_golden_bytes(repository_root):
    """A segment is, byte for byte, the example of the format's page."""
    page = (repository_root / "docs/formats/object-store.md").read_text()
    [example] = re.findall(r"This is a segment with .*?```\n(.*?)```", page, re.DOTALL)
    data = bytes.fromhex(example)
    assert written(record("k", b"bytes")) == data
    with opened(data) as file:
        [only] = scan(file)
    assert (only.begin, only.end, only.whole, only.struck) == (32, len(data), True, False)
    assert only.header.label == Label("b.x", b"k", "text/plain", {})
    assert (only.header.size, only.header.etag, only.header.modified) == (5, "e" * 32, 1000.5)


def test_what_was_written_is_found():
    bodies = [b"", b"1", bytes(8), os.urandom(300_000), b"x" * 7]
    records = [record(f"k{at}", body, m="v" * 2000) for at, body in enumerate(bodies)]
    with opened(written(*records)) as file:
        got = list(scan(file))
        for one, body in zip(got, bodies, strict=True):
            assert os.pread(file, one.header.size, one.header.offset) == body
            assert head_before(file, one.header.offset) == one.header
            assert head_before(file, one.header.offset + 8) is None
        size = os.fstat(file).st_size
    assert all(one.whole and not one.struck for one in got)
    assert got[0].header.label == records[0].label
    assert (got[0].begin, got[-1].end) == (FIRST, size)


def test_a_tail_that_is_cut_or_zero_anywhere():
    """Whatever part of the last record is missing, those before it are found, and it is not."""
    first = written(record("a", b"first"), record("b", b"second"))
    data = written(record("a", b"first"), record("b", b"second"), record("c", b"third, with 23 bytes \x01"))
    last = len(data) - len(data.rstrip(b"\0"))  # padding may be missing
    good = [(b"a", True), (b"b", True)]
    for at in range(len(first), len(data) - last):
        cut = found(data[:at])
        assert cut[:2] == good
        assert (b"c", True) not in cut, at
        zeros = found(data[:at] + bytes(4096))
        assert zeros[:2] == good
        assert (b"c", True) not in zeros or data[at:].strip(b"\0") == b"", at
    assert found(data + bytes(10_000)) == [*good, (b"c", True)]


def test_damage_in_the_middle_costs_what_it_touches():
    data = written(record("a", b"first"), record("b", b"second" * 20), record("c", b"third"))
    with opened(data) as file:
        _, middle, last = scan(file)
    for at in range(middle.begin, last.begin):
        broken = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        got = found(broken)
        assert (b"a", True) in got, at
        assert (b"c", True) in got, at


def test_bytes_that_look_like_a_record_are_none():
    """An object may hold a segment, and the record around it may be damaged."""
    inner = written(record("forged", b"x"))[FIRST:]
    other = segment_head(SALT + 1)
    before, behind = encode(record("outer", inner), etag="e", salt=SALT + 1)
    data = other + before + inner + behind
    assert found(data) == [(b"outer", True)]
    broken = data[:FIRST] + bytes(8) + data[FIRST + 8 :]
    assert found(broken) == []


def test_records_that_are_struck_out():
    with opened(written(record("a", b"1"), record("b", b"2"))) as file:
        first, _ = scan(file)
        strike(file, first.header.offset)
        assert [(one.struck, one.whole) for one in scan(file)] == [(True, True), (False, True)]


def test_what_is_no_segment():
    for data in (b"", b"LAKESEG", bytes(1000)):
        assert found(data) == []
    with pytest.raises(DataTooNew, match="segment has format 9"):
        found(segment_head(SALT).replace(b"\0\x01\0\0", b"\0\x09\0\0", 1))


def test_names():
    name = segment_name("0123456789abcdef01234567-deadbeef")
    assert name == "0123456789abcdef01234567-s-deadbeef"
    assert is_segment(name)
    assert not is_segment("0123456789abcdef01234567-deadbeef")
    assert left_of(name, 7) == f"{name}@7"
    assert left_of("0123456789abcdef01234567-deadbeef", 7) == "0123456789abcdef01234567-deadbeef"
