# SPDX-License-Identifier: Apache-2.0
"""Ignore files: patterns, their order, and where they count."""

from __future__ import annotations

from lakehouse.sdk.buckets.ignored import Ignored

NAMES = frozenset({".ignore"})


def test_patterns_of_the_folder_itself(tmp_path) -> None:
    (tmp_path / ".ignore").write_text("# a comment\n*.tmp\n!keep.tmp\n/only-here\nbuild/\na/b\n\\#odd\n\n")
    ignored = Ignored.around(tmp_path, NAMES).within(tmp_path, "", [".ignore"])
    gone = ["x.tmp", "d/x.tmp", "only-here", "build/", "d/build/", "a/b", "#odd"]
    kept = ["keep.tmp", "d/keep.tmp", "d/only-here", "build", "x/a/b", "x", ".ignore"]
    assert [path for path in gone if not ignored(path)] == []
    assert [path for path in kept if ignored(path)] == []


def test_inner_files_win_and_count_only_below(tmp_path) -> None:
    inner = tmp_path / "d" / "e"
    inner.mkdir(parents=True)
    (tmp_path / ".ignore").write_text("*.tmp\n/d/e/x\n")
    (inner / ".ignore").write_text("!*.tmp\n/y\n")
    outer = Ignored.around(tmp_path, NAMES).within(tmp_path, "", [".ignore"])
    deeper = outer.within(inner, "d/e/", [".ignore"])
    assert outer("d/e/a.tmp")
    assert not deeper("d/e/a.tmp")
    assert deeper("d/a.tmp")
    assert [deeper(path) for path in ("d/e/x", "d/e/y", "y", "d/y")] == [True, True, False, False]


def test_files_above_the_folder_count(tmp_path) -> None:
    source = tmp_path / "project" / "src"
    source.mkdir(parents=True)
    (tmp_path / ".ignore").write_text("/project/src/a\n*.log\n")
    (tmp_path / "project" / ".ignore").write_text("!b.log\n/src/c\n")
    ignored = Ignored.around(source, NAMES)
    assert [ignored(path) for path in ("a", "x/a", "a.log", "b.log", "x/b.log", "c", "x/c")] == [
        True, False, True, False, False, True, False,
    ]  # fmt: skip


def test_without_names_nothing_is_read_and_nothing_ignored(tmp_path) -> None:
    (tmp_path / ".ignore").write_text("*\n")
    assert not Ignored.around(tmp_path, frozenset())("x")


def test_several_names_and_odd_bytes(tmp_path) -> None:
    (tmp_path / ".ignore").write_bytes(b"\xef\xbb\xbffirst\r\n\xff\n")
    (tmp_path / ".other").write_text("second\n!first\n")
    ignored = Ignored.around(tmp_path, frozenset()).within(tmp_path, "", [".other", ".ignore"])
    assert [ignored(path) for path in ("first", "second", "third")] == [False, True, False]
