# SPDX-License-Identifier: Apache-2.0
"""Who sent a request: the order of schemes, bad material, cookies and foreign pages."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from lakehouse.auth import identity, tokens
from lakehouse.auth.checker import AnyUser
from lakehouse.auth.credentials import CredentialStore
from lakehouse.auth.identity import Authenticator
from lakehouse.core.errors import Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.core.records import Credentials, User
from lakehouse.meta import users

if TYPE_CHECKING:
    from lakehouse.auth.keys import KeyRing
    from lakehouse.db.sqlite import SqliteDatabase

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000
TEXT = "error authenticating request"


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


@pytest.fixture
async def token(authenticator: Authenticator, pair: Credentials) -> str:
    return (await authenticator.login(pair.access_key_id, pair.secret_access_key)).text


async def test_each_scheme_tells_the_user(authenticator: Authenticator, pair: Credentials, token: str) -> None:
    for headers in (
        {"authorization": basic(pair.access_key_id, pair.secret_access_key)},
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer  {token}"},
        {"cookie": f"internal_auth_session={token}"},
        {"cookie": f'theme=dark; access_token="{token}"; x=y'},
    ):
        assert await authenticator.authenticate(headers) == pair.user


async def test_nothing_to_tell_by_is_nobody(authenticator: Authenticator) -> None:
    for headers in ({}, {"cookie": "theme=dark"}, {"cookie": "access_token="}, {"authorization": "AWS4-HMAC-SHA256 x"}):
        assert await authenticator.authenticate(headers) is None


async def test_the_first_scheme_decides(authenticator: Authenticator, pair: Credentials, token: str) -> None:
    good = {"cookie": f"internal_auth_session={token}"}
    for bad in (
        "Bearer x",
        basic(pair.access_key_id, "wrong"),
        "Basic ***",
        "Basic " + base64.b64encode(b"x").decode(),
    ):
        with pytest.raises(Unauthenticated) as caught:
            await authenticator.authenticate(good | {"authorization": bad})
        assert caught.value.message == TEXT
    mixed = {"cookie": f"access_token={token}; internal_auth_session=x"}
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(mixed)


async def test_bad_basic_material(authenticator: Authenticator) -> None:
    for material in ("", "é", "AA", "/w==", base64.b64encode(b"\xff:\xff").decode()):
        with pytest.raises(Unauthenticated, match=TEXT):
            await authenticator.authenticate({"authorization": f"Basic {material}"})


async def test_login_refuses_bad_pairs(authenticator: Authenticator, pair: Credentials) -> None:
    for access_key_id, secret in ((pair.access_key_id, "x"), ("x", pair.secret_access_key), ("", "")):
        with pytest.raises(Unauthenticated, match=TEXT):
            await authenticator.login(access_key_id, secret)


async def test_tokens_end_with_revocation_and_with_their_user(
    authenticator: Authenticator, db: SqliteDatabase, pair: Credentials, token: str
) -> None:
    await db.apply(users.revoke_tokens(pair.user.id, before=NOW))
    assert await authenticator.user_of_token(token)
    await db.apply(users.revoke_tokens(pair.user.id, before=NOW + 1))
    with pytest.raises(Unauthenticated):
        await authenticator.user_of_token(token)
    await db.apply(users.revoke_tokens(pair.user.id, before=0))
    await db.apply(users.Statement("delete from users"))
    with pytest.raises(Unauthenticated):
        await authenticator.user_of_token(token)


async def test_a_token_does_not_pass_to_a_new_user_of_the_same_name(
    authenticator: Authenticator, db: SqliteDatabase, pair: Credentials, token: str
) -> None:
    await db.apply(
        users.Statement("delete from users"),
        users.Statement("insert into users(name, created) values (?, ?)", (pair.user.name, NOW)),
    )
    with pytest.raises(Unauthenticated):
        await authenticator.user_of_token(token)


async def test_a_token_that_is_seven_days_old_is_void(db: SqliteDatabase, ring: KeyRing, pair: Credentials) -> None:
    text = tokens.issue(ring, pair.user, now=NOW - tokens.LIFETIME).text
    late = Authenticator(db, ring, CredentialStore(db, ring), clock=lambda: NOW)
    with pytest.raises(Unauthenticated):
        await late.user_of_token(text)


WRITES = [
    ({}, True),
    ({"origin": "https://lake.example"}, True),
    ({"origin": "https://LAKE.example"}, True),
    ({"origin": "https://evil.example"}, False),
    ({"origin": "https://lake.example.evil.example"}, False),
    ({"origin": "https://lake.example:8443"}, False),
    ({"origin": "null"}, False),
    ({"origin": ""}, False),
    ({"sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "same-origin", "origin": "http://inside:8000"}, True),
    ({"sec-fetch-site": "same-site"}, False),
    ({"sec-fetch-site": "cross-site", "origin": "https://lake.example"}, False),
]


@pytest.mark.parametrize(("sent", "allowed"), WRITES)
async def test_a_cookie_alone_writes_only_from_our_own_pages(
    authenticator: Authenticator, pair: Credentials, token: str, sent: dict[str, str], *, allowed: bool
) -> None:
    headers = {"host": "lake.example", "cookie": f"internal_auth_session={token}", **sent}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        if allowed:
            assert await authenticator.authenticate(headers, method=method) == pair.user
        else:
            with pytest.raises(Unauthenticated, match=TEXT):
                await authenticator.authenticate(headers, method=method)
    assert await authenticator.authenticate(headers, method="GET") == pair.user
    bearer = headers | {"authorization": f"Bearer {token}"}
    assert await authenticator.authenticate(bearer, method="POST") == pair.user


async def test_behind_a_proxy_the_origin_is_the_outer_one(
    authenticator: Authenticator, pair: Credentials, token: str
) -> None:
    headers = {"host": "inside:8000", "cookie": f"access_token={token}", "origin": "https://lake.example"}
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(headers, method="POST")
    assert await authenticator.authenticate(headers, method="POST", origin="https://lake.example") == pair.user


async def test_a_cookie_alone_only_reads_on_the_s3_side(
    authenticator: Authenticator, pair: Credentials, token: str
) -> None:
    headers = {"cookie": f"access_token={token}"}
    for method in ("GET", "HEAD"):
        assert await authenticator.authenticate(headers, method=method, cookie_writes=False) == pair.user
    with pytest.raises(Unauthenticated):
        await authenticator.authenticate(headers, method="PUT", cookie_writes=False)


async def test_cookies_as_they_are_set_and_taken_away() -> None:
    assert identity.session_cookies("t", secure=False) == [
        "internal_auth_session=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
        "access_token=t; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax",
    ]
    assert all(value.endswith("; Secure") for value in identity.session_cookies("t", secure=True))
    assert [value.split(";")[:3] for value in identity.expired_cookies(secure=False)] == [
        ["internal_auth_session=", " Path=/", " Max-Age=0"],
        ["access_token=", " Path=/", " Max-Age=0"],
    ]


async def test_whoever_is_known_may_do_everything() -> None:
    user = User(UserId(1), "ada", 1)
    assert AnyUser().authorize(user, "fs:DeleteRepository", "*") is user
    with pytest.raises(Unauthenticated) as caught:
        AnyUser().authorize(None, "fs:ReadObject", "*")
    assert caught.value.message == TEXT
