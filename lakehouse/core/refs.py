# SPDX-License-Identifier: Apache-2.0
"""The grammar of ref expressions: a base, then modifiers `~N`, `^N`, or one `@` or `$`.

Between base and modifiers may stand a moment, `@{...}`: where the branch's head was then, as its reflog tells.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from lakehouse.core.errors import InvalidRef

_BASE = re.compile(r"[^~^@$\s]+")
_STEP = re.compile(r"([~^])(\d*)")
_MOMENT = re.compile(r"@\{([^{}\s]+)\}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_AGO = re.compile(r"(\d{1,9})\.(second|minute|hour|day|week)s?\.ago")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
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


class Moment(msgspec.Struct, frozen=True):
    """When, or how many moves of the head ago: one of the three is given. Times in seconds."""

    time: int | None = None
    ago: int | None = None
    moves: int | None = None


class RefExpression(msgspec.Struct, frozen=True):
    """A parsed ref expression: `main`, `main~2^1`, `main@`, `main$`, `main@{2026-05-01}~`."""

    base: str
    steps: tuple[Step, ...] = ()
    suffix: Suffix = Suffix.NONE
    moment: Moment | None = None

    @property
    def shows_staging(self) -> bool:
        """Whether it would show staged rows if the base is a branch."""
        return not self.steps and self.moment is None and self.suffix is not Suffix.HEAD


def parse_ref(text: str) -> RefExpression:
    """Read a ref expression. Raises InvalidRef."""
    match = _BASE.match(text)
    if match is None:
        raise InvalidRef
    base, rest = match.group(), text[match.end() :]
    if rest in ("@", "$"):
        return RefExpression(base, suffix=Suffix(rest))
    moment = None
    at = 0
    if found := _MOMENT.match(rest):
        moment, at = _moment(found.group(1)), found.end()
    steps = []
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise InvalidRef
        count = int(step.group(2) or 1) if len(step.group(2)) <= 10 else MAX_STEP + 1
        if count > MAX_STEP:
            raise InvalidRef
        steps.append(Step(step.group(1), count))
        at = step.end()
    return RefExpression(base, tuple(steps), moment=moment)


def _moment(text: str) -> Moment:
    """`3`, `2026-05-01T12:00:00Z`, `2026-05-01`, `2.hours.ago`, `yesterday`, `now`. Raises InvalidRef."""
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return Moment(moves=int(text))
    if ago := _AGO.fullmatch(text):
        return Moment(ago=int(ago.group(1)) * _SECONDS[ago.group(2)])
    if text in ("now", "yesterday"):
        return Moment(ago=_SECONDS["day"] if text == "yesterday" else 0)
    try:
        time = msgspec.convert(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text, datetime)
    except msgspec.ValidationError as error:
        raise InvalidRef(
            f"@{{{text}}}: not a moment such as 2026-05-01T00:00:00Z, 2026-05-01, 2.hours.ago, yesterday or 1 (moves "
            "of the head): invalid ref: invalid value: validation error"
        ) from error
    return Moment(time=int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // 1))
