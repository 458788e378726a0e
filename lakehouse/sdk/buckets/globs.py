# SPDX-License-Identifier: Apache-2.0
"""Patterns of keys: `*` and `?` within a level, `[abc]` and `[!abc]`, and `**` for this level and all below it.

Listings are asked for as little as the pattern allows: up to its first wildcard, level by level, and all below only
from `**` on.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MAGIC = re.compile(r"[*?\[]")
EVERYTHING_BELOW = "**"


def has_magic(text: str) -> bool:
    """Whether a pattern is more than a text."""
    return _MAGIC.search(text) is not None


def plain_start(pattern: str) -> str:
    """What every match begins with."""
    found = _MAGIC.search(pattern)
    return pattern if found is None else pattern[: found.start()]


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Callable[[str], object]:
    """What tells whether a whole key matches; a `/` at the end of a key may be left out of the pattern."""
    return re.compile(_translated(pattern) + ("" if pattern.endswith("/") else "/?"), re.DOTALL).fullmatch


def _translated(pattern: str) -> str:
    levels = pattern.split("/")
    found = ""
    for number, level in enumerate(levels):
        last = number == len(levels) - 1
        if level == EVERYTHING_BELOW:
            found += ".*" if last else "(?:.+/)?"
        else:
            found += _level(level) + ("" if last else "/")
    return found


def _level(text: str) -> str:
    """The regular expression of one level."""
    found, at = "", 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*":
            found += "[^/]*"
        elif char == "?":
            found += "[^/]"
        elif char == "[" and (end := _end_of_set(text, at)) > 0:
            found += _set(text[at:end])
            at = end + 1
        else:
            found += re.escape(char)
    return found


def _end_of_set(text: str, start: int) -> int:
    """Where a set of characters ends; -1 when it does not: then its bracket is a character like others."""
    first = start + (text[start : start + 1] in {"!", "^"})
    return text.find("]", first + 1)


def _set(inner: str) -> str:
    negated = inner[0] in "!^"
    body = inner[1:] if negated else inner
    body = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    return f"(?!/)[{'^' if negated else ''}{body}]"
