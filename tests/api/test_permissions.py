# SPDX-License-Identifier: Apache-2.0
"""What roles may do, and that a permission for one thing is none for another."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from lakehouse.wire.operation import Access
from lakehouse.wire.table import OPERATIONS

from .conftest import make, refused
from .people import allow, as_user, fresh, made, make_policy, make_user

pytestmark = pytest.mark.anyio

DENIED = "insufficient permissions: not allowed to {}"
BODIES: dict[str, Any] = {
    "set_gc_rules": {"default_retention_days": 1, "branches": []},
    "internal_set_garbage_collection_rules": {"default_retention_days": 1, "branches": []},
    "create_repository": {"name": "one-more"},
    "set_repository_metadata": {"metadata": {}},
    "delete_repository_metadata": {"keys": []},
    "create_branch": {"name": "dev", "source": "main"},
    "reset_branch": {"type": "reset"},
    "revert_branch": {"ref": "main", "parent_number": 0},
    "cherry_pick": {"ref": "main"},
    "commit": {"message": "m"},
    "create_tag": {"id": "v1", "ref": "main"},
    "delete_objects": {"paths": ["a"]},
    "copy_object": {"src_path": "a"},
    "stage_object": {"physical_address": "s3://b/k", "checksum": "c", "size_bytes": 1},
    "update_object_user_metadata": {"set": {}},
    "link_physical_address": {"staging": {}, "checksum": "c", "size_bytes": 1},
    "get_physical_addresses": {"paths": ["a"]},
    "link_physical_addresses": [{"path": "a", "staging": {}, "checksum": "c", "size_bytes": 1}],
    "set_branch_protection_rules": [],
    "internal_create_branch_protection_rule": {"pattern": "x"},
    "internal_delete_branch_protection_rule": {"pattern": "x"},
    "copy_prefix": {"src_prefix": "a/", "dest_prefix": "b/"},
    "move_prefix": {"src_prefix": "a/", "dest_prefix": "b/"},
    "upload_part_copy": {"physical_address": "s3://b/k", "copy_source": {"repository": "r", "ref": "m", "path": "a"}},
    "create_user": {"id": "somebody"},
    "create_group": {"id": "some"},
    "create_policy": {"id": "p", "statement": [{"effect": "allow", "action": ["fs:*"], "resource": "*"}]},
    "update_policy": {"id": "p", "statement": [{"effect": "allow", "action": ["fs:*"], "resource": "*"}]},
    "set_group_acl": {"permission": "Read"},
}
QUERY = {"path": "a", "dest_path": "b", "ref": "main", "principalId": "x", "id": "x", "task_id": "x"}
LOOKING_FIRST = {"merge_pull_request"}
"""Which branch is meant stands in the pull request: asked in test_pulls.py."""
ASKING = [
    one
    for one in OPERATIONS
    if one.allow not in (Access.NOBODY_ASKED, Access.AUTHENTICATED) and one.name not in LOOKING_FIRST
]


async def send(client: Any, operation: Any, repository: str = "no-such-repository") -> Any:
    """The operation with arguments that are well-formed, on this repository."""
    values = {"repository": repository, "branch": "main", "destinationBranch": "main", "meta_range": "0" * 64}
    path = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], "main"), operation.path)
    query = {}
    if operation.query is not None:
        known = {field.encode_name for field in msgspec.structs.fields(operation.query)}
        required = least(msgspec.inspect.type_info(operation.query))
        query = required | {name: value for name, value in QUERY.items() if name in known}
    body = BODIES.get(operation.name)
    if operation.name == "upload_part_copy":
        body = {"physical_address": "s3://b/k", "copy_source": {"repository": repository, "ref": "main", "path": "a"}}
    if body is None and operation.body is not None and not operation.raw_body:
        body = least(msgspec.inspect.type_info(operation.body))
    if operation.name == "upload_part_copy":
        body["copy_source"]["repository"] = repository
    if body is not None:
        return await client.request(operation.method, path, params=query, json=body)
    return await client.request(operation.method, path, params=query, content=b"")


def least(kind: Any) -> Any:
    """The least value of a type that a request may have."""
    match kind:
        case msgspec.inspect.StructType():
            return {field.encode_name: least(field.type) for field in kind.fields if field.required}
        case msgspec.inspect.StrType():
            return "main"
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
        case msgspec.inspect.BoolType():
            return False
        case msgspec.inspect.LiteralType():
            return kind.values[0]
        case msgspec.inspect.ListType():
            return [least(kind.item_type)] if kind.min_length else []
        case msgspec.inspect.DictType():
            return {}
        case msgspec.inspect.UnionType():
            return least(kind.types[0])
        case msgspec.inspect.Metadata():
            return least(kind.type)
    raise AssertionError(f"say in BODIES what to send for {kind}")


def denied(answer: Any, operation: Any) -> bool:
    """Whether a known caller was refused for lack of permission, as a whole or for each item."""
    if operation.name == "delete_objects":
        return [one["status_code"] for one in answer.json()["errors"]] == [401]
    if operation.method == "HEAD":
        return answer.status_code == 401
    return answer.status_code == 401 and answer.json()["message"].startswith("insufficient permissions: not allowed to")


@pytest.mark.parametrize("operation", ASKING, ids=lambda operation: operation.name)
async def test_who_has_no_policy_may_do_nothing(api, server, repo, operation) -> None:
    async with as_user(server, api, await make_user(api)) as stranger:
        answer = await send(stranger, operation, repo.name)
        assert denied(answer, operation), (answer.status_code, answer.text)


@pytest.mark.parametrize(
    "operation",
    [one for one in ASKING if "{repository}" in one.path],
    ids=lambda operation: operation.name,
)
async def test_everything_in_one_repository_is_nothing_in_another(api, server, repo, operation) -> None:
    """Also where the names begin alike."""
    user = await make_user(api)
    for pattern in ("", "/*"):
        await allow(
            api, user, "fs:*", "branches:*", "retention:*", "ci:*", "pr:*",
            on=f"arn:lakefs:fs:::repository/{repo.name}{pattern}",
        )  # fmt: skip
    other = await make(api, name=f"{repo.name}-2")
    async with as_user(server, api, user) as client:
        answer = await send(client, operation, other.name)
        assert denied(answer, operation), (answer.status_code, answer.text)
        answer = await send(client, operation, repo.name)
        assert not denied(answer, operation), (answer.status_code, answer.text)


async def test_what_a_known_user_may_always_ask(api, server) -> None:
    async with as_user(server, api, await make_user(api)) as stranger:
        for url in ("/user", "/config", "/config/version", "/config/garbage-collection"):
            assert (await stranger.get(url)).status_code == 200
        assert (await stranger.get("/config")).json()["ui_config"]["RBAC"] == "internal"
        refused(await stranger.get("/config/storage"), 401, DENIED.format("fs:ReadConfig"))


READS = ["get_repository", "list_branches", "list_objects", "get_branch", "log_commits", "list_tags"]
WRITES = ["create_branch", "commit", "delete_objects", "create_tag", "reset_branch", "get_physical_address"]
MANAGES = ["set_branch_protection_rules", "set_repository_metadata", "delete_repository"]
USERS = ["list_users", "create_user", "list_policies", "set_group_acl", "delete_group", "attach_policy_to_user"]


@pytest.mark.parametrize(
    ("group", "may"),
    [
        ("Viewers", READS),
        ("Developers", READS + WRITES),
        ("SuperUsers", READS + WRITES + ["set_repository_metadata", "delete_repository", "create_repository"]),
        ("Admins", READS + WRITES + MANAGES + USERS),
    ],
)
async def test_roles(api, server, group, may) -> None:
    repo = await make(api)
    async with as_user(server, api, await make_user(api, group)) as client:
        for operation in OPERATIONS:
            if operation.name in may and operation.name != "delete_group":
                answer = await send(client, operation, repo.name)
                assert not denied(answer, operation), (operation.name, answer.text)
            elif operation.name in READS + WRITES + MANAGES + USERS:
                answer = await send(client, operation, repo.name)
                assert denied(answer, operation) == (operation.name not in may), (operation.name, answer.text)


async def test_ones_own_keys_and_nobody_elses(api, server) -> None:
    user, other = await make_user(api, "Viewers"), await make_user(api, "Viewers")
    async with as_user(server, api, user) as client:
        assert (await client.post(f"/auth/users/{user}/credentials")).status_code == 201
        assert len((await client.get(f"/auth/users/{user}/credentials")).json()["results"]) == 2
        for name in (other, "admin", f"{user}x", "*", "${user}"):
            refused(await client.post(f"/auth/users/{name}/credentials"), 401, DENIED.format("auth:CreateCredentials"))


async def test_a_denial_wins(api, server, repo) -> None:
    user = await make_user(api, "Developers")
    await repo.put("secret/a")
    await repo.put("open/a")
    where = f"arn:lakefs:fs:::repository/{repo.name}/object/secret/*"
    policy = await allow(api, user, "fs:*Object", on=where, effect="deny")
    async with as_user(server, api, user) as client:
        url = f"{repo.url}/refs/main/objects"
        assert (await client.get(url, params={"path": "open/a"})).status_code == 200
        refused(await client.get(url, params={"path": "secret/a"}), 401, DENIED.format("fs:ReadObject"))
        refused(await client.post(f"{repo.url}/branches/main/objects", params={"path": "secret/b"}), 401)
        listed = await client.get(f"{url}/ls", params={"presign": "true"})
        addresses = {one["path"]: one["physical_address"] for one in listed.json()["results"]}
        assert addresses["open/a"].startswith("http")
        assert addresses["secret/a"].startswith("s3://")
        body = {"paths": ["open/a", "secret/a"]}
        answer = await client.post(f"{repo.url}/branches/main/objects/delete", json=body)
        assert [(one["path"], one["status_code"]) for one in answer.json()["errors"]] == [("secret/a", 401)]
        for source, target in (("secret/a", "open/b"), ("open/a", "secret/b")):
            answer = await client.post(
                f"{repo.url}/branches/main/objects/copy", params={"dest_path": target}, json={"src_path": source}
            )
            refused(answer, 401)
        assert (await api.delete(f"/auth/users/{user}/policies/{policy}")).status_code == 204
        assert (await client.get(url, params={"path": "secret/a"})).status_code == 200


async def test_lists_show_what_may_be_listed(api, server) -> None:
    word = fresh("list").replace("_", "-")
    names = [f"{word}-{letter}" for letter in "abcdef"]
    for name in names:
        await make(api, name=name)
    user = await make_user(api)
    async with as_user(server, api, user) as client:
        refused(await client.get("/repositories"), 401, DENIED.format("fs:ListRepositories"))
        for letter in "bdf":
            await allow(api, user, "fs:ListRepositories", on=f"arn:lakefs:fs:::repository/{word}-{letter}")
        page = (await client.get("/repositories", params={"amount": 2})).json()
        assert [one["id"] for one in page["results"]] == [names[1], names[3]]
        assert page["pagination"]["has_more"] is True
        page = (await client.get("/repositories", params={"amount": 2, "after": names[3]})).json()
        assert [one["id"] for one in page["results"]] == [names[5]]
        assert page["pagination"]["has_more"] is False
        await allow(api, user, "fs:ListRepositories", effect="deny")
        refused(await client.get("/repositories"), 401, DENIED.format("fs:ListRepositories"))


async def test_from_where_one_asks(api, server, repo) -> None:
    user = await make_user(api)
    for network, status in (("127.0.0.0/8", 200), ("10.0.0.0/8", 401)):
        where = {"IpAddress": {"SourceIp": [network]}}
        policy = await make_policy(
            api, {"effect": "allow", "action": ["fs:ReadRepository"], "resource": "*", "condition": where}
        )
        await made(api.put(f"/auth/users/{user}/policies/{policy}"), 201)
        async with as_user(server, api, user) as client:
            assert (await client.get(repo.url)).status_code == status
            forged = {"x-forwarded-for": "10.1.1.1", "forwarded": "for=10.1.1.1"}
            assert (await client.get(repo.url, headers=forged)).status_code == status
        assert (await api.delete(f"/auth/policies/{policy}")).status_code == 204


async def test_addresses_outside_need_a_permission_of_their_own(api, server, repo) -> None:
    user = await make_user(api, "Developers")
    body = {"physical_address": "s3://lake.local/elsewhere/x", "checksum": "c", "size_bytes": 1}
    link = {"staging": {"physical_address": body["physical_address"]}, "checksum": "c", "size_bytes": 1}
    main = f"{repo.url}/branches/main"

    async def answers(client) -> list[Any]:
        return [
            await client.put(f"{main}/objects", params={"path": "a"}, json=body),
            await client.put(f"{main}/staging/backing", params={"path": "b"}, json=link),
            await client.put(f"{main}/staging/links", params={"atomic": "true"}, json=[link | {"path": "c"}]),
        ]

    async with as_user(server, api, user) as client:
        for answer in await answers(client):
            refused(answer, 401, DENIED.format("fs:ImportFromStorage"))
        await allow(api, user, "fs:ImportFromStorage", on="arn:lakefs:fs:::namespace/s3://lake.local/elsewhere/*")
        assert [answer.status_code for answer in await answers(client)] == [201, 200, 200]
