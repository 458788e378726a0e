# SPDX-License-Identifier: Apache-2.0
"""The grammar of ref expressions: a base, then modifiers `~N`, `^N`, or one `@` or `$`."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from lakehouse.core.errors import InvalidRef

_BASE = re.compile(r"[^~^@$\s]+")
_STEP = re.compile(r"([~^])(\d*)")
MAX_STEP = 2**31 - 1


class Step(msgspec.Struct, frozen=True):
    """One move through history: `~N` (N first parents up) or `^N` (to the N-th parent, 1-based)."""

    kind: str
    count: int


class Suffix(StrEnum):
    """What a ref names beside a commit."""

    NONE = ""
    HEAD = "@"
    STAGING = "$"


class RefExpression(msgspec.Struct, frozen=True):
    """A parsed ref expression: `main`, `main~2^1`, `main@`, `main$`."""

    base: str
    steps: tuple[Step, ...] = ()
    suffix: Suffix = Suffix.NONE


def parse_ref(text: str) -> RefExpression:
    """Read a ref expression. Raises InvalidRef."""
    match = _BASE.match(text)
    if match is None:
        raise InvalidRef
    base, rest = match.group(), text[match.end() :]
    if rest in ("@", "$"):
        return RefExpression(base, suffix=Suffix(rest))
    steps = []
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise InvalidRef
        count = int(step.group(2) or 1) if len(step.group(2)) <= 10 else MAX_STEP + 1
        if count > MAX_STEP:
            raise InvalidRef
        steps.append(Step(step.group(1), count))
        at = step.end()
    return RefExpression(base, tuple(steps))
