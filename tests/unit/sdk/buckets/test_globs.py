# SPDX-License-Identifier: Apache-2.0
"""Patterns of keys."""

from __future__ import annotations

import pytest

from lakehouse.sdk.buckets.globs import has_magic, matcher, plain_start


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("a", ["a", "a/"], ["b", "aa", "", "a/b"]),
        ("*", ["a", "", ".hidden", "a b"], ["a/b"]),
        ("*.txt", ["a.txt", ".txt"], ["a.txt.bin", "d/a.txt"]),
        ("a?c", ["abc", "a.c", "a\nc"], ["ac", "a/c", "abbc"]),
        ("[ab]*", ["a", "bcd"], ["c", ""]),
        ("[!ab]x", ["cx", "-x"], ["ax", "bx", "/x"]),
        ("[^a]", ["b"], ["a", "/"]),
        ("[a-c]", ["a", "b", "c"], ["d", "-"]),
        ("[]]", ["]"], ["["]),
        ("[!]]", ["a"], ["]"]),
        ("[ab", ["[ab"], ["a"]),
        ("[&&~~||]", ["&", "~", "|"], ["a"]),
        ("**", ["a", "a/b/c", ""], []),
        ("**/a", ["a", "x/a", "x/y/a"], ["b", "xa", "a/b"]),
        ("d/**", ["d/a", "d/a/b", "d/"], ["d", "x/d/a"]),
        ("d/**/e", ["d/e", "d/x/e", "d/x/y/e"], ["d/xe", "e"]),
        ("**/d/**", ["d/a", "x/d/a"], ["d", "xd/a"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("a.b+(c)$^{}|\\", ["a.b+(c)$^{}|\\"], ["axb+(c)$^{}|\\"]),
        ("d/", ["d/"], ["d", "d/a"]),
        ("ü*", ["üx"], ["ux"]),
    ],
)
def test_matches(pattern, matches, others) -> None:
    match = matcher(pattern)
    assert [one for one in matches if not match(one)] == []
    assert [one for one in others if match(one)] == []


def test_what_is_asked_for() -> None:
    assert [plain_start(one) for one in ("abc", "a*c", "*", "ab[c]", "a?")] == ["abc", "a", "", "ab", "a"]
    assert [has_magic(one) for one in ("a", "a*", "a?", "[a", "a.b")] == [False, True, True, True, False]
