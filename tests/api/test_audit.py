# SPDX-License-Identifier: Apache-2.0
"""What the audit log says of requests, and who may read it."""

from __future__ import annotations

import pytest

from lakehouse.config.model import Audit

from .conftest import KEY, SECRET, Hands, make, refused, started
from .people import allow, as_user, made, make_user

pytestmark = pytest.mark.anyio


async def events(server, api, **query) -> list[dict]:
    await server.application._audit.flush()
    found, after = [], ""
    while True:
        page = await made(api.get("/auth/audit", params={"amount": 3, "after": after, **query}), 200)
        found += page["results"]
        if not page["pagination"]["has_more"]:
            return found
        after = page["pagination"]["next_offset"]


async def test_changes_and_refusals(api, server, repo) -> None:
    user = await make_user(api)
    async with as_user(server, api, user) as client:
        refused(await client.get(repo.url), 401)
        await client.get("/user")
        refused(await client.post(f"/auth/groups/Admins/members/{user}"), 405)
        refused(await client.put(f"/auth/groups/Admins/members/{user}"), 401)
    await repo.put("a")
    answer = await api.post(f"{repo.url}/branches/main/commits", json={"message": "a secret message"})
    found = await events(server, api, actor=user)
    assert [(one["operation"], one["status_code"]) for one in found] == [
        ("add_group_membership", 401),
        ("get_repository", 401),
    ]
    assert found[0]["resources"] == {"groupId": "Admins", "userId": user}
    assert found[0]["peer"] == "127.0.0.1"
    [commit] = await events(server, api, operation="commit")
    assert commit["request_id"] == answer.headers["x-request-id"]
    assert commit["resources"] == {"repository": repo.name, "branch": "main"}
    assert commit["actor"] == "admin"
    assert commit["time"] == int(server.clock())
    assert await events(server, api, operation="upload_object") == []
    created = [one["resources"] for one in await events(server, api, operation="create_user")]
    assert {"id": user} in created


async def test_logins(api, server, nobody) -> None:
    for secret in (SECRET, "wrong"):
        await nobody.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": secret})
        nobody.cookies.clear()
    found = await events(server, api, operation="login")
    assert [(one["status_code"], one["resources"]) for one in found[:2]] == [
        (401, {"access_key_id": KEY}),
        (200, {"access_key_id": KEY}),
    ]


async def test_no_secret_is_in_it(api, server) -> None:
    user = await make_user(api)
    pair = await made(api.post(f"/auth/users/{user}/credentials"), 201)
    async with server.client(auth=(pair["access_key_id"], pair["secret_access_key"])) as client:
        session = await made(client.post("/auth/sessions"), 201)
    text = str(await events(server, api))
    for secret in (SECRET, pair["secret_access_key"], session["session_token"], session["secret_access_key"]):
        assert secret not in text


async def test_the_log_is_whole(api, server) -> None:
    await make_user(api)
    await server.application._audit.flush()
    report = await made(api.get("/auth/audit/verify"), 200)
    assert report["whole"] is True
    assert report["broken"] == []
    assert report["chains"][0]["events"] > 0


async def test_who_may_read_it(api, server) -> None:
    user = await make_user(api, "SuperUsers")
    async with as_user(server, api, user) as client:
        for url in ("/auth/audit", "/auth/audit/verify"):
            refused(await client.get(url), 401, "auth:ReadAudit")
        await allow(api, user, "auth:ReadAudit")
        assert (await client.get("/auth/audit")).status_code == 200


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": "1.c.x.1"}, {"since": "yesterday"}, {"amount": 1001}])
async def test_questions_that_mean_nothing(api, query) -> None:
    refused(await api.get("/auth/audit", params=query), 400)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("off", set()),
        ("changes", {"create_repository"}),
        ("writes", {"create_repository", "upload_object"}),
        ("all", {"create_repository", "upload_object", "get_repository", "list_audit_events"}),
    ],
)
async def test_levels(tmp_path, level, expected) -> None:
    server = await started(tmp_path, Hands(), audit=Audit(level=level))
    try:
        async with server.client(auth=(KEY, SECRET)) as client:
            repo = await make(client)
            await repo.put("a")
            await repo.done("GET")
            await client.get("/auth/audit")
            await client.post("/statistics", json={"events": []})
            assert {one["operation"] for one in await events(server, client)} == expected
    finally:
        await server.application.stop()
