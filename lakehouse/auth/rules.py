# SPDX-License-Identifier: Apache-2.0
"""What a user's policies come to: compiled once, then asked for each operation in about a microsecond.

Allowed is what some statement allows and none denies; everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth.actions import ACTIONS, KNOWN, domain_of
from lakehouse.auth.arn import EVERYTHING, Arn, is_everything, matcher, parse_resources
from lakehouse.auth.conditions import Holds, parse_conditions
from lakehouse.core.errors import InvalidPolicy
from lakehouse.core.records import Effect, User

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.core.records import PolicyStatement

_Clause = tuple[Callable[[str], object], Callable[[User], Holds] | None]
"""What tells whether a resource is meant, and the statement's conditions."""
MAX_DOCUMENT = 64 * 1024
"""Most bytes of a policy's statements."""
_WILDCARDS = frozenset("*?")


class Compiled(msgspec.Struct, frozen=True):
    """A statement, taken apart."""

    effect: Effect
    action: Callable[[str], object]
    resources: tuple[Arn, ...]
    holds: Callable[[User], Holds] | None

    def matches_resource(self, action: str, *, user: str) -> Callable[[str], object] | None:
        """What tells whether a resource is meant; None when no resource of the action's kind can be."""
        wanted = (EVERYTHING, domain_of(action))
        patterns = [arn.resource for arn in self.resources if arn.service in wanted]
        if not patterns:
            return None
        if any(is_everything(pattern) for pattern in patterns):
            return _everything
        match = matcher(patterns, user=user)
        return lambda resource: resource != EVERYTHING and match(resource)


class Judge:
    """All that a user's statements say of one action."""

    __slots__ = ("_allow", "_deny", "_within", "always")

    def __init__(self, allow: list[_Clause], deny: list[_Clause], within: Judge | None) -> None:
        self._allow = allow
        self._deny = deny
        self._within = within
        mine = not deny and any(match is _everything and holds is None for match, holds in allow)
        self.always: bool = mine and (within is None or within.always)
        """Whether every resource is allowed, whoever asks from wherever."""

    def allows(self, resource: str, user: User) -> bool:
        """Whether the action is allowed on this resource."""
        if self.always:
            return True
        if self._within is not None and not self._within.allows(resource, user):
            return False
        for match, holds in self._deny:
            if match(resource) and (holds is None or holds(user) is not Holds.NO):
                return False
        return any(match(resource) and (holds is None or holds(user) is Holds.YES) for match, holds in self._allow)

    def allows_somewhere(self, user: User) -> bool:
        """Whether there may be a resource on which the action is allowed."""
        if self._within is not None and not self._within.allows_somewhere(user):
            return False
        if any(match is _everything and (holds is None or holds(user) is not Holds.NO) for match, holds in self._deny):
            return False
        return any(holds is None or holds(user) is Holds.YES for _, holds in self._allow)


class Rules:
    """A user's statements, by action; an action is worked out when it is asked for first.

    With `within`, only what those rules allow as well is allowed.
    """

    __slots__ = ("_compiled", "_judges", "_user", "_within", "conditional")

    def __init__(self, statements: Iterable[PolicyStatement], *, user: str, within: Rules | None = None) -> None:
        """Raises InvalidPolicy."""
        self._user = user
        self._within = within
        self._compiled = [compile_statement(one, user=user) for one in statements]
        self.conditional: bool = any(one.holds is not None for one in self._compiled) or (
            within is not None and within.conditional
        )
        """Whether it matters from where the user asks."""
        self._judges: dict[str, Judge] = {}

    def judge(self, action: str) -> Judge:
        """What is allowed of `action`."""
        known = self._judges.get(action)
        if known is None:
            within = None if self._within is None else self._within.judge(action)
            known = Judge(self._clauses(action, Effect.ALLOW), self._clauses(action, Effect.DENY), within)
            self._judges[action] = known
        return known

    def _clauses(self, action: str, effect: Effect) -> list[_Clause]:
        found = []
        for one in self._compiled:
            if one.effect is effect and one.action(action):
                match = one.matches_resource(action, user=self._user)
                if match is not None:
                    found.append((match, one.holds))
        return found


def compile_statement(statement: PolicyStatement, *, user: str) -> Compiled:
    """A statement as it counts for a user. Raises InvalidPolicy."""
    return Compiled(
        statement.effect,
        matcher(statement.action, user=""),
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


def _everything(resource: str) -> bool:
    return True
