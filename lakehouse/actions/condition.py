# SPDX-License-Identifier: Apache-2.0
"""The `if` of a hook: `success()`, `failure()`, `always()`, `true`, `false`, with `!`, `&&`, `||` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from lakehouse.core.errors import InvalidAction

Condition: TypeAlias = Callable[[bool], bool]
"""Whether a hook runs, told whether a hook before it failed."""
LONGEST = 500
_TOKEN = re.compile(r"\s*(success\(\)|failure\(\)|always\(\)|true\b|false\b|&&|\|\||and\b|or\b|not\b|!|\(|\))")
_WORDS: dict[str, Condition] = {
    "success()": lambda failed: not failed,
    "failure()": lambda failed: failed,
    "always()": lambda _: True,
    "true": lambda _: True,
    "false": lambda _: False,
}


def parse_condition(text: str) -> Condition:
    """A condition; an empty one is `success()`. Raises InvalidAction."""
    if not text.strip():
        return _WORDS["success()"]
    if len(text) > LONGEST:
        raise InvalidAction(f"if: longer than {LONGEST} characters")
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidAction(f"if: {text[at:].strip()!r} is not understood")
        tokens.append(match.group(1))
        at = match.end()
    parser = _Parser(tokens)
    found = parser.either()
    if parser.rest:
        raise InvalidAction(f"if: {parser.rest[-1]!r} is not expected there")
    return found


class _Parser:
    """Takes tokens from the end of `rest`, which holds them in reverse."""

    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens[::-1]

    def either(self) -> Condition:
        found = self._both()
        while self._take("||", "or"):
            found = _or(found, self._both())
        return found

    def _both(self) -> Condition:
        found = self._one()
        while self._take("&&", "and"):
            found = _and(found, self._one())
        return found

    def _one(self) -> Condition:
        if self._take("!", "not"):
            negated = self._one()
            return lambda failed: not negated(failed)
        if self._take("("):
            found = self.either()
            if not self._take(")"):
                raise InvalidAction("if: a parenthesis is not closed")
            return found
        if not self.rest or self.rest[-1] not in _WORDS:
            raise InvalidAction("if: success(), failure(), always(), true or false is expected")
        return _WORDS[self.rest.pop()]

    def _take(self, *tokens: str) -> bool:
        if self.rest and self.rest[-1] in tokens:
            self.rest.pop()
            return True
        return False


def _or(one: Condition, other: Condition) -> Condition:
    return lambda failed: one(failed) or other(failed)


def _and(one: Condition, other: Condition) -> Condition:
    return lambda failed: one(failed) and other(failed)
