# SPDX-License-Identifier: Apache-2.0
"""Who is asking, over REST: login, the kinds of credentials, forged and expired ones; the first user."""

from __future__ import annotations

import base64

import pytest

from lakehouse.auth import setup as engine
from lakehouse.server.start import open_ring

from .conftest import KEY, SECRET, Hands, make, refused, started

pytestmark = pytest.mark.anyio

REFUSAL = "error authenticating request"


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


async def token_of(nobody) -> str:
    answer = await nobody.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET})
    nobody.cookies.clear()
    return answer.json()["token"]


async def test_login(nobody, server) -> None:
    answer = await nobody.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET})
    nobody.cookies.clear()
    assert answer.status_code == 200
    assert set(answer.json()) == {"token", "token_expiration"}
    assert answer.json()["token_expiration"] == int(server.clock()) + 7 * 86_400
    cookies = answer.headers.get_list("set-cookie")
    token = answer.json()["token"]
    assert cookies == [
        f"{name}={token}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        for name in ("internal_auth_session", "access_token")
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"access_key_id": KEY, "secret_access_key": "wrong"},
        {"access_key_id": "AKIAJNOBODYNOBODYNOQ", "secret_access_key": SECRET},
        {"access_key_id": "", "secret_access_key": ""},
        {"access_key_id": KEY.lower(), "secret_access_key": SECRET},
        {"access_key_id": KEY + "\x00", "secret_access_key": SECRET},
    ],
)
async def test_logins_that_are_refused(nobody, body: dict) -> None:
    answer = await nobody.post("/auth/login", json=body)
    refused(answer, 401)
    assert answer.json()["message"] == REFUSAL
    assert "set-cookie" not in answer.headers


async def test_logins_that_say_nothing(nobody) -> None:
    refused(await nobody.post("/auth/login"), 401, REFUSAL)
    refused(await nobody.post("/auth/login", json={}), 400, "access_key_id")
    refused(await nobody.post("/auth/login", content=b"x"), 400, "not JSON")


async def test_a_login_over_tls_has_secure_cookies(server) -> None:
    async with server.client(base_url="https://lake.example.org/api/v1") as client:
        answer = await client.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET})
    assert all(cookie.endswith("; Secure") for cookie in answer.headers.get_list("set-cookie"))


async def test_every_kind_of_credentials(nobody, server) -> None:
    token = await token_of(nobody)
    for headers in (
        basic(f"{KEY}:{SECRET}"),
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer {token}"},
        {"cookie": f"internal_auth_session={token}"},
        {"cookie": f"access_token={token}"},
        {"cookie": f"other=1; access_token={token}; more=2"},
    ):
        answer = await nobody.get("/user", headers=headers)
        assert answer.status_code == 200, headers
        assert answer.json() == {
            "user": {"id": "admin", "creation_date": 1_750_000_000, "friendly_name": "admin"},
        }
        assert (await nobody.post("/statistics", json={"events": []}, headers=headers)).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(f"{KEY}:wrong"),
        basic(f"{KEY}:"),
        basic(KEY),
        basic(":"),
        {"authorization": "Basic"},
        {"authorization": "Basic ???"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"authorization": "Bearer"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Bearer a.b.c"},
        {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."},
        {"authorization": "Digest x"},
        {"authorization": ""},
        {"cookie": "internal_auth_session=nonsense"},
        {"cookie": "access_token="},
    ],
    ids=str,
)
async def test_credentials_that_are_refused(nobody, headers: dict) -> None:
    answer = await nobody.get("/user", headers=headers)
    refused(answer, 401)
    assert answer.json()["message"] == REFUSAL


async def test_forged_and_expired_tokens(nobody, server) -> None:
    token = await token_of(nobody)
    head, body, signature = token.split(".")
    claims = base64.urlsafe_b64decode(body + "==").replace(b'"admin"', b'"other"')
    forged = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for bad in (f"{head}.{forged}.{signature}", f"{none}.{body}.", f"{head}.{body}.{flipped}", f"{head}.{body}."):
        for headers in ({"authorization": f"Bearer {bad}"}, {"cookie": f"internal_auth_session={bad}"}):
            refused(await nobody.get("/user", headers=headers), 401, REFUSAL)
    headers = {"authorization": f"Bearer {token}"}
    server.clock.now += 7 * 86_400 - 1
    assert (await nobody.get("/user", headers=headers)).status_code == 200
    server.clock.now += 2
    refused(await nobody.get("/user", headers=headers), 401, REFUSAL)


async def test_the_first_kind_that_is_present_decides(nobody) -> None:
    token = await token_of(nobody)
    headers = basic(f"{KEY}:wrong") | {"cookie": f"internal_auth_session={token}"}
    refused(await nobody.get("/user", headers=headers), 401, REFUSAL)
    headers = {"authorization": f"Bearer {token}", "cookie": "internal_auth_session=nonsense"}
    assert (await nobody.get("/user", headers=headers)).status_code == 200


async def test_cookies_do_not_write_for_other_sites(nobody) -> None:
    cookie = {"cookie": f"internal_auth_session={await token_of(nobody)}"}
    event = {"events": []}
    for origin, status in [
        ({"sec-fetch-site": "cross-site"}, 401),
        ({"sec-fetch-site": "same-site"}, 401),
        ({"origin": "http://evil.example"}, 401),
        ({"origin": "null"}, 401),
        ({"origin": "http://localhost:8000.evil.example"}, 401),
        ({"sec-fetch-site": "same-origin"}, 204),
        ({"origin": "http://localhost:8000"}, 204),
    ]:
        answer = await nobody.post("/statistics", json=event, headers=cookie | origin)
        assert answer.status_code == status, origin
    answer = await nobody.get("/user", headers=cookie | {"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200


async def test_validation_comes_before_authentication(nobody, repo) -> None:
    url = repo.url
    for method, path, body in [
        ("GET", f"{url}/refs/main/objects?path=", None),
        ("GET", f"{url}/refs/main/objects", None),
        ("GET", f"{url}/branches?amount=1001", None),
        ("GET", f"{url}/refs/main/diff/main?type=x", None),
        ("POST", "/repositories", {"name": "A"}),
        ("POST", f"{url}/branches", {"name": "dev"}),
        ("PUT", f"{url}/branches/main", {"type": "x"}),
        ("GET", "/repositories//branches", None),
        ("GET", f"{url}/refs/main/commits?since=yesterday", None),
    ]:
        refused(await nobody.request(method, path, json=body), 400)
    answer = await nobody.post("/repositories", content=b"{")
    refused(answer, 400, "not JSON")
    for method, path, body in [
        ("GET", f"{url}/refs/main/objects?path=a", None),
        ("GET", "/repositories/no-such-repository", None),
        ("GET", f"{url}/branches/nope", None),
        ("POST", "/repositories", {"name": repo.name}),
        ("PUT", f"{url}/branches/main/staging/links", []),
        ("POST", f"{url}/branches/main/objects?path=a", None),
    ]:
        answer = await nobody.request(method, path, json=body)
        refused(answer, 401)
        assert answer.json()["message"] == REFUSAL
    answer = await nobody.head(f"{url}/refs/main/objects?path=a")
    assert (answer.status_code, answer.content) == (401, b"")


async def test_what_nobody_is_asked_for(nobody) -> None:
    assert (await nobody.get("/auth/capabilities")).json() == {"invite_user": False}
    assert (await nobody.get("/setup_lakefs")).status_code == 200
    answer = await nobody.get("/healthcheck", headers=basic("wrong:wrong"))
    assert (answer.status_code, answer.content) == (204, b"")


# -- the first user ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def empty(tmp_path):
    """A server that has no user."""
    made = await started(tmp_path, Hands(), admin_access_key_id="", first_user="wait")
    yield made
    await made.application.stop()


async def test_setup(empty) -> None:
    async with empty.client() as client:
        state = (await client.get("/setup_lakefs")).json()
        login = {
            "RBAC": "internal",
            "login_url": "",
            "login_url_method": "none",
            "login_failed_message": "The credentials don't match.",
            "login_cookie_names": ["internal_auth_session", "access_token"],
            "logout_url": "",
        }
        assert state == {"state": "not_initialized", "comm_prefs_missing": True, "login_config": login}
        preferences = {"featureUpdates": True, "securityUpdates": False, "email": "ann@example.org"}
        refused(await client.post("/setup_comm_prefs", json=preferences), 412, "not initialized")
        refused(await client.get("/user"), 401, REFUSAL)
        answer = await client.post("/setup_lakefs", json={"username": "ann"})
        assert answer.status_code == 200
        made = answer.json()
        assert set(made) == {"access_key_id", "secret_access_key", "creation_date"}
        assert (len(made["access_key_id"]), len(made["secret_access_key"])) == (20, 40)
        assert made["access_key_id"].startswith("AKIAJ")
        assert made["access_key_id"].endswith("Q")
        pair = (made["access_key_id"], made["secret_access_key"])
        assert (await client.get("/user", auth=pair)).json()["user"]["id"] == "ann"
        for body in ({"username": "ann"}, {"username": "bob", "key": {"access_key_id": "a", "secret_access_key": "b"}}):
            answer = await client.post("/setup_lakefs", json=body)
            assert answer.status_code in (400, 409)
        refused(await client.post("/setup_lakefs", json={"username": "bob"}), 409, "lakeFS already initialized")
        assert (await client.get("/setup_lakefs")).json()["state"] == "initialized"
        refused(await client.post("/setup_comm_prefs", json=preferences | {"email": "no address"}), 400, "email")
        refused(await client.post("/setup_comm_prefs", json={"featureUpdates": True}), 400, "securityUpdates")
        answer = await client.post("/setup_comm_prefs", json=preferences)
        assert (answer.status_code, answer.content) == (200, b"")
        refused(await client.post("/setup_comm_prefs", json=preferences), 409, "already")
        assert (await client.get("/setup_lakefs")).json()["comm_prefs_missing"] is False


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "username"),
        ({"username": ""}, "username"),
        ({"username": "a%b"}, "username"),
        ({"username": "a/b"}, "username"),
        ({"username": "a\x00b"}, "username"),
        ({"username": "a" * 256}, "username"),
        ({"username": 1}, "username"),
        ({"username": "ann", "key": {}}, "key"),
        ({"username": "ann", "key": {"access_key_id": "", "secret_access_key": SECRET}}, "access_key_id"),
        ({"username": "ann", "key": {"access_key_id": KEY, "secret_access_key": ""}}, "secret_access_key"),
        ({"username": "ann", "key": {"access_key_id": "a b c", "secret_access_key": SECRET}}, "access_key_id"),
        ({"username": "ann", "key": {"access_key_id": KEY, "secret_access_key": "short"}}, "secret_access_key"),
        ({"username": "ann", "email": "not an address"}, "email"),
    ],
)
async def test_setups_that_are_refused(empty, body: dict, text: str) -> None:
    async with empty.client() as client:
        answer = await client.post("/setup_lakefs", json=body)
        refused(answer, 400, text)
        assert SECRET not in answer.text
        assert (await client.get("/setup_lakefs")).json()["state"] == "not_initialized"


async def test_setup_with_ones_own_pair(empty) -> None:
    async with empty.client() as client:
        body = {
            "username": "ann",
            "email": "ann@example.org",
            "key": {"access_key_id": KEY, "secret_access_key": SECRET},
        }
        made = (await client.post("/setup_lakefs", json=body)).json()
        assert (made["access_key_id"], made["secret_access_key"]) == (KEY, SECRET)
        client.auth = (KEY, SECRET)
        user = (await client.get("/user")).json()["user"]
        assert user == {
            "id": "ann",
            "creation_date": int(empty.clock()),
            "friendly_name": "ann",
            "email": "ann@example.org",
        }
        repo = await make(client)
        await repo.put("a")
        assert (await repo.commit())["committer"] == "ann@example.org"


async def test_setup_from_elsewhere_needs_the_printed_token(empty) -> None:
    token = engine.setup_token(open_ring(empty.application._config))
    body = {"username": "ann"}
    async with empty.client(base_url="http://lake.example.org/api/v1") as client:
        refused(await client.post("/setup_lakefs", json=body), 403, "needs the token")
        wrong = {"x-lakehouse-setup-token": "wrong"}
        refused(await client.post("/setup_lakefs", json=body, headers=wrong), 403, "needs the token")
        answer = await client.post("/setup_lakefs", json=body, headers={"x-lakehouse-setup-token": token})
        assert answer.status_code == 200


async def test_behind_a_proxy_the_own_origin_is_the_outer_one(tmp_path) -> None:
    made = await started(tmp_path, Hands(), external_url="https://lake.example.org")
    try:
        async with made.client() as client:
            answer = await client.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET})
            assert all(cookie.endswith("; Secure") for cookie in answer.headers.get_list("set-cookie"))
            client.cookies.clear()
            cookie = {"cookie": f"internal_auth_session={answer.json()['token']}"}
            for origin, status in (("https://lake.example.org", 204), ("http://localhost:8000", 401)):
                headers = cookie | {"origin": origin}
                assert (await client.post("/statistics", json={"events": []}, headers=headers)).status_code == status
    finally:
        await made.application.stop()
