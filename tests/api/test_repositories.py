# SPDX-License-Identifier: Apache-2.0
"""Repositories over REST: creation and what is refused, lists, deletion, metadata, read-only ones."""

from __future__ import annotations

import pytest

from .conftest import Repo, fresh_name, make, refused

pytestmark = pytest.mark.anyio


async def test_a_new_repository_and_its_first_commit(api, server) -> None:
    name = fresh_name()
    answer = await api.post("/repositories", json={"name": name})
    assert answer.status_code == 201
    made = answer.json()
    assert made.pop("storage_namespace").startswith(f"s3://lake.local/{name}/")
    assert made == {
        "id": name,
        "creation_date": int(server.clock()),
        "default_branch": "main",
        "storage_id": "",
    }
    assert (await api.get(f"/repositories/{name}")).json()["id"] == name
    commit = (await api.get(f"/repositories/{name}/commits/main")).json()
    assert len(commit.pop("id")) == 64
    assert commit == {
        "parents": [],
        "committer": "",
        "message": "Repository created",
        "creation_date": int(server.clock()),
        "meta_range_id": "",
        "metadata": {},
        "generation": 1,
        "version": 1,
    }


async def test_the_namespace_is_kept_as_it_was_given(api) -> None:
    for tail in ("", "/"):
        namespace = f"s3://lake.local/given-{fresh_name()}{tail}"
        repo = await make(api, storage_namespace=namespace, default_branch="trunk")
        found = await repo.done("GET")
        assert (found["storage_namespace"], found["default_branch"]) == (namespace, "trunk")
        await repo.put("a", branch="trunk")
        stat = await repo.done("GET", "/refs/trunk/objects/stat", params={"path": "a"})
        assert stat["physical_address"].startswith(namespace.rstrip("/") + "/data/")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"name": "ab"}, "validation error"),
        ({"name": "a" * 64}, "validation error"),
        ({"name": "-abc"}, "validation error"),
        ({"name": "Abc"}, "validation error"),
        ({"name": "a_bc"}, "validation error"),
        ({"name": "a/bc"}, "validation error"),
        ({"name": "abc\n"}, "validation error"),
        ({"name": "abc\x00"}, "validation error"),
        ({"name": ""}, "validation error"),
        ({"name": 7}, "validation error"),
        ({}, "name"),
        ({"name": "good-name", "storage_namespace": ""}, "validation error"),
        ({"name": "good-name", "storage_namespace": "lake.local/x"}, "validation error"),
        ({"name": "good-name", "storage_namespace": "ftp://lake.local/x"}, "validation error"),
        ({"name": "good-name", "storage_namespace": "s3://"}, "invalid address"),
        ({"name": "good-name", "storage_namespace": "s3://lake.local/a/../b"}, "invalid address"),
        ({"name": "good-name", "storage_namespace": "s3://lake.local//b"}, "invalid address"),
        ({"name": "good-name", "storage_namespace": "s3://lake.local/b\x00"}, "invalid address"),
        ({"name": "good-name", "storage_namespace": "s3://lake.local/" + "b" * 1100}, "invalid address"),
        ({"name": "good-name", "storage_namespace": "local:///etc/x"}, ""),
        ({"name": "good-name", "storage_namespace": "gs://bucket/x"}, ""),
        ({"name": "good-name", "storage_namespace": "s3://elsewhere/x"}, ""),
        ({"name": "good-name", "storage_id": "other"}, "storage id"),
        ({"name": "good-name", "default_branch": ""}, "default branch"),
        ({"name": "good-name", "default_branch": "a/b"}, "default branch"),
        ({"name": "good-name", "read_only": "yes"}, "read_only"),
    ],
)
async def test_creations_that_are_refused_leave_nothing(api, body: dict, text: str) -> None:
    refused(await api.post("/repositories", json=body), 400, text)
    assert (await api.get("/repositories/good-name")).status_code == 404


async def test_the_name_is_judged_before_storage_and_namespace(api, repo) -> None:
    for more in ({}, {"storage_id": "other"}, {"storage_namespace": "s3://elsewhere/x"}):
        answer = await api.post("/repositories", json={"name": repo.name, **more})
        refused(answer, 409, "error creating repository: not unique")


async def test_a_namespace_is_used_once(api) -> None:
    root = f"s3://lake.local/used-{fresh_name()}"
    repo = await make(api, storage_namespace=f"{root}/a")
    for namespace in (f"{root}/a", f"{root}/a/", f"{root}/a/deeper", root):
        answer = await api.post("/repositories", json={"name": fresh_name(), "storage_namespace": namespace})
        refused(answer, 400, "found lakeFS objects in the storage namespace")
        assert "already in use" in answer.json()["message"]
    await make(api, storage_namespace=f"{root}/ab")
    await make(api, storage_namespace=f"{root}/a", bare=True)
    await make(api, storage_namespace=f"{root}/a", read_only=True)
    await repo.done("DELETE")
    answer = await api.post("/repositories", json={"name": repo.name, "storage_namespace": f"{root}/a"})
    refused(answer, 400, "already in use")


async def test_a_deleted_name_can_be_used_again(api, repo) -> None:
    await repo.put("a")
    assert (await repo.ask("DELETE")).status_code == 204
    refused(await repo.ask("DELETE"), 404, "repository not found")
    refused(await repo.ask("GET"), 404, "repository not found")
    refused(await repo.ask("GET", "/refs/main/objects", params={"path": "a"}), 404, "repository not found")
    again = await make(api, name=repo.name)
    assert await again.paths() == []


async def test_bare_repositories_have_no_branch(api) -> None:
    repo = await make(api, bare=True, sample_data=True)
    assert (await repo.done("GET", "/branches"))["results"] == []
    refused(await repo.ask("GET", "/branches/main"), 404, "branch not found")
    refused(await repo.ask("GET", "/commits/main"), 404, "not found")
    assert "read_only" not in await repo.done("GET")


async def test_sample_data(api) -> None:
    repo = await make(api, sample_data=True, default_branch="trunk")
    top = await repo.paths("trunk", delimiter="/")
    assert {"README.md", "lakes.parquet", "data/", "images/"} <= set(top)
    log = (await repo.done("GET", "/refs/trunk/commits"))["results"]
    assert [one["message"] for one in log] == ["Add sample data", "Repository created"]
    readme = await repo.ask("GET", "/refs/trunk/objects", params={"path": "README.md"})
    assert repo.name in readme.text
    assert "trunk" in readme.text
    assert await repo.done("GET", "/settings/branch_protection") == [{"pattern": "trunk"}]
    assert (await repo.done("GET", "/branches/trunk/diff"))["results"] == []


async def test_sample_data_in_a_read_only_repository(api) -> None:
    repo = await make(api, sample_data=True, read_only=True)
    assert "README.md" in await repo.paths()
    assert (await repo.done("GET"))["read_only"] is True


async def test_lists(api) -> None:
    names = [f"list-{letter}" for letter in "abcde"]
    for name in reversed(names):
        await make(api, name=name)

    async def page(**query: object) -> tuple[list[str], dict]:
        answer = (await api.get("/repositories", params=query)).json()
        return [one["id"] for one in answer["results"]], answer["pagination"]

    assert await page(prefix="list-", amount=2) == (
        names[:2],
        {"has_more": True, "next_offset": "list-b", "results": 2, "max_per_page": 1000},
    )
    assert await page(prefix="list-", after="list-d", amount=2) == (
        names[4:],
        {"has_more": False, "next_offset": "", "results": 1, "max_per_page": 1000},
    )
    assert (await page(prefix="list-", after="list-bb"))[0] == names[2:]
    assert (await page(search="st-c"))[0] == ["list-c"]
    assert (await page(search="ST-C"))[0] == []
    assert (await page(prefix="list-", search="", delimiter="ignored"))[0] == names
    for amount in (-1, 0):
        assert (await page(prefix="list-", amount=amount))[0] == names
    for amount in ("-2", "1001", "many", "1.5", ""):
        refused(await api.get("/repositories", params={"amount": amount}), 400, "amount")


async def test_metadata(repo) -> None:
    assert await repo.done("GET", "/metadata") == {}
    assert (await repo.ask("POST", "/metadata", json={"metadata": {"a": "1", "b": "2"}})).status_code == 204
    await repo.done("POST", "/metadata", json={"metadata": {"b": "3", "ü\x00": "\U0001f30a"}})
    assert await repo.done("GET", "/metadata") == {"a": "1", "b": "3", "ü\x00": "\U0001f30a"}
    answer = await repo.ask("DELETE", "/metadata", json={"keys": ["a", "unknown"]})
    assert (answer.status_code, answer.content) == (204, b"")
    await repo.done("DELETE", "/metadata", json={"keys": []})
    assert set(await repo.done("GET", "/metadata")) == {"b", "ü\x00"}
    for method, body in (("POST", {}), ("POST", {"metadata": {"a": 1}}), ("POST", {"metadata": None}), ("DELETE", {})):
        refused(await repo.ask(method, "/metadata", json=body), 400, "request body")


async def test_metadata_of_no_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    refused(await gone.ask("GET", "/metadata"), 404, "repository not found")
    refused(await gone.ask("POST", "/metadata", json={"metadata": {}}), 404, "repository not found")
    refused(await gone.ask("DELETE", "/metadata", json={"keys": []}), 404, "repository not found")


async def test_metadata_of_a_read_only_repository(frozen) -> None:
    refused(await frozen.ask("POST", "/metadata", json={"metadata": {"a": "b"}}), 403, "read-only repository")
    refused(await frozen.ask("DELETE", "/metadata", json={"keys": ["a"]}), 403, "read-only repository")
    assert (await frozen.ask("DELETE", "/metadata", json={"keys": []})).status_code == 204


WRITES = [
    ("POST", "/branches", {}, {"name": "b", "source": "main"}, "force"),
    ("POST", "/tags", {}, {"id": "t", "ref": "main"}, "force"),
    ("POST", "/branches/main/commits", {}, {"message": "m", "allow_empty": True}, "force"),
    ("PUT", "/branches/main", {}, {"type": "reset"}, "force"),
    ("PUT", "/branches/main/hard_reset", {"ref": "main"}, None, "force"),
    ("POST", "/branches/main/revert", {}, {"ref": "main", "parent_number": 0, "allow_empty": True}, "force"),
    ("POST", "/refs/main/merge/main", {}, {"allow_empty": True}, "force"),
    ("POST", "/branches/main/objects", {"path": "a"}, None, "force"),
    ("DELETE", "/branches/main/objects", {"path": "a"}, None, "force"),
    ("DELETE", "/branches/main", {}, None, ""),
    ("DELETE", "/tags/x", {}, None, ""),
    ("PUT", "/settings/branch_protection", {}, [{"pattern": "x"}], ""),
    ("POST", "/branch_protection", {}, {"pattern": "x"}, ""),
    ("PUT", "/branches/main/objects/stat/user_metadata", {"path": "kept"}, {"set": {}}, ""),
]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write[0]} {write[1]}")
async def test_read_only_repositories_take_writes_with_force_only(frozen, write) -> None:
    method, path, query, body, force = write
    await frozen.done("POST", "/branches/main/objects", params={"path": "kept", "force": True}, content=b"k")
    await frozen.commit(force=True)
    refused(await frozen.ask(method, path, params=query, json=body), 403, "read-only repository")
    if not force:
        return
    if isinstance(body, dict):
        body = {**body, "force": True}
    else:
        query = {**query, "force": "true"}
    answer = await frozen.ask(method, path, params=query, json=body)
    assert answer.is_success, answer.text


async def test_a_read_only_repository_is_deleted_with_force(frozen) -> None:
    refused(await frozen.ask("DELETE"), 403, "read-only repository")
    assert (await frozen.ask("DELETE", params={"force": "true"})).status_code == 204
    refused(await frozen.ask("GET"), 404, "repository not found")


@pytest.mark.parametrize("name", ["%00", "%2F", "..", "UPPER", "a b", "%C3%A9", "x" * 3000])
async def test_names_that_no_repository_has(api, name: str) -> None:
    answer = await api.get(f"/repositories/{name}/branches")
    if name == "..":  # the client has resolved it
        assert answer.status_code in (404, 405)
        return
    refused(answer, 404, "repository not found")


async def test_names_that_are_not_utf8(api) -> None:
    refused(await api.get("/repositories/%FF%FE"), 400, "not UTF-8")
