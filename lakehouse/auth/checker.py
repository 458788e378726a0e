# SPDX-License-Identifier: Apache-2.0
"""What a known caller may do. Asked once for each operation, with the action and resource of its declaration."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from lakehouse.auth.rules import Rules
from lakehouse.core.errors import InsufficientPermissions, Unauthenticated, Unavailable
from lakehouse.core.ids import UserId
from lakehouse.core.records import PolicyStatement
from lakehouse.meta import policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.core.records import User
    from lakehouse.db.port import Database

FRESH = 0.5
"""Seconds for which it is not asked again whether something changed: half of what was promised."""
_REMEMBERED = 10_000
"""Users whose rules are kept."""
_Key = tuple[UserId, str]
"""A user, and what narrows a session of theirs."""
_scope = msgspec.json.Decoder(list[PolicyStatement])


class Checker(Protocol):
    """Decides about actions. Must be cheap: it runs in the event loop, on every request.

    Whoever finds out who a caller is awaits `prepare` before the first question about them.
    """

    async def prepare(self, user: User, *, peer: Callable[[], str] | None = None) -> User:
        """See to it that questions about `user` are answered by rules no older than a second.

        Returns the user as questions are to name it: with the network address that `peer` tells, where a rule is about
        that. Raises DatabaseUnavailable.
        """
        ...

    def authorize(self, user: User | None, action: str, resource: str) -> User:
        """The user, if the action (`fs:WriteObject`) on the resource (`repository/r/object/p`) is allowed.

        Raises Unauthenticated for callers that are not known, InsufficientPermissions for those that may not.
        """
        ...

    def allowed(self, user: User | None, action: str, resource: str) -> bool:
        """The same as a yes or no."""
        ...

    def allowed_below(self, user: User | None, action: str, prefix: str) -> bool:
        """Whether it is certain that the action is allowed on every resource that begins with `prefix`.

        For pages of them; where it is not certain, each is to be asked about.
        """
        ...

    def denied_below(self, user: User | None, action: str, prefix: str) -> bool:
        """Whether there may be a resource that begins with `prefix` for which the action is denied in so many words.

        For what takes a whole prefix at once, and is allowed on the prefix as such.
        """
        ...

    def authorize_somewhere(self, user: User | None, action: str) -> User:
        """The user, if the action may be allowed on some resource: lists then show those on which it is."""
        ...


class AnyUser:
    """Whoever is known may do everything."""

    async def prepare(self, user: User, *, peer: Callable[[], str] | None = None) -> User:
        return user

    def authorize(self, user: User | None, action: str, resource: str) -> User:
        if user is None:
            raise Unauthenticated
        return user

    def allowed(self, user: User | None, action: str, resource: str) -> bool:
        return user is not None

    def allowed_below(self, user: User | None, action: str, prefix: str) -> bool:
        return user is not None

    def denied_below(self, user: User | None, action: str, prefix: str) -> bool:
        return user is None

    def authorize_somewhere(self, user: User | None, action: str) -> User:
        return self.authorize(user, action, "*")


class PolicyChecker:
    """Decides by the users' policies.

    Compiled rules are kept under the version number that every change of users, groups and policies raises, in the
    transaction that makes it. The number is read at most each `FRESH` seconds, so a change counts within that time in
    every process; in the process that made it, at once (`changed`). `clock` in seconds, any origin, never set back.
    """

    def __init__(self, db: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._version = -1
        self._asked = float("-inf")
        self._changes = 0
        self._rules: dict[_Key, tuple[int, Rules]] = {}

    async def prepare(self, user: User, *, peer: Callable[[], str] | None = None) -> User:
        now = self._clock()
        if not self._asked <= now < self._asked + FRESH:
            changes = self._changes
            self._version = max(await policies.version(self._db), self._version)
            if changes == self._changes:
                self._asked = now
        known = self._rules.get((user.id, user.scope))
        if known is None or known[0] != self._version:
            known = await self._load(user)
        if peer is not None and known[1].conditional:
            return msgspec.structs.replace(user, peer=peer())
        return user

    def changed(self) -> None:
        """Forget when it was asked last: something was changed in this process."""
        self._changes += 1
        self._asked = float("-inf")

    def authorize(self, user: User | None, action: str, resource: str) -> User:
        if user is None:
            raise Unauthenticated
        if not self._of(user).judge(action).allows(resource, user):
            raise _refusal(action)
        return user

    def allowed(self, user: User | None, action: str, resource: str) -> bool:
        return user is not None and self._of(user).judge(action).allows(resource, user)

    def allowed_below(self, user: User | None, action: str, prefix: str) -> bool:
        return user is not None and self._of(user).judge(action).allows_below(prefix, user)

    def denied_below(self, user: User | None, action: str, prefix: str) -> bool:
        return user is None or self._of(user).judge(action).denies_below(prefix, user)

    def authorize_somewhere(self, user: User | None, action: str) -> User:
        if user is None:
            raise Unauthenticated
        if not self._of(user).judge(action).allows_somewhere(user):
            raise _refusal(action)
        return user

    def _of(self, user: User) -> Rules:
        known = self._rules.get((user.id, user.scope))
        if known is None:
            raise Unavailable("the permissions of this user are not loaded; try again")
        return known[1]

    async def _load(self, user: User) -> tuple[int, Rules]:
        """Rules as of the version that was read before them: they may be newer, never older."""
        version = self._version
        found = await policies.all_effective(self._db, user.id)
        rules = Rules((one for policy in found for one in policy.statements), user=user.name)
        if user.scope:
            rules = Rules(_scope.decode(user.scope), user=user.name, within=rules)
        made = (version, rules)
        if len(self._rules) >= _REMEMBERED:
            del self._rules[next(iter(self._rules))]
        self._rules.pop((user.id, user.scope), None)
        self._rules[user.id, user.scope] = made
        return made


def _refusal(action: str) -> InsufficientPermissions:
    return InsufficientPermissions(f"insufficient permissions: not allowed to {action}")
