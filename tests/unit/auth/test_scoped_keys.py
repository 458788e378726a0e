# SPDX-License-Identifier: Apache-2.0
"""Keys that are narrowed to some repositories: what they may do, that they breed nothing wider, and how they end."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.auth import credentials, scoped_keys, scopes, sessions, users
from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.credentials import CredentialStore
from lakehouse.auth.directory import Directory, Window
from lakehouse.auth.identity import Authenticator
from lakehouse.auth.keys import KeyRing
from lakehouse.core.errors import (
    CredentialsNotFound,
    InsufficientPermissions,
    InvalidArgument,
    InvalidName,
    InvalidPolicy,
    Unauthenticated,
    UserNotFound,
)

from .conftest import NEW, NOW, OLD

pytestmark = pytest.mark.anyio
ACTIONS = ("fs:ReadObject", "fs:WriteObject", "fs:DeleteObject", "fs:CreateCommit", "auth:CreateCredentials")


@pytest.fixture
def directory(db, ring):
    return Directory(db=db, ring=ring, checker=PolicyChecker(db), clock=lambda: NOW)


@pytest.fixture
async def admin(pair):
    return pair.user


@pytest.fixture
def store(db, ring, directory):
    return CredentialStore(db, ring, checker=directory.checker)


async def may(directory, user, *repositories) -> list[tuple[bool, ...]]:
    await directory.checker.prepare(user)
    return [
        tuple(directory.checker.allowed(user, action, f"repository/{name}/object/x") for action in ACTIONS)
        for name in repositories
    ]


async def test_it_may_reach_its_buckets_only(directory, store, admin) -> None:
    for read_only, expected in ((True, (True, *4 * (False,))), (False, (True, True, True, False, False))):
        made = await scoped_keys.create(directory, admin, ["one", "two"], read_only=read_only)
        found = await store.lookup(made.access_key_id)
        assert found == made
        none = 5 * (False,)
        assert await may(directory, found.user, "one", "two", "one-more", "tw") == [expected, expected, none, none]
    user = await users.create_user(directory, "ann")
    made = await scoped_keys.create(directory, user, ["one"], read_only=False)
    assert await may(directory, (await store.lookup(made.access_key_id)).user, "one") == [5 * (False,)]


async def test_other_buckets_and_the_end(directory, store, admin) -> None:
    made = await scoped_keys.create(directory, admin, ["one", "two"], read_only=False)
    await scoped_keys.renew(directory, admin, made.access_key_id, ["two"], read_only=True)
    found = await scoped_keys.find(directory, admin, made.access_key_id)
    assert found.secret_access_key == made.secret_access_key
    assert scoped_keys.statements_of(found) == list(scopes.on_buckets(["two"], read_only=True))
    user = (await store.lookup(made.access_key_id)).user
    assert await may(directory, user, "one", "two") == [5 * (False,), (True, *4 * (False,))]
    other = await users.create_user(directory, "ann")
    for of, key in ((other, made.access_key_id), (admin, "AKIAJEEEEEEEEEEEEEEQ")):
        for call in (
            scoped_keys.find(directory, of, key),
            scoped_keys.renew(directory, of, key, ["two"], read_only=True),
            scoped_keys.revoke(directory, of, key),
        ):
            with pytest.raises(CredentialsNotFound):
                await call
    await scoped_keys.revoke(directory, admin, made.access_key_id)
    assert await store.lookup(made.access_key_id) is None


async def test_a_pair_that_is_not_narrowed_is_none_of_these(directory, pair) -> None:
    with pytest.raises(CredentialsNotFound):
        await scoped_keys.renew(directory, pair.user, pair.access_key_id, ["two"], read_only=True)
    with pytest.raises(CredentialsNotFound):
        await scoped_keys.revoke(directory, pair.user, pair.access_key_id)


async def test_it_makes_nothing_that_is_wider(db, ring, directory, store, admin) -> None:
    made = await scoped_keys.create(directory, admin, ["one"], read_only=False)
    held = await store.check(made.access_key_id, made.secret_access_key)
    assert held == await store.check(made.access_key_id, made.secret_access_key)
    assert held.scope
    with pytest.raises(InsufficientPermissions):
        sessions.create(ring, held, now=NOW)
    with pytest.raises(InsufficientPermissions):
        await scoped_keys.create(directory, held, ["two"], read_only=False)
    with pytest.raises(Unauthenticated):
        await Authenticator(db, ring, store).login(made.access_key_id, made.secret_access_key)
    session = msgspec.structs.replace(admin, session=True)
    with pytest.raises(InsufficientPermissions):
        await scoped_keys.create(directory, session, ["two"], read_only=False)
    for user in (held, session):
        with pytest.raises(InsufficientPermissions):
            Authenticator(db, ring, store).issue(user)


async def test_it_is_a_key_pair_like_others(db, directory, admin) -> None:
    """It is in lists, follows the master secret, and is voided where others are."""
    made = await scoped_keys.create(directory, admin, ["one"], read_only=True)
    listed = await users.list_credentials(directory, "admin", Window())
    assert made.access_key_id in [row.access_key_id for row in listed.items]
    both = KeyRing(NEW, OLD)
    assert await credentials.reencrypt(db, both) == 2
    again = Directory(db=db, ring=KeyRing(NEW), checker=directory.checker, clock=directory.clock)
    assert await scoped_keys.find(again, admin, made.access_key_id) == made
    await users.delete_credentials(directory, "admin", made.access_key_id)
    with pytest.raises(CredentialsNotFound):
        await scoped_keys.find(directory, admin, made.access_key_id)


async def test_what_is_refused(directory, admin) -> None:
    for names, error in (([], InvalidArgument), (["lake.local"], InvalidName), (["a*c"], InvalidName)):
        with pytest.raises(error):
            await scoped_keys.create(directory, admin, names, read_only=True)
    with pytest.raises(InvalidPolicy, match="larger than"):
        await scoped_keys.create(directory, admin, [f"{'x' * 58}{n:05}" for n in range(500)], read_only=True)
    user = await users.create_user(directory, "ann")
    await users.delete_user(directory, "ann")
    with pytest.raises(UserNotFound):
        await scoped_keys.create(directory, user, ["one"], read_only=True)
