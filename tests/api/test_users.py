# SPDX-License-Identifier: Apache-2.0
"""Users, groups, policies, key pairs and external principals, over REST, on both databases."""

from __future__ import annotations

import json

import pytest

from .conftest import refused
from .people import fresh, made, make_policy, make_user

pytestmark = pytest.mark.anyio
READ = {"effect": "allow", "action": ["fs:ReadObject"], "resource": "arn:lakefs:fs:::repository/a/object/*"}


async def ids(api, url: str, **query) -> list[str]:
    """All names of a list, page by page."""
    found, after = [], ""
    while True:
        page = await made(api.get(url, params={"amount": 2, "after": after, **query}), 200)
        assert page["pagination"]["max_per_page"] == 0
        assert page["pagination"]["results"] == len(page["results"])
        keys = [one.get("id") or one["access_key_id"] for one in page["results"]]
        assert keys == sorted(keys)
        found += keys
        if not page["pagination"]["has_more"]:
            assert page["pagination"]["next_offset"] == ""
            return found
        after = keys[-1]
        assert page["pagination"]["next_offset"] == after


async def test_users(api, server) -> None:
    name = fresh("ann")
    body = await made(api.post("/auth/users", json={"id": name, "email": "ann@example.org"}), 201)
    expected = {
        "id": name, "creation_date": int(server.clock()), "friendly_name": name, "email": "ann@example.org",
    }  # fmt: skip
    assert body == expected == await made(api.get(f"/auth/users/{name}"), 200)
    refused(await api.post("/auth/users", json={"id": name}), 409, "already exists")
    assert name in await ids(api, "/auth/users")
    assert await ids(api, "/auth/users", prefix=name) == [name]
    assert (await api.delete(f"/auth/users/{name}")).status_code == 204
    refused(await api.delete(f"/auth/users/{name}"), 404, "user not found")
    refused(await api.get(f"/auth/users/{name}"), 404, "user not found")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": ""}, 400), ({"id": "a%b"}, 400), ({"id": "a/b"}, 400), ({"id": "a\nb"}, 400), ({}, 400), (None, 400),
        ({"id": "x" * 256}, 400), ({"id": "x", "email": "none"}, 400), ({"id": "someone", "invite_user": True}, 501),
    ],
)  # fmt: skip
async def test_users_that_are_refused(api, nobody, body, status) -> None:
    refused(await api.post("/auth/users", json=body), status)
    if body in ({"id": "a%b"}, {}, None):
        refused(await nobody.post("/auth/users", json=body), 400)
        refused(await nobody.post("/auth/groups", json=body), 400)
        refused(await api.post("/auth/groups", json=body), 400)


async def test_the_built_in_groups_and_their_policies(api) -> None:
    assert {"Admins", "Developers", "SuperUsers", "Viewers"} <= set(await ids(api, "/auth/groups"))
    known = await ids(api, "/auth/policies")
    assert {"FSFullAccess", "FSReadAll", "FSReadWriteAll", "AuthFullAccess", "AuthManageOwnCredentials"} <= set(known)
    assert await ids(api, "/auth/groups/Viewers/policies") == [
        "AuthManageOwnCredentials", "CatalogReadAll", "FSReadAll", "PRReadAll",
    ]  # fmt: skip
    assert await ids(api, "/auth/groups/Admins/members") == ["admin"]
    assert await ids(api, "/auth/users/admin/groups") == ["Admins"]
    own = await made(api.get("/auth/policies/AuthManageOwnCredentials"), 200)
    assert own["statement"][0]["resource"] == "arn:lakefs:auth:::user/${user}"


async def test_groups_and_members(api, server) -> None:
    group, user = fresh("group"), await make_user(api)
    body = await made(api.post("/auth/groups", json={"id": group, "description": "some people"}), 201)
    expected = {"id": group, "name": group, "description": "some people", "creation_date": int(server.clock())}
    assert body == expected == await made(api.get(f"/auth/groups/{group}"), 200)
    refused(await api.post("/auth/groups", json={"id": group}), 409)
    for _ in range(2):
        assert (await api.put(f"/auth/groups/{group}/members/{user}")).status_code == 201
    assert await ids(api, f"/auth/groups/{group}/members") == [user]
    assert await ids(api, f"/auth/users/{user}/groups") == [group]
    for method in ("PUT", "DELETE"):
        refused(await api.request(method, f"/auth/groups/nope/members/{user}"), 404, "group not found")
        refused(await api.request(method, f"/auth/groups/{group}/members/nope"), 404, "user not found")
    assert (await api.delete(f"/auth/groups/{group}/members/{user}")).status_code == 204
    assert await ids(api, f"/auth/groups/{group}/members") == []
    await made(api.put(f"/auth/groups/{group}/members/{user}"), 201)
    assert (await api.delete(f"/auth/groups/{group}")).status_code == 204
    assert await ids(api, f"/auth/users/{user}/groups") == []
    for url in ("", "/members", "/policies", "/acl"):
        refused(await api.get(f"/auth/groups/{group}{url}"), 404, "group not found")


async def test_policies(api, server) -> None:
    name = fresh("policy")
    several = json.dumps(["arn:lakefs:fs:::repository/a", "arn:lakefs:fs:::repository/a/*"])
    where = {"IpAddress": {"SourceIp": ["10.0.0.0/8"]}}
    sent = [READ, {"effect": "deny", "action": ["fs:*"], "resource": several, "condition": where}]
    body = await made(api.post("/auth/policies", json={"id": name, "creation_date": 1, "statement": sent}), 201)
    assert body == {"id": name, "creation_date": int(server.clock()), "statement": sent}
    assert body == await made(api.get(f"/auth/policies/{name}"), 200)
    refused(await api.post("/auth/policies", json={"id": name, "statement": sent}), 409)
    changed = await made(api.put(f"/auth/policies/{name}", json={"id": name, "statement": [READ]}), 200)
    assert changed["statement"] == [READ]
    refused(await api.put(f"/auth/policies/{name}", json={"id": "other", "statement": [READ]}), 400)
    refused(await api.put("/auth/policies/nope", json={"id": "nope", "statement": [READ]}), 404, "policy not found")
    assert (await api.delete(f"/auth/policies/{name}")).status_code == 204
    refused(await api.get(f"/auth/policies/{name}"), 404)
    refused(await api.delete(f"/auth/policies/{name}"), 404)


@pytest.mark.parametrize(
    "change",
    [
        {"action": ["fs:Fly"]}, {"action": ["fly:Read"]}, {"action": ["ReadObject"]}, {"action": []}, {"action": [""]},
        {"action": ["fs:Fl*"]}, {"resource": ""}, {"resource": "repository/a"}, {"resource": "arn:aws:s3:::bucket"},
        {"resource": "[]"}, {"resource": "[1]"}, {"resource": "[\"x\"]"},
        {"resource": "arn:lakefs:fs:eu:1:repository/a"},
        {"resource": "arn:lakefs:s3:::a"}, {"effect": "maybe"}, {"condition": {"IpAddress": {"SourceIp": ["x"]}}},
        {"condition": {"Bool": {"SourceIp": ["1.2.3.4"]}}}, {"condition": {"StringLike": {"Moon": ["full"]}}},
        {"condition": {"IpAddress": {"SourceIp": []}}}, {"condition": {"IpAddress": {"UserName": ["1.2.3.4"]}}},
        {"resource": "arn:lakefs:fs:::" + "a" * 70_000},
    ],
    ids=str,
)  # fmt: skip
async def test_policies_that_are_refused(api, change) -> None:
    name = fresh("policy")
    refused(await api.post("/auth/policies", json={"id": name, "statement": [READ | change]}), 400)
    refused(await api.get(f"/auth/policies/{name}"), 404)
    refused(await api.post("/auth/policies", json={"id": name, "statement": []}), 400)


async def test_who_has_which_policies(api) -> None:
    user, group = await make_user(api), fresh("group")
    await made(api.post("/auth/groups", json={"id": group}), 201)
    await made(api.put(f"/auth/groups/{group}/members/{user}"), 201)
    own, shared = await make_policy(api, READ), await make_policy(api, READ)
    await made(api.put(f"/auth/users/{user}/policies/{own}"), 201)
    for _ in range(2):
        await made(api.put(f"/auth/groups/{group}/policies/{shared}"), 201)
    assert await ids(api, f"/auth/users/{user}/policies") == [own]
    assert await ids(api, f"/auth/users/{user}/policies", effective="true") == sorted([own, shared])
    assert await ids(api, f"/auth/groups/{group}/policies") == [shared]
    for url in (f"/auth/users/{user}", f"/auth/groups/{group}"):
        for method in ("PUT", "DELETE"):
            refused(await api.request(method, f"{url}/policies/nope"), 404, "policy not found")
    refused(await api.put(f"/auth/users/nope/policies/{own}"), 404, "user not found")
    assert (await api.delete(f"/auth/users/{user}/policies/{own}")).status_code == 204
    assert (await api.delete(f"/auth/groups/{group}/policies/{shared}")).status_code == 204
    assert await ids(api, f"/auth/users/{user}/policies", effective="true") == []
    await made(api.put(f"/auth/groups/{group}/policies/{shared}"), 201)
    assert (await api.delete(f"/auth/policies/{shared}")).status_code == 204
    assert await ids(api, f"/auth/groups/{group}/policies") == []


async def test_key_pairs_and_their_rotation(api, server) -> None:
    user = await make_user(api)
    url = f"/auth/users/{user}/credentials"
    old, new = [await made(api.post(url), 201) for _ in range(2)]
    assert set(old) == {"access_key_id", "secret_access_key", "creation_date"}
    assert sorted([old["access_key_id"], new["access_key_id"]]) == await ids(api, url)
    told = await api.get(f"{url}/{old['access_key_id']}")
    assert told.json() == {"access_key_id": old["access_key_id"], "creation_date": int(server.clock())}
    assert old["secret_access_key"] not in (await api.get(url)).text
    async with server.client(auth=(old["access_key_id"], old["secret_access_key"])) as client:
        assert (await client.get("/user")).json()["user"]["id"] == user
        assert (await api.delete(f"{url}/{old['access_key_id']}")).status_code == 204
        refused(await client.get("/user"), 401, "error authenticating request")
        client.auth = (new["access_key_id"], new["secret_access_key"])
        assert (await client.get("/user")).status_code == 200
    other = await make_user(api)
    for method in ("GET", "DELETE"):
        refused(await api.request(method, f"{url}/{old['access_key_id']}"), 404, "credentials not found")
        theirs = f"/auth/users/{other}/credentials/{new['access_key_id']}"
        refused(await api.request(method, theirs), 404, "credentials not found")
        refused(await api.request(method, f"/auth/users/nope/credentials/{new['access_key_id']}"), 404)
    refused(await api.post("/auth/users/nope/credentials"), 404, "user not found")


async def test_a_deleted_user_is_gone_at_once(api, server) -> None:
    user = await make_user(api, "Viewers")
    pair = await made(api.post(f"/auth/users/{user}/credentials"), 201)
    del pair["creation_date"]
    async with server.client() as client:
        token = (await made(client.post("/auth/login", json=pair), 200))["token"]
        client.headers["authorization"] = f"Bearer {token}"
        assert (await client.get("/user")).json()["user"]["id"] == user
        assert (await api.delete(f"/auth/users/{user}")).status_code == 204
        refused(await client.get("/user"), 401, "error authenticating request")
    await make_user(api, name=user)
    assert await ids(api, f"/auth/users/{user}/groups") == []
    assert await ids(api, f"/auth/users/{user}/credentials") == []


async def test_one_word_permissions(api) -> None:
    group = fresh("group")
    url = f"/auth/groups/{group}/acl"
    await made(api.post("/auth/groups", json={"id": group}), 201)
    assert await made(api.get(url), 200) == {"permission": ""}
    for permission in ("Read", "Write", "Super", "Admin", "Read"):
        assert (await api.post(url, json={"permission": permission})).status_code == 201
        assert await made(api.get(url), 200) == {"permission": permission}
    assert await ids(api, f"/auth/groups/{group}/policies") == [f"ACL(_-_){group}"]
    refused(await api.post(url, json={"permission": "Fly"}), 400)
    policy = await make_policy(api, READ)
    await made(api.put(f"/auth/groups/{group}/policies/{policy}"), 201)
    answer = await api.get(url)
    assert (answer.status_code, answer.json()["no_acl"]) == (404, True)
    assert await made(api.get("/auth/groups/Developers/acl"), 200) == {"permission": "Write"}
    own = await made(api.get(f"/auth/policies/ACL(_-_){group}"), 200)
    await made(api.delete(f"/auth/groups/{group}/policies/{policy}"), 204)
    await made(api.put(f"/auth/policies/ACL(_-_){group}", json=own), 200)
    assert (await api.get(url)).json()["no_acl"] is True
    refused(await api.post("/auth/groups/nope/acl", json={"permission": "Read"}), 404, "group not found")


async def test_external_principals(api) -> None:
    user, name = await make_user(api), f"arn:aws:sts::1:assumed-role/{fresh('role')}/*"
    url = f"/auth/users/{user}/external/principals"
    body = {"settings": {"note": {"by": "ann"}}}
    assert (await api.post(url, params={"principalId": name}, json=body)).status_code == 201
    refused(await api.post(url, params={"principalId": name}), 409)
    expected = {"id": name, "user_id": user, **body}
    assert await made(api.get("/auth/external/principals", params={"principalId": name}), 200) == expected
    assert await ids(api, f"{url}/ls") == [name]
    assert (await api.post(url, params={"principalId": name + "2"})).status_code == 201
    assert await ids(api, f"{url}/ls") == [name, name + "2"]
    refused(await api.post(url), 400)
    refused(await api.post(url, params={"principalId": ""}), 400)
    refused(await api.post("/auth/users/nope/external/principals", params={"principalId": "x"}), 404, "user not found")
    other = await make_user(api)
    refused(await api.delete(f"/auth/users/{other}/external/principals", params={"principalId": name}), 404)
    assert (await api.delete(url, params={"principalId": name})).status_code == 204
    refused(await api.get("/auth/external/principals", params={"principalId": name}), 404)
    assert (await api.delete(f"/auth/users/{user}")).status_code == 204
    refused(await api.get("/auth/external/principals", params={"principalId": name + "2"}), 404)
