# SPDX-License-Identifier: Apache-2.0
"""Globs over the names of branches: `*`, `?`, `[a-z]`, `[!a-z]`, `{one,other}`.

Invariant: matching takes at most (length of the glob) x (length of the name) steps. A glob is many users' input and is
matched in the event loop, so nothing in it may make the matcher go back: what stands between two stars has a fixed
length, and the first place where it fits is as good as any other.
"""

from __future__ import annotations

import re

from lakehouse.core.errors import InvalidArgument

MAX_LENGTH = 255
MAX_ALTERNATIVES = 64
"""Globs without braces that one with braces may stand for."""


def parse_glob(text: str) -> re.Pattern[str]:
    """An expression whose `fullmatch` is the glob's. Raises InvalidArgument."""
    if not 0 < len(text) <= MAX_LENGTH:
        raise _invalid(text, f"1 to {MAX_LENGTH} characters are allowed")
    try:
        return re.compile("|".join(_expression(text, one) for one in _alternatives(text)), re.DOTALL)
    except re.error as error:
        raise _invalid(text, str(error)) from error


def _alternatives(text: str) -> list[str]:
    """The globs without braces that stand for this one."""
    found = [""]
    rest = text
    while rest:
        plain, opening, after = rest.partition("{")
        inside, closing, rest = after.partition("}")
        if "}" in plain or "{" in inside or opening != ("{" if closing else ""):
            raise _invalid(text, "braces must come in pairs, and not one in the other")
        choices = inside.split(",") if opening else [""]
        found = [head + plain + choice for head in found for choice in choices]
        if len(found) > MAX_ALTERNATIVES:
            raise _invalid(text, f"the braces stand for more than {MAX_ALTERNATIVES} patterns")
    return found


def _expression(text: str, glob: str) -> str:
    """One glob without braces. Each star takes as little as it can and never gives back, but for the last one."""
    pieces = [_fixed(text, piece) for piece in _split(text, glob)]
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"


def _split(text: str, glob: str) -> list[str]:
    """What stands between the stars; a star in brackets is a character."""
    pieces, at, start = [], 0, 0
    while at < len(glob):
        if glob[at] == "[":
            at = _class_end(text, glob, at)
        elif glob[at] == "*":
            pieces.append(glob[start:at])
            start = at + 1
        at += 1
    return [*pieces, glob[start:]]


def _fixed(text: str, piece: str) -> str:
    """A piece without stars: as many characters as it matches."""
    out, at = [], 0
    while at < len(piece):
        char = piece[at]
        if char == "?":
            out.append(".")
        elif char == "[":
            end = _class_end(text, piece, at)
            inside = piece[at + 1 : end]
            negated = inside[0] in "!^"
            inside = re.sub(r"([\\\[&~|^])", r"\\\1", inside[negated:])
            out.append(f"[^{inside}]" if negated else f"[{inside}]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def _class_end(text: str, glob: str, at: int) -> int:
    """Where the bracket that opens at `at` closes."""
    end = glob.find("]", at + 2)
    if end < 0:
        raise _invalid(text, "a bracket is not closed, or there is nothing in it")
    return end


def _invalid(text: str, why: str) -> InvalidArgument:
    shown = text if len(text) <= 80 else f"{text[:80]}..."
    return InvalidArgument(f"pattern {shown!r}: {why}: invalid value: validation error")
