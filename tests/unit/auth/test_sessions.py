# SPDX-License-Identifier: Apache-2.0
"""Short-lived keys: what their token proves, how they end, and that they never do more than their user."""

from __future__ import annotations

import msgspec
import pytest

from lakehouse.auth import keys, sessions, users
from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.directory import Directory
from lakehouse.auth.keys import KeyRing
from lakehouse.core.errors import (
    InsufficientPermissions,
    InvalidArgument,
    InvalidPolicy,
    SessionExpired,
    SessionInvalid,
)
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.core.signing import decode, encode

from .conftest import NEW, NOW, OLD

pytestmark = pytest.mark.anyio
READ = PolicyStatement(Effect.ALLOW, ("fs:ReadObject",), "*")


@pytest.fixture
def directory(db, ring):
    return Directory(db=db, ring=ring, checker=PolicyChecker(db), clock=lambda: NOW)


@pytest.fixture
async def admin(pair):
    return pair.user


async def verify(db, ring, made, *, now=NOW, token=None, key=None):
    return await sessions.verify(
        db, ring, key or made.credentials.access_key_id, made.token if token is None else token, now=now
    )


async def test_a_session_is_its_user(db, ring, admin) -> None:
    made = sessions.create(ring, admin, now=NOW, seconds=60)
    found = await verify(db, ring, made)
    assert found == msgspec.structs.replace(made.credentials, user=msgspec.structs.replace(admin, session=True))
    assert len(found.access_key_id) == 20
    assert len(found.secret_access_key) == 40
    assert made.expires == NOW + 60
    assert found.access_key_id.startswith("ASIA")
    assert await verify(db, ring, made, now=NOW + 59)
    with pytest.raises(SessionExpired):
        await verify(db, ring, made, now=NOW + 60)


async def test_forged_sessions(db, ring, admin) -> None:
    made = sessions.create(ring, admin, now=NOW)
    other = sessions.create(ring, admin, now=NOW)
    key_id, _, text = made.token.partition(".")
    raw = decode(text)
    assert raw is not None
    for number in range(len(raw)):
        changed = bytes([*raw[:number], raw[number] ^ 1, *raw[number + 1 :]])
        with pytest.raises(SessionInvalid):
            await verify(db, ring, made, token=f"{key_id}.{encode(changed)}")
    for token in (
        "",
        ".",
        key_id,
        f"{key_id}.",
        f"{key_id}.{encode(raw[:32])}",
        f"nope.{text}",
        text,
        "é.ü",
        other.token,
    ):
        with pytest.raises(SessionInvalid):
            await verify(db, ring, made, token=token)
    with pytest.raises(SessionInvalid):
        await verify(db, ring, made, key="ASIAEEEEEEEEEEEEEEEE")
    with pytest.raises(SessionInvalid):
        await verify(db, KeyRing(NEW), made)
    assert await verify(db, KeyRing(NEW, OLD), made) is not None


async def test_a_secret_of_another_purpose_signs_no_session(db, ring, admin) -> None:
    import hmac

    made = sessions.create(ring, admin, now=NOW)
    key_id, _, text = made.token.partition(".")
    payload = decode(text)[32:]
    _, wrong = ring.derive(keys.JWT)
    token = f"{key_id}.{encode(hmac.digest(wrong, b'token' + payload, 'sha256') + payload)}"
    with pytest.raises(SessionInvalid):
        await verify(db, ring, made, token=token)


async def test_what_a_session_may_be(ring, admin) -> None:
    for seconds in (0, -1, 59, sessions.LONGEST + 1):
        with pytest.raises(InvalidArgument):
            sessions.create(ring, admin, now=NOW, seconds=seconds)
    with pytest.raises(InvalidPolicy):
        sessions.create(ring, admin, now=NOW, policy=[PolicyStatement(Effect.ALLOW, ("fs:Fly",), "*")])
    with pytest.raises(InvalidPolicy, match="larger than"):
        sessions.create(ring, admin, now=NOW, policy=[READ] * 100)
    held = msgspec.structs.replace(admin, session=True)
    with pytest.raises(InsufficientPermissions, match="a session makes no sessions"):
        sessions.create(ring, held, now=NOW)


async def test_revoked_and_deleted(db, ring, admin, directory) -> None:
    made = sessions.create(ring, admin, now=NOW)
    await sessions.revoke(directory, "admin")
    with pytest.raises(SessionExpired):
        await verify(db, ring, made)
    user = await directory.user("admin")
    again = sessions.create(ring, user, now=NOW)
    assert await verify(db, ring, again) is not None
    await users.delete_user(directory, "admin")
    with pytest.raises(SessionInvalid):
        await verify(db, ring, again)


async def test_a_session_may_do_what_both_allow(db, ring, admin, directory) -> None:
    user = await users.create_user(directory, "ann")
    for of, policy, expected in (
        (admin, (READ,), (True, False)),
        (admin, (), (True, True)),
        (user, (READ,), (False, False)),
        (admin, (READ, PolicyStatement(Effect.DENY, ("*",), "*")), (False, False)),
    ):
        made = sessions.create(ring, of, now=NOW, policy=policy)
        held = (await verify(db, ring, made)).user
        await directory.checker.prepare(held)
        actions = ("fs:ReadObject", "auth:CreateUser")
        assert tuple(directory.checker.allowed(held, action, "x") for action in actions) == expected
        await directory.checker.prepare(of)
        assert directory.checker.allowed(of, "fs:ReadObject", "x") is (of is admin)
