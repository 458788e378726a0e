# SPDX-License-Identifier: Apache-2.0
"""Which side wins where two branches changed the same path differently: by path, by glob, else by the merge's strategy.

Invariant: a choice settles conflicts only. What just one side changed is merged as ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import InvalidArgument, InvalidMergeStrategy, NotInConflict
from lakehouse.core.ids import EntryPath
from lakehouse.tree.merge import Side
from lakehouse.versioning.state.glob import parse_glob

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_RULES = 100
"""Globs in one merge: each path in conflict is matched against them in turn."""

_SIDES = {
    "destination": Side.OURS,
    "source": Side.THEIRS,
    "base": Side.BASE,
    "delete": Side.NEITHER,
}
_STRATEGIES = {"default": None, "dest-wins": Side.OURS, "source-wins": Side.THEIRS}


class Rule(msgspec.Struct, frozen=True):
    """`side` wins at paths in conflict that `glob` matches; None leaves them in conflict."""

    glob: re.Pattern[str]
    side: Side | None


class Choices(msgspec.Struct, frozen=True):
    """`resolutions` by path come first, then the first of `rules` whose glob matches."""

    rules: tuple[Rule, ...] = ()
    resolutions: dict[EntryPath, Side] = {}

    @property
    def may_take_base(self) -> bool:
        """Whether a conflict may be settled by what both sides had before."""
        return Side.BASE in self.resolutions.values() or any(rule.side is Side.BASE for rule in self.rules)


def parse_choices(rules: Sequence[tuple[str, str]], resolutions: Sequence[tuple[EntryPath, str]]) -> Choices:
    """Choices from (glob, strategy) and (path, what to take).

    Raises InvalidMergeStrategy, InvalidArgument for a glob that cannot be read, for more than 100 globs, for a path
    that is named twice and for something to take that there is not.
    """
    if len(rules) > MAX_RULES:
        raise InvalidArgument(f"strategies: more than {MAX_RULES}: invalid value: validation error")
    taken: dict[EntryPath, Side] = {}
    for path, take in resolutions:
        if take not in _SIDES:
            raise InvalidArgument(f"resolutions: take {take!r}: use one of {', '.join(_SIDES)}: validation error")
        if path in taken:
            raise InvalidArgument(f"resolutions: path {path.decode()} is named twice: invalid value: validation error")
        taken[path] = _SIDES[take]
    return Choices(tuple(_rule(glob, strategy) for glob, strategy in rules), taken)


def _rule(glob: str, strategy: str) -> Rule:
    if strategy not in _STRATEGIES:
        raise InvalidMergeStrategy(
            f"strategies: {strategy}: invalid merge strategy (use dest-wins, source-wins or default)"
        )
    return Rule(parse_glob(glob), _STRATEGIES[strategy])


class Settled:
    """Answers for one run of a merge, and remembers which paths were asked for. `otherwise` is the merge's strategy."""

    def __init__(self, choices: Choices, *, otherwise: Side | None) -> None:
        self._choices = choices
        self._otherwise = otherwise
        self._left = set(choices.resolutions)

    def side(self, path: bytes) -> Side | None:
        """The side that wins at a path in conflict; None when it stays one."""
        key = EntryPath(path)
        if key in self._choices.resolutions:
            self._left.discard(key)
            return self._choices.resolutions[key]
        if self._choices.rules:
            text = path.decode(errors="replace")
            for rule in self._choices.rules:
                if rule.glob.fullmatch(text):
                    return rule.side
        return self._otherwise

    def require_all_used(self) -> None:
        """After the merge: raises NotInConflict when a resolution names a path that was in no conflict."""
        if self._left:
            path = min(self._left).decode(errors="replace")
            more = f" (and {len(self._left) - 1} more)" if len(self._left) > 1 else ""
            raise NotInConflict(
                f"resolutions: path {path}{more} is not in conflict; list the conflicts again: validation error"
            )
