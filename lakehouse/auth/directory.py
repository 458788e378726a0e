# SPDX-License-Identifier: Apache-2.0
"""What the management of users works with, in one value, and the lookups that all of it begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.keys import KeyRing
from lakehouse.core.clock import Clock, system_clock
from lakehouse.core.errors import GroupNotFound, PolicyNotFound, UserNotFound
from lakehouse.core.records import Page
from lakehouse.db.port import Database
from lakehouse.meta import groups, policies, users

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lakehouse.core.records import Group, Policy, User
    from lakehouse.db.port import Row
    from lakehouse.db.statement import Statement

T = TypeVar("T")


class Window(msgspec.Struct, frozen=True):
    """Which part of a list: at most `amount` names that begin with `prefix` and follow `after`."""

    prefix: str = ""
    after: str = ""
    amount: int = 100


class Directory(msgspec.Struct, frozen=True, eq=False):
    """Users, groups, policies and credentials of an installation."""

    db: Database
    ring: KeyRing
    checker: PolicyChecker
    clock: Clock = system_clock

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

    async def change(self, *statements: Statement) -> list[list[Row]]:
        """Apply a change of who may do what. When this returns, it counts in this process; in others, soon after."""
        _, *rows = await self.db.apply(policies.touch(), *statements)
        self.checker.changed()
        return rows

    async def user(self, name: str) -> User:
        """Raises UserNotFound."""
        return _found(await users.by_name(self.db, name), UserNotFound())

    async def group(self, name: str) -> Group:
        """Raises GroupNotFound."""
        return _found(await groups.by_name(self.db, name), GroupNotFound())

    async def policy(self, name: str) -> Policy:
        """Raises PolicyNotFound."""
        return _found(await policies.by_name(self.db, name), PolicyNotFound())


async def page_of(fetch: Callable[[int], Awaitable[Sequence[T]]], window: Window) -> Page[T]:
    """A page of what `fetch` returns when it is asked for at most so many."""
    found = await fetch(window.amount + 1)
    return Page(tuple(found[: window.amount]), has_more=len(found) > window.amount)


def _found(value: T | None, otherwise: Exception) -> T:
    if value is None:
        raise otherwise
    return value
