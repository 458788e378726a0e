# SPDX-License-Identifier: Apache-2.0
"""Short-lived keys over REST and on the S3 side."""

from __future__ import annotations

import pytest

from .conftest import refused
from .people import as_user, made, make_user

pytestmark = pytest.mark.anyio


async def test_sessions(api, server, repo) -> None:
    user = await make_user(api, "Developers")
    only = [{"effect": "allow", "action": ["fs:Read*"], "resource": f"arn:lakefs:fs:::repository/{repo.name}/*"}]
    async with as_user(server, api, user) as client:
        refused(await client.post("/auth/sessions", json={"duration_seconds": 1}), 400, "duration_seconds")
        whole = await made(client.post("/auth/sessions"), 201)
        narrow = await made(client.post("/auth/sessions", json={"duration_seconds": 60, "policy": only}), 201)
    assert set(whole) == {"access_key_id", "secret_access_key", "session_token", "expiration"}
    assert narrow["expiration"] == int(server.clock()) + 60
    await repo.put("a")
    read, write = f"{repo.url}/refs/main/objects", f"{repo.url}/branches/main/objects"
    for session, status in ((whole, 201), (narrow, 401)):
        pair = (session["access_key_id"], session["secret_access_key"])
        async with server.client(auth=pair) as client:
            refused(await client.get("/user"), 401, "error authenticating request")
            client.headers["x-amz-security-token"] = session["session_token"]
            assert (await client.get("/user")).json()["user"]["id"] == user
            assert (await client.get(read, params={"path": "a"})).status_code == 200
            assert (await client.post(write, params={"path": "b"}, content=b"x")).status_code == status
            refused(await client.post("/auth/sessions"), 401, "a session makes no sessions")
            refused(
                await client.post("/auth/login", json={"access_key_id": pair[0], "secret_access_key": pair[1]}), 401
            )
            client.auth = (pair[0], "x" * 40)
            refused(await client.get("/user"), 401, "error authenticating request")
    server.clock.now += 61
    async with server.client(auth=(narrow["access_key_id"], narrow["secret_access_key"])) as client:
        client.headers["x-amz-security-token"] = narrow["session_token"]
        refused(await client.get("/user"), 401, "error authenticating request")


async def test_revoking(api, server) -> None:
    user = await make_user(api, "Developers")
    pair = await made(api.post(f"/auth/users/{user}/credentials"), 201)
    keys = (pair["access_key_id"], pair["secret_access_key"])
    async with server.client(auth=keys) as client:
        session = await made(client.post("/auth/sessions"), 201)
        del pair["creation_date"]
        token = (await made(client.post("/auth/login", json=pair), 200))["token"]
        client.cookies.clear()
        held = {"x-amz-security-token": session["session_token"]}
        other = server.client(auth=(session["access_key_id"], session["secret_access_key"]), headers=held)
        bearer = server.client(headers={"authorization": f"Bearer {token}"})
        async with other, bearer:
            assert [(await one.get("/user")).status_code for one in (client, other, bearer)] == [200] * 3
            assert (await api.delete(f"/auth/users/{user}/sessions")).status_code == 204
            assert [(await one.get("/user")).status_code for one in (client, other, bearer)] == [200, 401, 401]
        token = (await made(client.post("/auth/login", json=pair), 200))["token"]
        client.cookies.clear()
        async with server.client(headers={"authorization": f"Bearer {token}"}) as again:
            assert (await again.get("/user")).status_code == 200
    refused(await api.delete("/auth/users/nope/sessions"), 404, "user not found")
