# SPDX-License-Identifier: Apache-2.0
"""The platform of neuro Buckets: its configuration, its buckets, and everything that is refused."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import datetime

import pytest

from lakehouse.config.model import Facades, Secret
from lakehouse.facades.buckets.names import another_repository_name, bucket_name, repository_name
from lakehouse.meta import buckets as rows
from tests.api.conftest import KEY, SECRET, Hands, started
from tests.api.people import allow, made
from tests.api.platform import (
    ROOT,
    as_person,
    fresh_bucket,
    keys_of,
    new_bucket,
    s3,
    token_of,
    with_token,
)

pytestmark = pytest.mark.anyio

LINES = {"accept": "application/x-ndjson"}


@pytest.fixture(scope="module")
async def token(server):
    return await token_of(server, KEY, SECRET)


@pytest.fixture(scope="module")
async def platform(server, token):
    async with with_token(server, token) as client:
        yield client


def refused(answer, status: int, text: str = "") -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert text in body["error"]
    return body


# -- configuration -----------------------------------------------------------------------------------------------------


async def test_configuration(server, platform) -> None:
    found = await made(platform.get("/config"), 200)
    assert found["authorized"] is True
    [cluster], [project] = found["clusters"], found["projects"]
    assert cluster["buckets_url"] == ROOT
    assert cluster["orgs"] == ["lakehouse"]
    assert all(cluster[name].startswith(ROOT) for name in cluster if name.endswith("_url"))
    assert project == {"name": "admin", "cluster_name": "lakehouse", "org_name": "lakehouse", "role": "manager"}


async def test_who_is_not_known_learns_of_no_cluster(server) -> None:
    async with server.client(base_url=ROOT) as client:
        found = await made(client.get("/config"), 200)
    assert not {"clusters", "projects", "authorized"} & set(found)
    assert {"auth_url", "token_url", "logout_url", "client_id", "audience", "headless_callback_url"} <= set(found)


async def test_tokens_that_are_no_good(server, api, token) -> None:
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "root"}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for wrong in ("x", "a.b.c", f"{head}.{forged}.{signature}", f"{none}.{body}.", f"{head}.{body}.{signature[::-1]}"):
        async with with_token(server, wrong) as client:
            refused(await client.get("/config"), 401)
            refused(await client.get("/buckets"), 401)
            refused(await client.post("/buckets", json={"name": "never"}), 401)
    async with server.client(base_url=ROOT) as client:
        refused(await client.get("/buckets"), 401)


async def test_a_token_expires_and_goes_with_its_user(tmp_path) -> None:
    clock = Hands()
    server = await started(tmp_path, clock)
    try:
        token = await token_of(server, KEY, SECRET)
        async with server.client(auth=(KEY, SECRET)) as api, as_person(server, api, "Admins", name="ann") as (_, ann):
            await made(ann.get("/buckets"), 200)
            await made(api.delete("/auth/users/ann"), 204)
            refused(await ann.get("/buckets"), 401)
        async with with_token(server, token) as client:
            await made(client.get("/buckets"), 200)
            clock.now += 7 * 86_400
            refused(await client.get("/buckets"), 401)
            refused(await client.get("/config"), 401)
    finally:
        await server.application.stop()


async def test_switched_off(tmp_path) -> None:
    server = await started(tmp_path, Hands(), facades=Facades(neuro="off"))
    try:
        async with server.client(base_url=ROOT) as client:
            assert (await client.get("/config")).status_code == 404
    finally:
        await server.application.stop()


# -- buckets -----------------------------------------------------------------------------------------------------------


async def test_a_bucket_is_a_plain_repository(server, api, platform) -> None:
    name = fresh_bucket("with_line")
    bucket = await new_bucket(platform, name)
    assert datetime.fromisoformat(bucket["created_at"]).utcoffset() is not None
    assert (bucket["name"], bucket["owner"], bucket["org_name"], bucket["project_name"]) == (
        name, "admin", "lakehouse", "admin",
    )  # fmt: skip
    assert (bucket["provider"], bucket["imported"], bucket["public"]) == ("minio", False, False)
    keys = await keys_of(platform, bucket["id"])
    assert keys["bucket_name"] == repository_name(name)
    assert bucket_name(keys["bucket_name"]) == name
    marks = await made(api.get(f"/repositories/{keys['bucket_name']}/metadata"), 200)
    assert marks == {"lakehouse.plain": "true", "lakehouse.auto-commit": "true"}
    assert (await s3(server, keys, "PUT", "dir/a b", content=b"bytes")).status_code == 200
    url = f"/repositories/{keys['bucket_name']}/branches/main"
    shown = await made(api.get(f"/repositories/{keys['bucket_name']}/refs/main/objects/ls"), 200)
    assert [one["path"] for one in shown["results"]] == ["dir/a b"]
    await made(api.post(f"{url}/commits", json={"message": "m"}), 201)
    assert (await s3(server, keys, "GET", "dir/a b")).content == b"bytes"


async def test_found_by_id_name_and_path(platform) -> None:
    bucket = await new_bucket(platform)
    name, identifier = bucket["name"], bucket["id"]
    for ask in (
        f"/buckets/{identifier}",
        f"/buckets/{identifier}?org_name=nonsense&project_name=nobody",
        f"/buckets/{identifier}?owner=nobody",
        f"/buckets/{name}",
        f"/buckets/{name}?owner=admin",
        f"/buckets/{name}?org_name=lakehouse&project_name=admin",
        f"/buckets/find/by_path?path=lakehouse/admin/{name}",
        f"/buckets/find/by_path?path=lakehouse/admin/{name}/a/b%20c/",
        f"/buckets/find/by_path?path=lakehouse/admin/{identifier}/a",
        f"/buckets/find/by_path?path=admin/{name}/a",
        f"/buckets/find/by_path?path=admin/{name}",
    ):
        assert await made(platform.get(ask), 200) == bucket, ask
    for ask in (
        "/buckets/absent",
        "/buckets/bucket-00000000-0000-0000-0000-000000000000",
        f"/buckets/{name}?owner=nobody",
        f"/buckets/{name}?org_name=another&project_name=admin",
        "/buckets/find/by_path?path=",
        "/buckets/find/by_path?path=lakehouse",
        "/buckets/find/by_path?path=lakehouse/admin",
        f"/buckets/find/by_path?path=lakehouse/nobody/{name}",
        f"/buckets/find/by_path?path=another/admin/{name}",
    ):
        refused(await platform.get(ask), 404)
    refused(await platform.get("/buckets/find/by_path"), 400)


async def test_lists(platform) -> None:
    mine = await new_bucket(platform)
    other = await new_bucket(platform, project_name="elsewhere")
    everything = await made(platform.get("/buckets"), 200)
    assert mine in everything
    assert other in everything
    narrow = await made(platform.get("/buckets?org_name=lakehouse&project_name=elsewhere"), 200)
    assert [one["id"] for one in narrow] == [other["id"]]
    assert await made(platform.get("/buckets?org_name=another"), 200) == []
    answer = await platform.get("/buckets", headers=LINES)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == everything


async def test_many_pages_of_lists(platform, monkeypatch) -> None:
    monkeypatch.setattr("lakehouse.facades.buckets.service._PAGE", 2)
    project = fresh_bucket("project")
    wanted = [(await new_bucket(platform, project_name=project))["id"] for _ in range(5)]
    found = await made(platform.get(f"/buckets?project_name={project}"), 200)
    assert [one["id"] for one in found] == sorted(wanted)


@pytest.mark.parametrize(
    "name", ["abc", "a" + "b" * 39, "a-b", "a_b", "a--b__c", "a1-", "a__", "a" + "_-" * 19 + "_", "nul"]
)
async def test_names_that_are_good(platform, name) -> None:
    project = fresh_bucket("project")
    bucket = await new_bucket(platform, name, project_name=project)
    assert bucket["name"] == name
    keys = await keys_of(platform, bucket["id"])
    assert bucket_name(keys["bucket_name"]) == name
    await made(platform.delete(f"/buckets/{bucket['id']}"), 204)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "ab",
        "a" + "b" * 40,
        "a" * 500,
        "-abc",
        "_abc",
        "1abc",
        "Abc",
        "a.b.c",
        "a/b",
        "a b c",
        "äbc",
        "a\u0000b",
    ],
)
async def test_names_that_are_refused(platform, name) -> None:
    refused(await platform.post("/buckets", json={"name": name}), 400, "name")
    body = {"name": name, "provider": "aws", "provider_bucket_name": "x", "credentials": {}}
    refused(await platform.post("/buckets/import/external", json=body), 400, "name")
    bucket = await new_bucket(platform)
    body = {"name": name, "bucket_ids": [bucket["id"]]}
    refused(await platform.post("/persistent_credentials", json=body), 400, "name")


async def test_bodies_that_are_refused(platform) -> None:
    refused(await platform.post("/buckets", json={"name": 7}), 400)
    refused(await platform.post("/buckets", content=b"{"), 400)
    refused(await platform.post("/buckets", json={"name": "abc-org", "org_name": "another"}), 400, "organization")
    refused(await platform.post("/buckets/import/external", json={"name": "abc"}), 400)
    refused(await platform.get("/nothing"), 404)
    assert (await platform.put("/buckets")).status_code == 405


async def test_a_bucket_without_a_name(server, platform) -> None:
    bucket = await made(platform.post("/buckets", json={"name": None}), 201)
    other = await made(platform.post("/buckets", json={}), 201)
    assert bucket["name"] is None
    assert bucket["id"] != other["id"]
    keys = await keys_of(platform, bucket["id"])
    assert keys["bucket_name"] == bucket["id"]
    assert (await s3(server, keys, "PUT", "a", content=b"x")).status_code == 200


async def test_twice_is_refused_and_names_are_of_projects(platform) -> None:
    name = fresh_bucket()
    first = await new_bucket(platform, name)
    body = refused(await platform.post("/buckets", json={"name": name}), 409, name)
    assert (body["code"], body["description"]) == ("unique", body["error"])
    imported = {"name": name, "provider": "aws", "provider_bucket_name": "x", "credentials": {}}
    refused(await platform.post("/buckets/import/external", json=imported), 409)
    second = await new_bucket(platform, name, project_name="elsewhere")
    keys = [await keys_of(platform, one["id"]) for one in (first, second)]
    assert keys[0]["bucket_name"] == name
    assert keys[1]["bucket_name"].startswith(f"{name}--n")
    assert bucket_name(keys[1]["bucket_name"]) == name


async def test_a_repository_that_is_there_is_left_alone(api, platform) -> None:
    name = fresh_bucket()
    await made(api.post("/repositories", json={"name": name}), 201)
    bucket = await new_bucket(platform, name)
    assert (await keys_of(platform, bucket["id"]))["bucket_name"] != name


async def test_a_bucket_goes_with_its_repository_and_its_name_is_free(api, platform) -> None:
    name = fresh_bucket()
    bucket = await new_bucket(platform, name)
    await made(api.delete(f"/repositories/{name}"), 204)
    refused(await platform.get(f"/buckets/{name}"), 404)
    refused(await platform.get(f"/buckets/{bucket['id']}"), 404)
    again = await new_bucket(platform, name)
    assert again["id"] != bucket["id"]
    assert (await made(platform.get(f"/buckets/{name}"), 200))["id"] == again["id"]


# -- removal -----------------------------------------------------------------------------------------------------------


async def test_removal(server, platform) -> None:
    name = fresh_bucket()
    bucket = await new_bucket(platform, name)
    keys = await keys_of(platform, name)
    await s3(server, keys, "PUT", "a", content=b"x")
    refused(await platform.delete(f"/buckets/{name}"), 409, "not empty")
    assert (await s3(server, keys, "GET", "a")).content == b"x"
    assert await made(platform.get(f"/buckets/{name}"), 200) == bucket
    assert (await s3(server, keys, "DELETE", "a")).status_code == 204
    await made(platform.delete(f"/buckets/{name}?owner=admin"), 204)
    refused(await platform.delete(f"/buckets/{name}"), 404)
    refused(await platform.post(f"/buckets/{bucket['id']}/make_tmp_credentials"), 404)
    again = await new_bucket(platform, name)
    assert again["id"] != bucket["id"]
    listing = await s3(server, await keys_of(platform, name), "GET", query=(("list-type", "2"),))
    assert b"<KeyCount>0" in listing.content


async def test_what_is_committed_counts_until_it_is_deleted(server, api, platform) -> None:
    name = fresh_bucket()
    await new_bucket(platform, name)
    keys = await keys_of(platform, name)
    await s3(server, keys, "PUT", "a", content=b"x")
    await made(api.post(f"/repositories/{name}/branches/main/commits", json={"message": "m"}), 201)
    refused(await platform.delete(f"/buckets/{name}"), 409)
    await s3(server, keys, "DELETE", "a")
    await made(platform.delete(f"/buckets/{name}"), 204)


async def test_other_branches_and_tags_are_not_lost(api, platform) -> None:
    for path, body in (("branches", {"name": "work", "source": "main"}), ("tags", {"id": "v1", "ref": "main"})):
        name = fresh_bucket()
        await new_bucket(platform, name)
        assert (await api.post(f"/repositories/{name}/{path}", json=body)).status_code == 201
        refused(await platform.delete(f"/buckets/{name}"), 409, "branches or tags")
        await made(api.get(f"/repositories/{name}/{path}/{'work' if path == 'branches' else 'v1'}"), 200)


# -- other people ------------------------------------------------------------------------------------------------------


async def test_foreign_buckets(server, api, platform) -> None:
    bucket = await new_bucket(platform)
    async with as_person(server, api) as (name, ann):
        body = refused(await ann.get(f"/buckets/{bucket['id']}"), 403)
        assert body["missing"] == [{"uri": f"repository/{bucket['name']}", "action": "fs:ReadRepository"}]
        refused(await ann.get(f"/buckets/{bucket['name']}?owner=admin"), 403)
        refused(await ann.post(f"/buckets/{bucket['id']}/make_tmp_credentials"), 403)
        refused(await ann.delete(f"/buckets/{bucket['id']}"), 403)
        refused(await ann.get(f"/buckets/{bucket['name']}"), 404)
        refused(await ann.post("/buckets", json={"name": "abc"}), 403, "fs:CreateRepository")
        assert await made(ann.get("/buckets"), 200) == []
        await allow(api, name, "fs:Read*", "fs:List*", on=f"arn:lakefs:fs:::repository/{bucket['name']}*")
        assert await made(ann.get("/buckets"), 200) == [bucket]
        granted = await made(ann.post(f"/buckets/{bucket['id']}/make_tmp_credentials"), 200)
        assert granted["read_only"] is True
        assert (await s3(server, granted["credentials"], "PUT", "a", content=b"x")).status_code == 403
        refused(await ann.patch(f"/buckets/{bucket['id']}", json={"public": True}), 403)
        refused(await ann.delete(f"/buckets/{bucket['id']}"), 403, "fs:DeleteRepository")
        refused(await ann.post("/persistent_credentials", json={"bucket_ids": ["nobody"]}), 404)


async def test_projects_of_others(server, api) -> None:
    async with as_person(server, api) as (name, ann):
        await allow(api, name, "fs:*", on="arn:lakefs:fs:::repository/mine-*")
        await allow(api, name, "fs:AttachStorageNamespace")
        bucket = await new_bucket(ann, fresh_bucket("mine"))
        assert (bucket["owner"], bucket["project_name"]) == (name, name)
        refused(await ann.post("/buckets", json={"name": "mine-x", "project_name": "admin"}), 403, "projects")
        refused(await ann.post("/buckets", json={"name": "other-x"}), 403)


# -- imported ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["aws", "minio", "azure"])
async def test_imported_buckets(server, api, platform, provider) -> None:
    name, given = fresh_bucket("there"), {"access_key_id": "AK", "secret_access_key": "SK", "endpoint_url": "http://x"}
    body = {"name": name, "provider": provider, "provider_bucket_name": "far.away", "credentials": given}
    bucket = await made(platform.post("/buckets/import/external", json=body), 201)
    assert (bucket["imported"], bucket["provider"], bucket["public"]) == (True, provider, False)
    assert await made(platform.get(f"/buckets/{name}"), 200) == bucket
    assert await keys_of(platform, name) == {"bucket_name": "far.away", **given}
    refused(await platform.patch(f"/buckets/{name}", json={"public": True}), 400)
    refused(await platform.post("/persistent_credentials", json={"bucket_ids": [bucket["id"]]}), 400, "imported")
    signing = await platform.post(f"/buckets/{name}/sign_blob_url", json={"key": "a b"})
    if provider == "azure":
        refused(signing, 501)
    else:
        assert signing.json()["url"].startswith("http://x/far.away/a%20b?X-Amz-Algorithm=")
    async with as_person(server, api, "Viewers") as (_, ann):
        await made(ann.get(f"/buckets/{bucket['id']}"), 200)
        refused(await ann.post(f"/buckets/{bucket['id']}/make_tmp_credentials"), 403)
    await made(platform.delete(f"/buckets/{name}"), 204)
    refused(await platform.get(f"/buckets/{name}"), 404)


async def test_imports_that_are_refused(platform) -> None:
    body = {"provider": "aws", "provider_bucket_name": "x", "credentials": {}}
    refused(await platform.post("/buckets/import/external", json={**body, "provider": "tape"}), 400, "provider")
    refused(await platform.post("/buckets/import/external", json={**body, "provider_bucket_name": ""}), 400)
    refused(await platform.post("/buckets/import/external", json={**body, "credentials": {"a": "b" * 70_000}}), 400)
    refused(await platform.post("/buckets/import/external", json={**body, "credentials": {"a": 7}}), 400)


async def test_credentials_of_imported_buckets_are_encrypted_and_follow_the_secret(tmp_path) -> None:
    clock = Hands()
    old, new = "an old secret of enough bytes", "a new secret of enough bytes"
    server = await started(tmp_path, clock, secret=Secret(old))
    body = {"name": "there", "provider": "aws", "provider_bucket_name": "x", "credentials": {"k": "hidden-words"}}
    try:
        async with with_token(server, await token_of(server, KEY, SECRET)) as client:
            await made(client.post("/buckets/import/external", json=body), 201)
    finally:
        await server.application.stop()
    assert not any(b"hidden-words" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for settings in ({"secret": Secret(new), "other_secret": Secret(old)}, {"secret": Secret(new)}):
        server = await started(tmp_path, clock, **settings)
        try:
            async with with_token(server, await token_of(server, KEY, SECRET)) as client:
                assert (await keys_of(client, "there"))["k"] == "hidden-words"
            lake, ring = server.application._lake, server.application._facades._parts.ring
            while await rows.not_under(lake.db, ring.current, after=""):
                await asyncio.sleep(0)
        finally:
            await server.application.stop()


def test_names_come_back() -> None:
    for name in ("abc", "a_b", "a--b", "a" + "_" * 39, "a-_" * 13, "a_" * 20, "nnn", "a--u-b", "x--zab", "a--nabcd"):
        assert bucket_name(repository_name(name)) == name
        assert bucket_name(another_repository_name(name)) == name
        assert 3 <= len(another_repository_name(name)) <= 63


@pytest.mark.parametrize("name", ["zoe@example.org", "Zoë O'Hara", "lakehouse"])
async def test_projects_of_users_with_odd_names(server, api, name) -> None:
    async with as_person(server, api, "Admins", name=fresh_bucket(name)) as (user, zoe):
        [project] = (await made(zoe.get("/config"), 200))["projects"]
        assert project["name"] == user
        bucket = await new_bucket(zoe)
        assert bucket["project_name"] == bucket["owner"] == user
        for query in ({"owner": user}, {"org_name": "lakehouse", "project_name": user}):
            assert await made(zoe.get(f"/buckets/{bucket['name']}", params=query), 200) == bucket
        for path in (
            f"lakehouse/{user}/{bucket['name']}/a/b",
            f"lakehouse/{user}/{bucket['id']}",
            f"{user}/{bucket['name']}",
        ):
            assert await made(zoe.get("/buckets/find/by_path", params={"path": path}), 200) == bucket
