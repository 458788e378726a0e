# SPDX-License-Identifier: Apache-2.0
"""The token endpoint: a key pair for a token that names the pair as its audience, and lives no longer than it."""

from __future__ import annotations

import base64
import json

import pytest

from tests.api.conftest import KEY, SECRET
from tests.api.people import made
from tests.facades.kv.conftest import HOST, ROOT, new_account

pytestmark = pytest.mark.anyio
GRANT = {"client_id": KEY, "grant_type": "refresh_token", "refresh_token": SECRET}


def claims(token: str) -> dict:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def get(server, token: str, path: str = "data/list") -> int:
    async with server.client(base_url=ROOT, headers={"authorization": f"Bearer {token}"}) as client:
        return (await client.get(f"{ROOT}/{path}")).status_code


@pytest.mark.parametrize("grant", ["refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"])
async def test_a_token_for_a_pair(server, nobody, grant) -> None:
    answer = await nobody.post(
        f"{HOST}/iam/token", json={**GRANT, "grant_type": grant, "scope": "x", "api_type": "app"}
    )
    assert answer.status_code == 200
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3600)
    token = answer.json()["access_token"]
    found = claims(token)
    assert (found["aud"], found["sub"], found["identity"]) == (KEY, "admin", "admin")
    assert found["exp"] == int(server.clock.now) + 3600
    assert await get(server, token) == 200
    rest = await nobody.get("/user", headers={"authorization": f"Bearer {token}"})
    assert rest.json()["user"]["id"] == "admin", "it is as good for the REST side"


async def test_it_expires(server, nobody) -> None:
    token = (await nobody.post(f"{HOST}/iam/token", json=GRANT)).json()["access_token"]
    server.clock.now += 3599
    assert await get(server, token) == 200
    server.clock.now += 1
    assert await get(server, token) == 401


async def test_it_is_void_without_its_pair(server, api, nobody) -> None:
    account = await new_account(server, api, "Developers")
    pair = await made(api.post(f"/auth/users/{account.name}/credentials"), 201)
    grant = {**GRANT, "client_id": pair["access_key_id"], "refresh_token": pair["secret_access_key"]}
    token = (await nobody.post(f"{HOST}/iam/token", json=grant)).json()["access_token"]
    assert await get(server, token) == 200
    await made(api.delete(f"/auth/users/{account.name}/credentials/{pair['access_key_id']}"), 204)
    assert await get(server, token) == 401
    assert (await nobody.post(f"{HOST}/iam/token", json=grant)).status_code == 401
    await account.close()


async def test_it_is_void_when_sessions_are_revoked(server, api, nobody) -> None:
    account = await new_account(server, api, "Developers")
    pair = await made(api.post(f"/auth/users/{account.name}/credentials"), 201)
    grant = {**GRANT, "client_id": pair["access_key_id"], "refresh_token": pair["secret_access_key"]}
    token = (await nobody.post(f"{HOST}/iam/token", json=grant)).json()["access_token"]
    server.clock.now += 1
    await made(api.delete(f"/auth/users/{account.name}/sessions"), 204)
    assert await get(server, token) == 401
    await account.close()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"refresh_token": "wrong"}, 401),
        ({"client_id": "AKIANOBODYNOBODYNOBQ"}, 401),
        ({"client_id": ""}, 401),
        ({"client_id": "\u00e9"}, 401),
        ({"grant_type": "password"}, 400),
        ({"refresh_token": None}, 400),
        ({"client_id": 7}, 400),
    ],
)
async def test_bad_requests_for_tokens(nobody, change, status) -> None:
    answer = await nobody.post(f"{HOST}/iam/token", json={**GRANT, **change})
    assert answer.status_code == status
    assert SECRET not in answer.text


async def test_bad_bodies_and_methods(nobody) -> None:
    for body in (b"", b"{", b"[]", b"client_id=a&grant_type=refresh_token", b"\xff"):
        assert (await nobody.post(f"{HOST}/iam/token", content=body)).status_code == 400
    assert (await nobody.get(f"{HOST}/iam/token")).status_code == 405
    assert (await nobody.post(f"{HOST}/iam/other", json=GRANT)).status_code == 404


async def test_a_login_token_cannot_claim_another_audience(server, api) -> None:
    """The audience of a login token is its own; a pair called `login` makes no difference."""
    made_pair = await api.post(f"{HOST}/iam/token", json=GRANT)
    token = made_pair.json()["access_token"]
    assert claims(token)["iss"] != claims((await api.post("/auth/login", json=LOGIN)).json()["token"])["iss"]


LOGIN = {"access_key_id": KEY, "secret_access_key": SECRET}


@pytest.fixture(scope="module")
async def nobody(server):
    """A REST client without credentials."""
    async with server.client() as client:
        yield client
