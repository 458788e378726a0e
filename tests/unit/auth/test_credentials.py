# SPDX-License-Identifier: Apache-2.0
"""Access keys: their form, their encryption, their lookup."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from lakehouse.auth import credentials as auth
from lakehouse.auth import setup
from lakehouse.auth.credentials import CredentialStore
from lakehouse.auth.keys import KeyRing
from lakehouse.core.errors import InvalidArgument, StartupError, Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.core.records import Credentials, User
from lakehouse.meta import credentials as rows

if TYPE_CHECKING:
    from lakehouse.db.sqlite import SqliteDatabase

OLD, NEW = b"the old master secret, 32 bytes.", b"the new master secret, 32 bytes."
PAIR = Credentials("AKIAJAAAAAAAAAAAAAAQ", "s" * 40, User(UserId(7), "ada", 1), 2)


def test_generated_pairs_have_the_known_form() -> None:
    pairs = {auth.generate_pair() for _ in range(50)}
    assert len(pairs) == 50
    for access_key_id, secret in pairs:
        assert re.fullmatch(r"AKIAJ[A-Z2-7]{14}Q", access_key_id)
        assert len(secret) == 40
        assert len(base64.b64decode(secret)) == 30
        auth.check_pair(access_key_id, secret)


@pytest.mark.parametrize(
    ("access_key_id", "secret"),
    [("", "s" * 40), ("ab", "s" * 40), ("a:b", "s" * 40), ("a/b", "s" * 40), ("x" * 129, "s" * 40), ("abc", ""),
     ("abc", "short"), ("abc", "s" * 257), ("abc", "sécretsecret"), ("abc", "sec\nretsecret")],
)  # fmt: skip
def test_bad_pairs_are_refused_without_the_secret_in_the_message(access_key_id: str, secret: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        auth.check_pair(access_key_id, secret)
    assert not secret or secret not in caught.value.message


def test_a_ciphertext_opens_only_as_what_it_is() -> None:
    ring = KeyRing(OLD)
    row = auth.encrypt(ring, PAIR)
    assert auth.decrypt(ring, row) == PAIR
    assert PAIR.secret_access_key.encode() not in row.secret
    assert row.secret != auth.encrypt(ring, PAIR).secret
    other_user = msgspec.structs.replace(row, user=User(UserId(8), "ada", 1))
    other_id = msgspec.structs.replace(row, access_key_id="AKIAJBBBBBBBBBBBBBBQ")
    cut = msgspec.structs.replace(row, secret=row.secret[:11])
    for wrong in (other_user, other_id, cut):
        assert auth.decrypt(ring, wrong) is None
    assert auth.decrypt(KeyRing(NEW), row) is None
    same_id_wrong_key = msgspec.structs.replace(row, key_id=KeyRing(NEW).current)
    assert auth.decrypt(KeyRing(NEW), same_id_wrong_key) is None


def test_every_flipped_bit_is_noticed() -> None:
    ring = KeyRing(OLD)
    row = auth.encrypt(ring, PAIR)
    for bit in range(len(row.secret) * 8):
        raw = bytearray(row.secret)
        raw[bit // 8] ^= 1 << bit % 8
        assert auth.decrypt(ring, msgspec.structs.replace(row, secret=bytes(raw))) is None


def test_the_secret_is_in_no_repr() -> None:
    assert PAIR.secret_access_key not in repr(PAIR)
    assert PAIR.secret_access_key not in f"{PAIR}"


@pytest.mark.anyio
async def test_lookup_and_check(db: SqliteDatabase, ring: KeyRing, pair: Credentials) -> None:
    store = CredentialStore(db, ring)
    assert await store.lookup(pair.access_key_id) == pair
    assert await store.lookup("AKIAJBBBBBBBBBBBBBBQ") is None
    assert await store.check(pair.access_key_id, pair.secret_access_key) == pair.user
    for wrong in ("", pair.secret_access_key + "x", pair.secret_access_key[:-1], "é", "\udcff"):
        with pytest.raises(Unauthenticated):
            await store.check(pair.access_key_id, wrong)


@pytest.mark.anyio
async def test_a_deleted_pair_is_void_at_once(db: SqliteDatabase, ring: KeyRing, pair: Credentials) -> None:
    store = CredentialStore(db, ring)
    assert await store.lookup(pair.access_key_id) is not None
    await db.apply(rows.Statement("delete from credentials"))
    assert await store.lookup(pair.access_key_id) is None


@pytest.mark.anyio
async def test_a_change_of_secret_brings_everything_under_the_new_one(
    db: SqliteDatabase, ring: KeyRing, pair: Credentials
) -> None:
    installation = await setup.claim(db, ring)
    with pytest.raises(StartupError, match="another secret"):
        await setup.claim(db, KeyRing(NEW))
    assert await setup.claim(db, KeyRing(OLD, NEW)) == installation  # first every server accepts the new one
    assert await setup.claim(db, KeyRing(NEW, OLD)) == installation  # then every server uses it
    assert await setup.claim(db, KeyRing(NEW)) == installation  # then the old one is dropped
    assert await CredentialStore(db, KeyRing(NEW)).lookup(pair.access_key_id) == pair
    with pytest.raises(StartupError, match="another secret"):
        await setup.claim(db, ring)


@pytest.mark.anyio
async def test_a_pair_that_does_not_open_stops_the_change(db: SqliteDatabase, ring: KeyRing, pair: Credentials) -> None:
    await setup.claim(db, ring)
    await db.apply(rows.Statement("update credentials set secret = ?", (b"x" * 60,)))
    with pytest.raises(StartupError, match=pair.access_key_id):
        await setup.claim(db, KeyRing(NEW, OLD))
    await setup.claim(db, ring)
