# SPDX-License-Identifier: Apache-2.0
"""The filter of changed paths never says no to what was changed, and seldom yes to what was not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.format.changed_paths import MAX_ITEMS, PathsFilter, may_contain, may_contain_prefix, paths_filter

PATHS = st.lists(st.binary(min_size=1, max_size=12).map(lambda path: path.replace(b"\x00", b"/")), max_size=30)


@given(PATHS)
def test_what_was_changed_is_contained_with_all_its_prefixes(paths):
    packed = paths_filter(paths)
    for path in paths:
        assert may_contain(packed, path)
        for end in range(len(path) + 1):
            assert may_contain_prefix(packed, path[:end])
            if path[:end].endswith(b"/"):
                assert may_contain(packed, path[:end])


def test_a_small_commit_has_a_small_filter():
    packed = paths_filter([b"tables/orders/day=%02d/part-0.parquet" % day for day in range(6)])
    assert packed is not None
    assert len(packed) <= 25


def test_few_other_paths_look_contained():
    packed = paths_filter([b"a/%05d" % number for number in range(2000)])
    wrong = sum(may_contain(packed, b"b/%05d" % number) for number in range(10_000))
    assert wrong < 200


def test_filters_of_few_paths_are_nearly_always_right():
    """No path is unlucky: whatever one asks for, few of many small filters say yes."""
    filters = [paths_filter([b"tables/t%02d/part-%05d" % (turn % 20, turn)]) for turn in range(1000)]
    worst = max(sum(may_contain(one, b"other/%d" % number) for one in filters) for number in range(100))
    assert worst < 10


def test_nothing_changed_means_nothing_contained():
    packed = paths_filter([])
    assert not may_contain(packed, b"a")
    assert not may_contain_prefix(packed, b"")
    assert not may_contain_prefix(packed, b"a")


def test_too_many_paths_have_no_filter_and_unknown_is_yes():
    assert paths_filter([b"%d" % number for number in range(MAX_ITEMS)]) is not None
    assert paths_filter([b"%d" % number for number in range(MAX_ITEMS + 1)]) is None
    for unknown in (None, b"", b"\x03later"):
        assert may_contain(unknown, b"a")
        assert may_contain_prefix(unknown, b"a/b")
        assert may_contain_prefix(unknown, b"")


def test_pages_are_gathered_and_cost_nothing_once_they_are_too_many():
    gathered = PathsFilter()
    gathered.add([b"a/b"])
    gathered.add([b"c"])
    packed = gathered.packed()
    assert all(may_contain(packed, path) for path in (b"a/b", b"a/", b"c"))
    gathered.add([b"%d" % number for number in range(MAX_ITEMS + 1)])
    gathered.add([b"late"])
    assert gathered.packed() is None
