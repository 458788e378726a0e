# SPDX-License-Identifier: Apache-2.0
"""The checker: cached rules, and how soon a change counts, in this process and in others."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.auth import builtin, groups, policies, users
from lakehouse.auth.checker import FRESH, AnyUser, PolicyChecker
from lakehouse.auth.directory import Directory
from lakehouse.core.errors import GroupNotFound, InsufficientPermissions, Unauthenticated, Unavailable
from lakehouse.core.records import Effect, PolicyStatement
from tests.lakes import Hands

pytestmark = pytest.mark.anyio
READ = PolicyStatement(Effect.ALLOW, ("fs:ReadObject",), "arn:lakefs:fs:::repository/a/object/*")
WHERE = ("fs:ReadObject", "repository/a/object/b")


class Counted:
    """A database that counts how often it is read."""

    def __init__(self, db) -> None:
        self._db = db
        self.reads = 0

    def __getattr__(self, name):
        if name in ("one", "all"):
            self.reads += 1
        return getattr(self._db, name)


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
async def directory(db, ring, clock):
    await builtin.ensure(db, now=clock())
    return Directory(db=db, ring=ring, checker=PolicyChecker(db, clock=clock), clock=clock)


async def test_nobody_and_anybody(directory) -> None:
    user = await users.create_user(directory, "ann")
    for checker in (directory.checker, AnyUser()):
        with pytest.raises(Unauthenticated):
            checker.authorize(None, *WHERE)
        with pytest.raises(Unauthenticated):
            checker.authorize_somewhere(None, "fs:ReadObject")
        assert not checker.allowed(None, *WHERE)
    assert await AnyUser().prepare(user) is user
    assert AnyUser().authorize(user, *WHERE) is AnyUser().authorize_somewhere(user, "x") is user
    assert AnyUser().allowed(user, *WHERE)


async def test_who_was_not_prepared_is_not_let_through(directory) -> None:
    user = await users.create_user(directory, "ann")
    with pytest.raises(Unavailable):
        directory.checker.authorize(user, *WHERE)


async def test_a_change_counts_at_once_here_and_soon_elsewhere(directory, db, clock) -> None:
    user = await users.create_user(directory, "ann")
    elsewhere = PolicyChecker(db, clock=clock)
    for checker in (directory.checker, elsewhere):
        await checker.prepare(user)
        with pytest.raises(InsufficientPermissions, match="insufficient permissions: not allowed to fs:ReadObject"):
            checker.authorize(user, *WHERE)
    await policies.create_policy(directory, "reading", [READ])
    await groups.create_group(directory, "readers")
    await policies.attach_to_group(directory, "reading", "readers")
    await groups.add_member(directory, "readers", "ann")
    await directory.checker.prepare(user)
    assert directory.checker.authorize(user, *WHERE) is user
    await elsewhere.prepare(user)
    assert not elsewhere.allowed(user, *WHERE)
    clock.now += FRESH
    await elsewhere.prepare(user)
    assert elsewhere.allowed(user, *WHERE)
    for undo in (
        groups.remove_member(directory, "readers", "ann"),
        groups.add_member(directory, "readers", "ann"),
        policies.update_policy(directory, "reading", [PolicyStatement(Effect.DENY, ("fs:*",), "*")]),
        policies.update_policy(directory, "reading", [READ]),
        policies.detach_from_group(directory, "reading", "readers"),
        policies.attach_to_user(directory, "reading", "ann"),
        policies.delete_policy(directory, "reading"),
    ):
        before = elsewhere.allowed(user, *WHERE)
        await undo
        clock.now += FRESH
        await elsewhere.prepare(user)
        await directory.checker.prepare(user)
        assert elsewhere.allowed(user, *WHERE) is directory.checker.allowed(user, *WHERE) is (not before)


async def test_rules_are_read_once(db, ring, clock) -> None:
    await builtin.ensure(db, now=clock())
    counted = Counted(db)
    checker = PolicyChecker(counted, clock=clock)
    user = await users.create_user(Directory(db=db, ring=ring, checker=checker, clock=clock), "ann")
    await checker.prepare(user)
    reads = counted.reads
    for _ in range(100):
        await checker.prepare(user)
    assert counted.reads == reads
    clock.now += FRESH
    await checker.prepare(user)
    await checker.prepare(user)
    assert counted.reads == reads + 1
    clock.now -= 1000
    await checker.prepare(user)
    assert counted.reads == reads + 2, "a clock that was set back asks again"


async def test_a_change_beside_a_look_is_not_missed(directory, db) -> None:
    """What a look found that began before a change is not taken for what is after it."""
    user = await users.create_user(directory, "ann")
    await directory.checker.prepare(user)
    directory.checker.changed()
    looking = asyncio.ensure_future(_slowly(directory.checker, db, user))
    await asyncio.sleep(0)
    await policies.create_policy(directory, "reading", [READ])
    await policies.attach_to_user(directory, "reading", "ann")
    await looking
    await directory.checker.prepare(user)
    assert directory.checker.allowed(user, *WHERE)


async def _slowly(checker: PolicyChecker, db, user) -> None:
    """A look whose answer comes late."""

    class Late:
        async def one(self, *query):
            found = await db.one(*query)
            for _ in range(200):
                await asyncio.sleep(0)
            return found

        all = db.all

    checker._db = Late()
    await checker.prepare(user)
    checker._db = db


async def test_the_address_is_asked_for_only_where_it_matters(directory) -> None:
    user = await users.create_user(directory, "ann")
    asked: list[str] = []

    def peer() -> str:
        asked.append("")
        return "10.0.0.1"

    assert await directory.checker.prepare(user, peer=peer) is user
    assert asked == []
    near = PolicyStatement(Effect.ALLOW, ("fs:*",), "*", {"IpAddress": {"SourceIp": ["10.0.0.0/8"]}})
    await policies.create_policy(directory, "near", [near])
    await policies.attach_to_user(directory, "near", "ann")
    seen = await directory.checker.prepare(user, peer=peer)
    assert seen.peer == "10.0.0.1"
    assert directory.checker.allowed(seen, *WHERE)
    assert not directory.checker.allowed(user, *WHERE)


async def test_built_in_groups_are_made_once(directory, db, clock) -> None:
    await groups.delete_group(directory, "Viewers")
    await builtin.ensure(db, now=clock())
    with pytest.raises(GroupNotFound):
        await directory.group("Viewers")


async def test_who_was_there_before_groups_becomes_an_administrator(db, ring, clock) -> None:
    from lakehouse.meta import users as rows

    await db.apply(rows.insert("old", email="", friendly_name="", created=1, otherwise=AssertionError()))
    await asyncio.gather(*(builtin.ensure(db, now=clock()) for _ in range(3)))
    checker = PolicyChecker(db, clock=clock)
    user = await rows.by_name(db, "old")
    await checker.prepare(user)
    assert checker.allowed(user, "auth:DeleteUser", "user/x")
    assert checker.allowed(user, "fs:UsePhysicalAddresses", "*")
