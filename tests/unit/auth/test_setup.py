# SPDX-License-Identifier: Apache-2.0
"""The first user: once, atomically, and by whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from lakehouse.auth import setup
from lakehouse.auth.credentials import CredentialStore
from lakehouse.core.errors import (
    AlreadyExists,
    AlreadySetUp,
    InvalidArgument,
    InvalidName,
    NotSetUp,
    PermissionDenied,
)
from lakehouse.meta import users

if TYPE_CHECKING:
    from lakehouse.auth.keys import KeyRing
    from lakehouse.core.records import Credentials
    from lakehouse.db.sqlite import SqliteDatabase

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000
LOCAL = {"host": "127.0.0.1:8000"}


async def names(db: SqliteDatabase) -> list[str]:
    return [user.name for user in await users.page(db, limit=10)]


async def test_setup_succeeds_once(db: SqliteDatabase, ring: KeyRing) -> None:
    assert await setup.state(db) == setup.SetupState(initialized=False, comm_prefs_missing=True)
    wish = setup.FirstUser("ada", ("my-key", "my-secret-key"), "ada@example.org")
    pair = await setup.setup(db, ring, wish, now=NOW)
    assert (pair.access_key_id, pair.secret_access_key, pair.created) == ("my-key", "my-secret-key", NOW)
    assert (await setup.state(db)).initialized
    known = await CredentialStore(db, ring).check("my-key", "my-secret-key")
    assert (known.name, known.email, known.committer) == ("ada", "ada@example.org", "ada@example.org")
    with pytest.raises(AlreadySetUp, match="lakeFS already initialized"):
        await setup.setup(db, ring, setup.FirstUser("bob"), now=NOW)
    assert await names(db) == ["ada"]


@pytest.mark.parametrize(
    "wish",
    [
        setup.FirstUser(""), setup.FirstUser("a\nb"), setup.FirstUser("a%b"), setup.FirstUser("a/b"),
        setup.FirstUser("x" * 256), setup.FirstUser(" a"), setup.FirstUser("ada", ("", "s" * 40)),
        setup.FirstUser("ada", ("AKIA", "")), setup.FirstUser("ada", email="ada"),
        setup.FirstUser("ada", email="a b@c.de"),
        setup.FirstUser("ada", email="@c.de"), setup.FirstUser("ada", email="a@c"),
        setup.FirstUser("ada", email="a@" + "c." * 200),
    ],
)  # fmt: skip
async def test_bad_wishes_change_nothing(db: SqliteDatabase, ring: KeyRing, wish: setup.FirstUser) -> None:
    with pytest.raises((InvalidName, InvalidArgument)):
        await setup.setup(db, ring, wish, now=NOW)
    assert await names(db) == []
    assert not (await setup.state(db)).initialized


@pytest.mark.parametrize("wanted", [["ada", "bob", "eve"], ["ada", "ada", "ada"]])
async def test_of_many_at_once_one_wins(db: SqliteDatabase, ring: KeyRing, wanted: list[str]) -> None:
    found = await asyncio.gather(
        *(setup.setup(db, ring, setup.FirstUser(name), now=NOW) for name in wanted), return_exceptions=True
    )
    won = [each for each in found if not isinstance(each, BaseException)]
    assert len(won) == 1
    assert [type(each) for each in found if isinstance(each, BaseException)] == [AlreadySetUp] * 2
    assert await names(db) == [won[0].user.name]
    assert await CredentialStore(db, ring).lookup(won[0].access_key_id) == won[0]


async def test_a_crash_half_way_leaves_setup_to_be_done_again(db: SqliteDatabase, ring: KeyRing) -> None:
    await db.apply(users.insert_unless(setup.SETUP, setup.DONE, name="lost", created=NOW, otherwise=AlreadySetUp()))
    assert not (await setup.state(db)).initialized
    await setup.setup(db, ring, setup.FirstUser("ada"), now=NOW)
    assert await names(db) == ["ada"]


async def test_the_servers_own_pair_is_shown_until_it_is_used(db: SqliteDatabase, ring: KeyRing) -> None:
    shown = await setup.provide(db, ring, name="admin", pair=None, now=NOW)
    assert shown is not None
    assert await setup.provide(db, ring, name="admin", pair=None, now=NOW + 9) == shown
    assert not (await setup.state(db)).initialized
    await CredentialStore(db, ring).check(shown.access_key_id, shown.secret_access_key)
    assert (await setup.state(db)).initialized
    assert await setup.provide(db, ring, name="admin", pair=None, now=NOW) is None
    with pytest.raises(AlreadySetUp):
        await setup.setup(db, ring, setup.FirstUser("eve"), now=NOW)


@pytest.mark.parametrize("name", ["admin", "ada"])
async def test_setup_replaces_the_servers_own_pair(db: SqliteDatabase, ring: KeyRing, name: str) -> None:
    shown = await setup.provide(db, ring, name="admin", pair=None, now=NOW)
    assert shown is not None
    pair = await setup.setup(db, ring, setup.FirstUser(name), now=NOW)
    store = CredentialStore(db, ring)
    assert await store.lookup(shown.access_key_id) is None
    assert await store.lookup(pair.access_key_id) == pair
    assert await names(db) == [name]


async def test_a_configured_pair_ends_setup(db: SqliteDatabase, ring: KeyRing) -> None:
    await setup.provide(db, ring, name="admin", pair=None, now=NOW)
    made = await setup.provide(db, ring, name="root", pair=("configured", "configured-secret"), now=NOW)
    assert made is not None
    assert (await setup.state(db)).initialized
    assert await setup.provide(db, ring, name="root", pair=("configured", "configured-secret"), now=NOW) is None
    assert await names(db) == ["root"]


async def test_first_use_and_setup_at_once_leave_one_of_them(db: SqliteDatabase, ring: KeyRing) -> None:
    shown = await setup.provide(db, ring, name="admin", pair=None, now=NOW)
    assert shown is not None
    store = CredentialStore(db, ring)
    used, made = await asyncio.gather(
        store.lookup(shown.access_key_id),
        setup.setup(db, ring, setup.FirstUser("ada"), now=NOW),
        return_exceptions=True,
    )
    if isinstance(made, AlreadySetUp):
        assert used == shown
        assert await names(db) == ["admin"]
    else:
        assert used is None
        assert await names(db) == ["ada"]


async def test_preferences_are_stored_once(db: SqliteDatabase, ring: KeyRing) -> None:
    wanted = setup.Preferences("a@b.org", feature_updates=True)
    with pytest.raises(NotSetUp):
        await setup.set_preferences(db, wanted)
    await setup.setup(db, ring, setup.FirstUser("ada"), now=NOW)
    with pytest.raises(InvalidArgument):
        await setup.set_preferences(db, setup.Preferences("nonsense"))
    await setup.set_preferences(db, wanted)
    assert not (await setup.state(db)).comm_prefs_missing
    with pytest.raises(AlreadyExists):
        await setup.set_preferences(db, wanted)


async def test_preferences_that_come_with_setup_are_stored(db: SqliteDatabase, ring: KeyRing) -> None:
    wish = setup.FirstUser("ada", preferences=setup.Preferences(security_updates=True))
    await setup.setup(db, ring, wish, now=NOW)
    assert await setup.state(db) == setup.SetupState(initialized=True, comm_prefs_missing=False)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [("127.0.0.1", LOCAL), ("127.9.9.9", {"host": "localhost"}), ("::1", {"host": "[::1]:8000"}),
     ("::ffff:127.0.0.1", LOCAL), ("127.0.0.1", LOCAL | {"origin": "http://127.0.0.1:8000"})],
)  # fmt: skip
async def test_this_machine_may_set_up(ring: KeyRing, peer: str, headers: dict[str, str]) -> None:
    setup.check_caller(ring, peer=peer, headers=headers)


@pytest.mark.parametrize(
    ("peer", "headers"),
    [("10.0.0.5", LOCAL), ("", LOCAL), ("127.0.0.1", LOCAL | {"x-forwarded-for": "127.0.0.1"}),
     ("127.0.0.1", LOCAL | {"forwarded": "for=127.0.0.1"}),
     ("127.0.0.1", {"host": "rebound.example"}), ("127.0.0.1", {}),
     ("127.0.0.1", LOCAL | {"origin": "https://evil.example"}),
     ("127.0.0.1", LOCAL | {"sec-fetch-site": "cross-site"})],
)  # fmt: skip
async def test_others_need_the_printed_token(ring: KeyRing, peer: str, headers: dict[str, str]) -> None:
    with pytest.raises(PermissionDenied, match="X-Lakehouse-Setup-Token"):
        setup.check_caller(ring, peer=peer, headers=headers)
    token = setup.setup_token(ring)
    setup.check_caller(ring, peer=peer, headers=headers | {setup.TOKEN_HEADER: token})
    setup.check_caller(ring, peer=peer, headers=headers, token=token)
    for wrong in ("", "x", token[:-1], "é"):
        with pytest.raises(PermissionDenied):
            setup.check_caller(ring, peer=peer, headers=headers, token=wrong)


async def test_tokens_differ_between_installations(ring: KeyRing, pair: Credentials) -> None:
    assert setup.setup_token(ring) != setup.setup_token(type(ring)(b"another installation's secret"))
    assert pair.secret_access_key not in setup.setup_token(ring)
