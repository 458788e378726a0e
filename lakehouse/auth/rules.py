# SPDX-License-Identifier: Apache-2.0
"""What a user's policies come to: compiled once, then asked for each operation in about a microsecond.

Allowed is what some statement allows and none denies; everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.actions import ACTIONS, KNOWN, domain_of
from lakehouse.auth.arn import EVERYTHING, Arn, Patterns, matcher, parse_resources
from lakehouse.auth.conditions import Holds, parse_conditions
from lakehouse.core.errors import InvalidPolicy
from lakehouse.core.records import Effect, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.core.records import PolicyStatement

MAX_DOCUMENT = 64 * 1024
"""Most bytes of a policy's statements."""
_WILDCARDS = frozenset("*?")


class Compiled(msgspec.Struct, frozen=True):
    """A statement, taken apart."""

    effect: Effect
    action: Callable[[str], object]
    resources: tuple[Arn, ...]
    holds: Callable[[User], Holds] | None

    def patterns(self, action: str) -> list[str]:
        """The resources of the action's kind that are meant."""
        wanted = (EVERYTHING, domain_of(action))
        return [arn.resource for arn in self.resources if arn.service in wanted]


class Side:
    """What a user's statements of one effect say of one action."""

    __slots__ = ("conditional", "plain")

    def __init__(self, action: str, statements: Sequence[Compiled], *, user: str) -> None:
        mine = [one for one in statements if one.action(action)]
        self.plain = Patterns((text for one in mine if one.holds is None for text in one.patterns(action)), user=user)
        self.conditional = [
            (Patterns(one.patterns(action), user=user), one.holds)
            for one in mine
            if one.holds is not None and one.patterns(action)
        ]


class Judge:
    """All that a user's statements say of one action."""

    __slots__ = ("_allow", "_deny", "_within", "always")

    def __init__(self, allow: Side, deny: Side, within: Judge | None) -> None:
        self._allow = allow
        self._deny = deny
        self._within = within
        self.always: bool = (
            allow.plain.everything and deny.plain.empty and not deny.conditional and (within is None or within.always)
        )
        """Whether every resource is allowed, whoever asks from wherever."""

    def allows(self, resource: str, user: User) -> bool:
        """Whether the action is allowed on this resource."""
        if self.always:
            return True
        if self._within is not None and not self._within.allows(resource, user):
            return False
        if self._deny.plain(resource) or any(
            match(resource) and holds(user) is not Holds.NO for match, holds in self._deny.conditional
        ):
            return False
        return self._allow.plain(resource) or any(
            match(resource) and holds(user) is Holds.YES for match, holds in self._allow.conditional
        )

    def allows_below(self, prefix: str, user: User) -> bool:
        """Whether it is certain that the action is allowed on every resource that begins with `prefix`."""
        if self.always:
            return True
        if self._within is not None and not self._within.allows_below(prefix, user):
            return False
        if not self._deny.plain.empty or self._deny.conditional:
            return False
        return self._allow.plain.covers(prefix) or any(
            match.covers(prefix) and holds(user) is Holds.YES for match, holds in self._allow.conditional
        )

    def denies_below(self, prefix: str, user: User) -> bool:
        """Whether there may be a resource that begins with `prefix` for which a statement denies the action."""
        if self._within is not None and self._within.denies_below(prefix, user):
            return True
        return self._deny.plain.touches(prefix) or any(
            match.touches(prefix) and holds(user) is not Holds.NO for match, holds in self._deny.conditional
        )

    def allows_somewhere(self, user: User) -> bool:
        """Whether there may be a resource on which the action is allowed."""
        if self._within is not None and not self._within.allows_somewhere(user):
            return False
        if self._deny.plain.everything or any(
            match.everything and holds(user) is not Holds.NO for match, holds in self._deny.conditional
        ):
            return False
        return not self._allow.plain.empty or any(holds(user) is Holds.YES for _, holds in self._allow.conditional)


class Rules:
    """A user's statements, by action; an action is worked out when it is asked for first.

    With `within`, only what those rules allow as well is allowed.
    """

    __slots__ = ("_allow", "_deny", "_judges", "_user", "_within", "conditional")

    def __init__(self, statements: Iterable[PolicyStatement], *, user: str, within: Rules | None = None) -> None:
        """Raises InvalidPolicy."""
        self._user = user
        self._within = within
        compiled = [compile_statement(one, user=user) for one in statements]
        self._allow = [one for one in compiled if one.effect is Effect.ALLOW]
        self._deny = [one for one in compiled if one.effect is Effect.DENY]
        self.conditional: bool = any(one.holds is not None for one in compiled) or (
            within is not None and within.conditional
        )
        """Whether it matters from where the user asks."""
        self._judges: dict[str, Judge] = {}

    def judge(self, action: str) -> Judge:
        """What is allowed of `action`."""
        known = self._judges.get(action)
        if known is None:
            within = None if self._within is None else self._within.judge(action)
            known = self._judges[action] = Judge(
                Side(action, self._allow, user=self._user), Side(action, self._deny, user=self._user), within
            )
        return known


@lru_cache(maxsize=4096)
def _actions(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """What tells whether an action is meant. The same few lists stand in most policies."""
    return matcher(patterns, user="")


def compile_statement(statement: PolicyStatement, *, user: str) -> Compiled:
    """A statement as it counts for a user. Raises InvalidPolicy."""
    return Compiled(
        statement.effect,
        _actions(statement.action),
        parse_resources(statement.resource),
        parse_conditions(statement.condition, user=user),
    )


def check_statements(statements: Sequence[PolicyStatement]) -> None:
    """Judge what somebody wants to store. Raises InvalidPolicy, naming what is wrong."""
    if not statements:
        raise InvalidPolicy("policy: no statements: invalid value: validation error")
    if len(msgspec.json.encode(statements)) > MAX_DOCUMENT:
        raise InvalidPolicy(f"policy: larger than {MAX_DOCUMENT} bytes: invalid value: validation error")
    for statement in statements:
        if not statement.action:
            raise InvalidPolicy("policy: a statement without actions: invalid value: validation error")
        for action in statement.action:
            _check_action(action)
        compile_statement(statement, user="")


def _check_action(action: str) -> None:
    if action in KNOWN or action == EVERYTHING:
        return
    service, colon, name = action.partition(":")
    if not colon or service not in ACTIONS:
        raise InvalidPolicy(
            f"policy: action {action!r}: invalid service name: validation error (known are {', '.join(ACTIONS)})"
        )
    if not _WILDCARDS & set(name) or not any(map(matcher([action], user=""), KNOWN)):
        raise InvalidPolicy(f"policy: action {action!r}: invalid action: validation error")
