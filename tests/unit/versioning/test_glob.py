# SPDX-License-Identifier: Apache-2.0
"""Globs of branch names: what they match, what is refused, and that none of them takes long."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.core.errors import InvalidArgument
from lakehouse.versioning.state.glob import parse_glob


def slow(glob: str) -> str:
    """The same glob as a plain expression, which may go back as often as it likes."""
    return "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)


@given(st.text("ab*?", min_size=1, max_size=7), st.text("ab", max_size=9))
def test_stars_and_question_marks(glob: str, name: str) -> None:
    assert bool(parse_glob(glob).fullmatch(name)) == bool(re.fullmatch(slow(glob), name))


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("v[0-9]*", ["v1", "v10x"], ["v", "va"]),
        ("v[!0-9]", ["va", "v-"], ["v1"]),
        ("v[^0-9]", ["va"], ["v1"]),
        ("[a^]", ["a", "^"], ["b"]),
        ("[*]x", ["*x"], ["ax"]),
        ("{dev,prod}-*", ["dev-", "prod-1"], ["test-1", "dev"]),
        ("{a,b}{c,d}", ["ac", "bd"], ["ab", "acd"]),
        ("x{,y}", ["x", "xy"], ["xyy"]),
        ("{only}", ["only"], ["{only}"]),
        ("a.b+", ["a.b+"], ["axb", "abb"]),
        ("a|b", ["a|b"], ["a", "b"]),
    ],
)
def test_brackets_and_braces(glob: str, yes: list[str], no: list[str]) -> None:
    pattern = parse_glob(glob)
    assert [name for name in yes if not pattern.fullmatch(name)] == []
    assert [name for name in no if pattern.fullmatch(name)] == []


@pytest.mark.parametrize(
    "glob", ["", "a" * 256, "[", "a[", "[]", "[!]", "[z-a]", "{a", "a}", "}{", "{a,{b}}", "{a,b}" * 7]
)
def test_what_cannot_be_read_is_refused(glob: str) -> None:
    with pytest.raises(InvalidArgument, match="pattern"):
        parse_glob(glob)


def test_no_glob_takes_long() -> None:
    """With an expression that goes back, this never ends."""
    assert not parse_glob("*a" * 120 + "b").fullmatch("a" * 255)
    assert not parse_glob("{" + ",".join(["*a*a*a*b"] * 25) + "}").fullmatch("a" * 255)
