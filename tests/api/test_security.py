# SPDX-License-Identifier: Apache-2.0
"""Attacks that must not work, each with a test of its own: forged tokens, setup by strangers, headers, logs.

Permissions across repositories are in test_permissions.py, forged id tokens in test_oidc.py.
"""

from __future__ import annotations

import base64
import hmac
import io
import json
import logging

import jwt
import pytest

from lakehouse.auth import keys, tokens
from lakehouse.auth.keys import KeyRing
from lakehouse.core.ids import UserId
from lakehouse.core.records import User
from lakehouse.server.start import open_ring
from lakehouse.telemetry import logs

from .conftest import KEY, SECRET, Hands, make, refused, started
from .people import fresh, made, make_user

pytestmark = pytest.mark.anyio
REFUSAL = "error authenticating request"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def ring(server) -> KeyRing:
    return open_ring(server.application._config)


@pytest.fixture
async def claims(api, server, ring) -> dict:
    """What a good token of the administrator says."""
    user = (await made(api.get("/user"), 200))["user"]
    row = await server.application._lake.db.one("select id from users where name = ?", (user["id"],))
    good = tokens.issue(ring, User(UserId(row[0]), user["id"], 0), now=server.clock())
    held = {"authorization": f"Bearer {good.text}"}
    async with server.client() as client:
        assert (await client.get("/user", headers=held)).status_code == 200
    return jwt.decode(good.text, options={"verify_signature": False})


async def denied(nobody, *forged: str) -> None:
    for token in forged:
        for headers in (
            {"authorization": f"Bearer {token}"},
            {"cookie": f"internal_auth_session={token}"},
            {"cookie": f"access_token={token}"},
        ):
            answer = await nobody.get("/user", headers=headers)
            refused(answer, 401)
            assert answer.json()["message"] == REFUSAL


# -- tokens ------------------------------------------------------------------------------------------------------------


async def test_tokens_without_a_signature(nobody, ring, claims) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        head = part({"alg": algorithm, "typ": "JWT", "kid": ring.current})
        await denied(nobody, f"{head}.{part(claims)}.", f"{head}.{part(claims)}.x", f"{head}.{part(claims)}")


async def test_tokens_under_another_key(nobody, ring, claims) -> None:
    other = KeyRing(b"the secret of somebody else, 32 b")
    for purpose in (keys.COOKIE, keys.SETUP, keys.SESSION, keys.ADDRESS, keys.PRESIGN, keys.OIDC, keys.AUDIT):
        _, key = ring.derive(purpose)
        await denied(nobody, jwt.encode(claims, key, "HS256", headers={"kid": ring.current}))
    _, key = other.derive(keys.JWT)
    await denied(
        nobody,
        jwt.encode(claims, key, "HS256", headers={"kid": ring.current}),
        jwt.encode(claims, key, "HS256", headers={"kid": other.current}),
        jwt.encode(claims, key, "HS256"),
        jwt.encode(claims, b"\0" * 32, "HS256", headers={"kid": ""}),
        jwt.encode(claims, ring.current.encode() * 8, "HS256", headers={"kid": ring.current}),
    )


async def test_tokens_of_another_algorithm(nobody, ring, claims) -> None:
    _, key = ring.derive(keys.JWT)
    long = hmac.digest(key, b"x", "sha512")
    await denied(
        nobody,
        jwt.encode(claims, long, "HS512", headers={"kid": ring.current}),
        jwt.encode(claims, long, "HS384", headers={"kid": ring.current}),
    )


async def test_tokens_that_say_other_things(nobody, server, ring, claims) -> None:
    _, key = ring.derive(keys.JWT)
    now = int(server.clock())
    for change in (
        {"exp": now}, {"exp": now - 1}, {"exp": None}, {"aud": "address"}, {"aud": None}, {"iss": "me"}, {"iss": None},
        {"uid": 10**9}, {"uid": str(claims["uid"])}, {"uid": None}, {"uid": True}, {"uid": -1}, {"iat": None},
        {"sub": None},
    ):  # fmt: skip
        said = {name: value for name, value in (claims | change).items() if value is not None}
        await denied(nobody, jwt.encode(said, key, "HS256", headers={"kid": ring.current}))


async def test_a_token_does_not_outlive_its_user(api, server, nobody, ring) -> None:
    """Also not when somebody else is given the name."""
    name = await make_user(api, "Admins")
    pair = await made(api.post(f"/auth/users/{name}/credentials"), 201)
    del pair["creation_date"]
    token = (await made(nobody.post("/auth/login", json=pair), 200))["token"]
    nobody.cookies.clear()
    assert (await api.delete(f"/auth/users/{name}")).status_code == 204
    await denied(nobody, token)
    await make_user(api, "Admins", name=name)
    await denied(nobody, token)


# -- setup -------------------------------------------------------------------------------------------------------------


async def test_setup_is_over_when_it_is_done(api, nobody, server) -> None:
    body = {"username": "mallory", "key": {"access_key_id": "AKIAMALLORY", "secret_access_key": "x" * 40}}
    for client in (nobody, api):
        refused(await client.post("/setup_lakefs", json=body), 409)
    refused(await nobody.get("/user", auth=("AKIAMALLORY", "x" * 40)), 401)
    preferences = {"featureUpdates": True, "securityUpdates": True, "email": "mallory@example.org"}
    first = await nobody.post("/setup_comm_prefs", json=preferences)
    again = await nobody.post("/setup_comm_prefs", json=preferences | {"email": "eve@example.org"})
    assert first.status_code in (200, 409)
    refused(again, 409)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}, {"x-real-ip": "127.0.0.1"},
        {"host": "lake.example.org"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"},
        {"x-lakehouse-setup-token": "a" * 24},
    ],
    ids=str,
)  # fmt: skip
async def test_setup_by_somebody_from_elsewhere(tmp_path, headers) -> None:
    server = await started(tmp_path, Hands(), admin_access_key_id="", first_user="wait")
    try:
        async with server.client() as client:
            refused(await client.post("/setup_lakefs", json={"username": "mallory"}, headers=headers), 403)
            assert (await client.get("/setup_lakefs")).json()["state"] == "not_initialized"
    finally:
        await server.application.stop()


# -- headers -----------------------------------------------------------------------------------------------------------

BREAKS = ["a\r\nx-injected: 1", "a\nx-injected: 1", "a\rx-injected: 1", "a\x00b", "a\u2028b", "ä\r\nx: 1"]


def clean(answer) -> None:
    """No header came from what the request said, and none holds a line break."""
    assert "x-injected" not in answer.headers
    assert answer.status_code != 500
    for name, value in answer.headers.multi_items():
        assert not set("\r\n\0") & set(name + value), (name, value)


@pytest.mark.parametrize("text", BREAKS, ids=ascii)
async def test_names_do_not_become_headers(api, nobody, repo, text) -> None:
    for url, body in (
        ("/auth/users", {"id": text}),
        ("/auth/groups", {"id": text}),
        ("/auth/policies", {"id": text, "statement": [{"effect": "allow", "action": ["fs:*"], "resource": "*"}]}),
        (f"{repo.url}/branches", {"name": text, "source": "main"}),
        (f"{repo.url}/tags", {"id": text, "ref": "main"}),
        ("/repositories", {"name": text}),
    ):
        answer = await api.post(url, json=body)
        clean(answer)
        assert answer.status_code == 400, (url, answer.text)
    clean(await nobody.get("/oidc/login", params={"next": text}))
    clean(await nobody.get("/oidc/callback", params={"code": text, "state": text}))
    clean(await nobody.post("/auth/login", json={"access_key_id": text, "secret_access_key": text}))


@pytest.mark.parametrize("text", BREAKS, ids=ascii)
async def test_objects_do_not_become_headers(api, repo, text) -> None:
    """A path, a type and metadata of any text come back in headers that are whole."""
    body = {
        "physical_address": f"s3://lake.local/outside/{fresh('x')}", "checksum": text, "size_bytes": 1,
        "content_type": text, "metadata": {"k": text, text: "v"},
    }  # fmt: skip
    staged = await api.put(f"{repo.url}/branches/main/objects", params={"path": text}, json=body)
    clean(staged)
    if staged.status_code == 201:
        clean(await api.head(f"{repo.url}/refs/main/objects", params={"path": text}))
        clean(await api.get(f"{repo.url}/refs/main/objects/stat", params={"path": text}))
    put = await api.post(f"{repo.url}/branches/main/objects", params={"path": text + ".html"}, content=b"<script>")
    clean(put)
    if put.status_code == 201:
        answer = await api.get(f"{repo.url}/refs/main/objects", params={"path": text + ".html"})
        clean(answer)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


# -- logs --------------------------------------------------------------------------------------------------------------


async def test_no_secret_is_in_the_log(api, server, nobody, monkeypatch) -> None:
    """At the lowest level, with failures and a fault in the middle."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure(level="debug", stream=stream)
    try:
        name = await make_user(api, "Admins")
        pair = await made(api.post(f"/auth/users/{name}/credentials"), 201)
        login = {"access_key_id": pair["access_key_id"], "secret_access_key": pair["secret_access_key"]}
        token = (await made(nobody.post("/auth/login", json=login), 200))["token"]
        nobody.cookies.clear()
        await nobody.post("/auth/login", json=login | {"secret_access_key": "wrong-" + SECRET})
        held = {"authorization": f"Bearer {token}"}
        session = await made(nobody.post("/auth/sessions", headers=held), 201)
        await nobody.get("/user", headers={"authorization": f"Bearer {token}x"})
        await nobody.get("/user", headers={"cookie": f"internal_auth_session={token}x"})

        async def fault(*_: object, **__: object) -> None:
            raise RuntimeError(f"secret={SECRET} {held} token={token} secret_access_key: {pair['secret_access_key']}")

        monkeypatch.setattr("lakehouse.auth.users.create_credentials", fault)
        answer = await api.post(f"/auth/users/{name}/credentials")
        assert answer.status_code == 500
        assert SECRET not in answer.text
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = stream.getvalue()
    assert "RuntimeError" in text
    for secret in (pair["secret_access_key"], token, SECRET, session["secret_access_key"], session["session_token"]):
        assert secret not in text
    assert base64.b64encode(f"{KEY}:{SECRET}".encode()).decode() not in text


async def test_secrets_are_compared_in_constant_time(api, monkeypatch) -> None:
    """A comparison that stops at the first difference tells how much of a guess was right."""
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def watched(one: object, other: object) -> bool:
        compared.append((one, other))
        return real(one, other)  # type: ignore[type-var]

    monkeypatch.setattr("lakehouse.auth.credentials.hmac.compare_digest", watched)
    wrong = SECRET[:-1] + "x"
    refused(await api.get("/user", auth=(KEY, wrong)), 401)
    assert (SECRET.encode(), wrong.encode()) in compared


async def test_a_repository_name_given_again_is_another_repository(api, server) -> None:
    """Addresses and tokens of what was deleted are void, though the names are the same."""
    name = fresh("again")
    old = await make(api, name=name)
    location = await old.address("a")
    assert (await api.delete(f"/repositories/{name}")).status_code == 204
    new = await make(api, name=name)
    refused(await new.link("a", location), 400)


async def test_what_a_hook_left_does_not_run(repo) -> None:
    """Its output is whatever a user, or another server, wanted it to be."""
    page = "<script>alert(document.cookie)</script>"
    hook = {"id": "page", "type": "lua", "properties": {"script": f"print('{page}')"}}
    file = {"name": "Pages", "on": {"pre-commit": None}, "hooks": [hook]}
    await repo.put("_lakefs_actions/a.yaml", json.dumps(file).encode())
    await repo.commit()
    run = (await repo.done("GET", "/actions/runs"))["results"][0]["run_id"]
    answer = await repo.ask("GET", f"/actions/runs/{run}/hooks/0000_0000/output")
    assert answer.text == page
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
