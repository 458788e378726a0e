# SPDX-License-Identifier: Apache-2.0
"""Login by a real (small) identity provider: the code flow, groups, and all that must not let anybody in."""

from __future__ import annotations

import base64
import hmac
import json
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lakehouse.config.model import Database, Oidc, Secret
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, identity_provider

from .conftest import KEY, SECRET, Hands, refused, started
from .people import fresh, made, make_user

pytestmark = pytest.mark.anyio
REFUSAL = "error authenticating request"
CALLBACK = "/oidc/callback"


@pytest.fixture(scope="module")
def provider():
    with identity_provider() as running:
        yield running


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def lake(request, provider, tmp_path_factory):
    clock = Hands()
    provider.clock = clock
    settings = {
        "oidc": Oidc(
            issuer=provider.url,
            client_id=CLIENT_ID,
            client_secret=Secret(CLIENT_SECRET),
            groups=("staff=Developers",),
        )
    }
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url_of_module")
        settings |= {"database": Database(url=url), "secret": Secret("a secret for the tests")}
    server = await started(tmp_path_factory.mktemp("oidc"), clock, **settings)
    yield server
    await server.application.stop()


@pytest.fixture(scope="module")
async def admin(lake):
    async with lake.client(auth=(KEY, SECRET)) as client:
        yield client


@pytest.fixture
async def browser(lake):
    async with lake.client() as client:
        yield client


@pytest.fixture
def person(provider):
    """Somebody who has not been here before."""
    name = fresh("ann")
    provider.person = {"sub": name, "email": f"{name}@example.org", "name": "Ann"}
    return provider.person


async def arrive(browser: httpx2.AsyncClient, **query: str) -> tuple[str, dict[str, str]]:
    """Begin a login and let the provider agree: the callback's query."""
    begun = await browser.get("/oidc/login", params=query)
    assert begun.status_code == 302, begun.text
    assert begun.headers["cache-control"] == "no-store"
    async with httpx2.AsyncClient() as outside:
        back = await outside.get(begun.headers["location"])
    url = urlsplit(back.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == "http://localhost:8000/api/v1/oidc/callback"
    return begun.headers["set-cookie"], {name: values[0] for name, values in parse_qs(url.query).items()}


async def test_the_whole_way(admin, browser, person) -> None:
    cookie, query = await arrive(browser, next="/ui/repositories?x=1")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Lax", "Path=/api/v1/oidc", "Max-Age=600"))
    done = await browser.get(CALLBACK, params=query)
    assert (done.status_code, done.headers["location"]) == (302, "/ui/repositories?x=1")
    assert {one.partition("=")[0] for one in done.headers.get_list("set-cookie")} == {
        "internal_auth_session", "access_token", "lakehouse_oidc_state",
    }  # fmt: skip
    user = (await made(browser.get("/user"), 200))["user"]
    assert (user["id"], user["email"], user["friendly_name"]) == (person["email"], person["email"], "Ann")
    refused(await browser.get("/repositories"), 401, "insufficient permissions")
    listed = await made(admin.get(f"/auth/users/{person['email']}/external/principals/ls"), 200)
    assert [one["id"].rpartition("#")[2] for one in listed["results"]] == [person["sub"]]


async def test_how_to_log_in_is_told(browser) -> None:
    told = (await made(browser.get("/setup_lakefs"), 200))["login_config"]
    assert (told["login_url"], told["login_url_method"]) == ("/api/v1/oidc/login", "select")


async def groups_of(admin, name: str) -> list[str]:
    return [one["id"] for one in (await made(admin.get(f"/auth/users/{name}/groups"), 200))["results"]]


async def test_groups_follow_the_provider(admin, lake, person) -> None:
    name = person["email"]
    own = fresh("own")
    await made(admin.post("/auth/groups", json={"id": own}), 201)
    for said, expected in (
        (["staff", "Viewers", "no-such-group", 7], ["Developers", "Viewers"]),
        (["Viewers"], ["Viewers"]),
        ("staff", ["Developers"]),
        (None, ["Developers"]),
        ([], []),
    ):
        person["groups"] = said
        async with lake.client() as browser:
            _, query = await arrive(browser)
            assert (await browser.get(CALLBACK, params=query)).status_code == 302
            assert (await browser.get("/repositories")).status_code == (200 if expected else 401)
        assert await groups_of(admin, name) == expected
    for group in (own, "Viewers"):
        await made(admin.put(f"/auth/groups/{group}/members/{name}"), 201)
    person["groups"] = ["staff", "Viewers"]
    for said in (["staff", "Viewers"], []):
        person["groups"] = said
        async with lake.client() as browser:
            _, query = await arrive(browser)
            assert (await browser.get(CALLBACK, params=query)).status_code == 302
    assert await groups_of(admin, name) == sorted(["Viewers", own]), "what an administrator said stays"


async def test_a_name_alone_makes_nobody_somebody(admin, browser, provider, person) -> None:
    """The provider's `admin` is not ours."""
    taken = await make_user(admin, "Admins", name=f"{fresh('boss')}@example.org")
    for name in (taken, "a%b", "", None):
        person["email"] = name
        _, query = await arrive(browser)
        refused(await browser.get(CALLBACK, params=query), 403)
        assert "internal_auth_session" not in browser.cookies
    person["email"], person["email_verified"] = f"{fresh('new')}@example.org", False
    _, query = await arrive(browser)
    refused(await browser.get(CALLBACK, params=query), 403)
    principal = f"{provider.url}#{person['sub']}"
    url = f"/auth/users/{taken}/external/principals"
    assert (await admin.post(url, params={"principalId": principal})).status_code == 201
    _, query = await arrive(browser)
    assert (await browser.get(CALLBACK, params=query)).status_code == 302
    assert (await browser.get("/user")).json()["user"]["id"] == taken


async def test_only_the_browser_that_began_can_finish(lake, browser, person) -> None:
    _, query = await arrive(browser)
    async with lake.client() as other:
        refused(await other.get(CALLBACK, params=query), 401, REFUSAL)
        _, theirs = await arrive(other)
        stolen = query | {"state": theirs["state"]}  # the code is spent with the wrong verifier
        refused(await other.get(CALLBACK, params=stolen), 401, REFUSAL)
    _, query = await arrive(browser)
    for wrong in ({}, {"state": query["state"]}, {"code": query["code"]}, query | {"state": "x"}, {"error": "denied"}):
        refused(await browser.get(CALLBACK, params=wrong), 401, REFUSAL)
    good = browser.cookies["lakehouse_oidc_state"]
    packed, _, signature = good.partition(".")
    for bad in (packed, f"{packed}.", f"{packed}.{signature[:-1]}", f".{signature}", "x.y", f"{packed}x.{signature}"):
        browser.cookies.clear()
        refused(
            await browser.get(CALLBACK, params=query, headers={"cookie": f"lakehouse_oidc_state={bad}"}), 401, REFUSAL
        )
    held = {"cookie": f"lakehouse_oidc_state={good}"}
    lake.clock.now += 601
    refused(await browser.get(CALLBACK, params=query, headers=held), 401, REFUSAL)
    lake.clock.now -= 601
    assert (await browser.get(CALLBACK, params=query, headers=held)).status_code == 302
    refused(await browser.get(CALLBACK, params=query, headers=held), 401, REFUSAL)


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\r\nset-cookie: x=1", "/\tx"]
)
async def test_a_login_ends_on_this_server(browser, person, path) -> None:
    _, query = await arrive(browser, next=path)
    done = await browser.get(CALLBACK, params=query)
    assert done.headers["location"] == "/"


async def test_sts_login(lake, browser, provider, person) -> None:
    here = "http://localhost:5000/mine"
    body = {"code": provider.code(redirect_uri=here), "state": "s", "redirect_uri": here, "ttl_seconds": 60}
    answer = await made(browser.post("/sts/login", json=body), 200)
    assert answer["token_expiration"] == int(lake.clock()) + 60
    held = {"authorization": f"Bearer {answer['token']}"}
    assert (await browser.get("/user", headers=held)).json()["user"]["id"] == person["email"]
    refused(await browser.post("/sts/login", json=body), 401, REFUSAL)
    other = {**body, "code": provider.code(redirect_uri=here), "redirect_uri": "http://evil.example/"}
    refused(await browser.post("/sts/login", json=other), 401, REFUSAL)
    for wrong in ({**body, "ttl_seconds": 0}, {"code": "x"}, {}):
        refused(await browser.post("/sts/login", json=wrong), 400)


async def external(browser, token: object, **more) -> httpx2.Response:
    return await browser.post("/auth/external/principal/login", json={"identityRequest": {"id_token": token}, **more})


async def test_external_principals_log_in(admin, lake, browser, provider, person) -> None:
    user = await make_user(admin, "Viewers")
    refused(await external(browser, provider.token()), 403)
    principal = f"{provider.url}#{person['sub']}"
    await made(admin.post(f"/auth/users/{user}/external/principals", params={"principalId": principal}), 201)
    answer = await made(external(browser, provider.token(), token_expiration_duration=10**9), 200)
    assert answer["token_expiration"] == int(lake.clock()) + 7 * 86_400
    held = {"authorization": f"Bearer {answer['token']}"}
    assert (await browser.get("/user", headers=held)).json()["user"]["id"] == user
    for wrong in (None, 1, {}):
        refused(await external(browser, wrong), 400)


async def test_forged_id_tokens(admin, lake, browser, provider, person) -> None:
    user = await make_user(admin)
    principal = f"{provider.url}#{person['sub']}"
    await made(admin.post(f"/auth/users/{user}/external/principals", params={"principalId": principal}), 201)
    now = int(lake.clock())
    good = provider.token()
    head, body, signature = good.split(".")
    stranger = ec.generate_private_key(ec.SECP256R1())
    claims = jwt.decode(good, options={"verify_signature": False})
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"k1"}').rstrip(b"=").decode()
    public = json.dumps(provider.jwks()["keys"][0]).encode()
    hashed = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=").decode() + f".{body}"
    mac = base64.urlsafe_b64encode(hmac.digest(public, hashed.encode(), "sha256")).rstrip(b"=").decode()
    symmetric = f"{hashed}.{mac}"
    bad = [
        "", "x", "a.b.c", f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.", symmetric,
        jwt.encode(claims, stranger, "ES256", headers={"kid": "k1"}),
        jwt.encode(claims, stranger, "ES256", headers={"kid": "k9"}),
        jwt.encode(claims, stranger, "ES256"),
        provider.token(exp=now - 61), provider.token(iat=now + 61), provider.token(exp=None), provider.token(exp="x"),
        provider.token(iss="http://evil.example"), provider.token(aud="other"), provider.token(aud=["lake", "other"]),
        provider.token(azp="other"), provider.token(sub=None),
    ]  # fmt: skip
    for token in bad:
        refused(await external(browser, token), 401, REFUSAL)
    assert (await external(browser, good)).status_code == 200
    assert (await external(browser, provider.token(aud=["lake", "other"], azp="lake"))).status_code == 200


async def test_keys_are_rotated(admin, lake, browser, provider, person) -> None:
    before = provider.keys
    old = provider.token()
    try:
        provider.rotate()
        lake.clock.now += 11
        _, query = await arrive(browser)
        assert (await browser.get(CALLBACK, params=query)).status_code == 302
        refused(await external(browser, old), 401, REFUSAL)
        asked = provider.requests.count("/keys")
        for _ in range(5):
            refused(await external(browser, old), 401, REFUSAL)
        assert provider.requests.count("/keys") <= asked + 1, "unknown keys do not make the server ask again and again"
    finally:
        provider.keys = before
        lake.clock.now += 11


async def test_without_a_provider(api, nobody) -> None:
    refused(await nobody.get("/oidc/login"), 501)
    refused(await nobody.get("/oidc/callback"), 401)
    body = {"code": "c", "state": "s", "redirect_uri": "http://localhost/"}
    refused(await nobody.post("/sts/login", json=body), 501)
    refused(await external(nobody, "x"), 501)
