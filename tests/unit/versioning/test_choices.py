# SPDX-License-Identifier: Apache-2.0
"""Which choice wins at a path in conflict."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import InvalidArgument, InvalidMergeStrategy, NotInConflict
from lakehouse.tree.merge import Side
from lakehouse.versioning.commits.choices import Settled, parse_choices


def settled(rules=(), resolutions=(), *, otherwise=None):
    return Settled(parse_choices(rules, resolutions), otherwise=otherwise)


def test_a_path_comes_before_a_glob_and_a_glob_before_the_strategy():
    one = settled([("a/*", "source-wins")], [(b"a/1", "base")], otherwise=Side.OURS)
    assert [one.side(path) for path in (b"a/1", b"a/2", b"b")] == [Side.BASE, Side.THEIRS, Side.OURS]
    assert [settled().side(path) for path in (b"a/1", b"b")] == [None, None]


def test_the_first_glob_that_matches_decides():
    rules = [("a/b/*.csv", "dest-wins"), ("a/*", "source-wins"), ("**", "dest-wins")]
    one = settled(rules, otherwise=Side.THEIRS)
    found = [one.side(path) for path in (b"a/b/c.csv", b"a/b/c/d.csv", b"a/b/c.txt", "é/\n".encode())]
    assert found == [Side.OURS, Side.OURS, Side.THEIRS, Side.OURS]


def test_default_leaves_a_path_in_conflict():
    one = settled([("keep/*", "default")], otherwise=Side.THEIRS)
    assert one.side(b"keep/1") is None
    assert one.side(b"other") is Side.THEIRS


@pytest.mark.parametrize(
    ("take", "side"),
    [("source", Side.THEIRS), ("destination", Side.OURS), ("base", Side.BASE), ("delete", Side.NEITHER)],
)
def test_what_can_be_taken(take, side):
    assert settled(resolutions=[(b"p", take)]).side(b"p") is side


def test_resolutions_that_nobody_asked_for():
    one = settled(resolutions=[(b"p", "source"), (b"q", "source"), (b"r", "source")])
    one.side(b"q")
    with pytest.raises(NotInConflict, match=r"path p \(and 1 more\)"):
        one.require_all_used()
    one.side(b"p")
    one.side(b"r")
    one.require_all_used()


@pytest.mark.parametrize(
    ("rules", "resolutions", "error", "text"),
    [
        ([("a", "ours")], [], InvalidMergeStrategy, "ours"),
        ([("a", "")], [], InvalidMergeStrategy, "dest-wins"),
        ([("", "dest-wins")], [], InvalidArgument, "1 to 255 characters"),
        ([("[", "dest-wins")], [], InvalidArgument, "bracket"),
        ([("a", "dest-wins")] * 101, [], InvalidArgument, "more than 100"),
        ([], [(b"p", "both")], InvalidArgument, "destination, source, base, delete"),
        ([], [(b"p", "source"), (b"p", "base")], InvalidArgument, "named twice"),
    ],
)
def test_refused(rules, resolutions, error, text):
    with pytest.raises(error, match=text):
        parse_choices(rules, resolutions)
