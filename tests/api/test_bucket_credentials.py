# SPDX-License-Identifier: Apache-2.0
"""What buckets are reached with: credentials for an hour, lasting ones, signed URLs, and no credentials at all."""

from __future__ import annotations

import asyncio
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from lakehouse.auth.audit import AuditLog
from tests.api.conftest import KEY, SECRET, Hands, started
from tests.api.people import made
from tests.api.platform import as_person, fresh_bucket, keys_of, new_bucket, s3, token_of, with_token
from tests.api.test_audit import events
from tests.api.test_buckets import LINES, refused

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def platform(server):
    async with with_token(server, await token_of(server, KEY, SECRET)) as client:
        yield client


async def visit(server, url: str, method: str = "GET"):
    """A request without any credentials but those in the URL."""
    parts = urlsplit(url)
    async with server.client(base_url=f"{parts.scheme}://{parts.netloc}") as client:
        return await client.request(method, url)


async def make_keys(client, *buckets, **more):
    body = {"name": None, "bucket_ids": [one["id"] for one in buckets], **more}
    return await made(client.post("/persistent_credentials", json=body), 201)


# -- for an hour -------------------------------------------------------------------------------------------------------


async def test_temporary_credentials(server, platform) -> None:
    bucket = await new_bucket(platform)
    answer = await made(platform.post(f"/buckets/{bucket['id']}/make_tmp_credentials"), 200)
    assert (answer["bucket_id"], answer["provider"], answer["read_only"]) == (bucket["id"], "minio", False)
    keys = answer["credentials"]
    assert set(keys) == {
        "bucket_name", "endpoint_url", "region_name", "access_key_id", "secret_access_key", "session_token",
        "expiration",
    }  # fmt: skip
    assert keys["endpoint_url"] == "http://localhost:8000/s3"
    assert datetime.fromisoformat(keys["expiration"]).timestamp() == int(server.clock.now) + 3600
    assert (await s3(server, keys, "PUT", "a", content=b"x")).status_code == 200
    assert (await s3(server, keys, "HEAD", "a")).headers["content-length"] == "1"
    assert (await s3(server, keys, "GET", query=(("list-type", "2"),))).status_code == 200
    assert (await s3(server, keys, "DELETE", "a")).status_code == 204


async def test_they_are_for_one_bucket_and_nothing_else(server, api, platform) -> None:
    mine, other = await new_bucket(platform), await new_bucket(platform)
    keys = await keys_of(platform, mine["id"])
    there = (await keys_of(platform, other["id"]))["bucket_name"]
    for method, key in (("GET", "a"), ("PUT", "a"), ("DELETE", "a"), ("HEAD", "a"), ("GET", ""), ("POST", "a")):
        query = (("uploads", ""),) if method == "POST" else ()
        answer = await s3(server, keys, method, key, bucket=there, content=b"x" * (method == "PUT"), query=query)
        assert answer.status_code == 403, method
    assert (await s3(server, keys, "GET", "a", bucket="lake.local")).status_code == 403
    assert (await s3(server, keys, "GET", "a", bucket="absent")).status_code == 403
    pair = (keys["access_key_id"], keys["secret_access_key"])
    token = {"x-amz-security-token": keys["session_token"]}
    async with server.client(auth=pair, headers=token) as client:
        assert (await client.get(f"/repositories/{mine['name']}")).status_code == 200
        assert (await client.get("/auth/users")).status_code == 401
        assert (await client.delete(f"/repositories/{mine['name']}")).status_code == 401
        assert (await client.post("/auth/sessions")).status_code == 401
        for ask in (f"/buckets/{other['id']}", f"/buckets/{mine['id']}/make_tmp_credentials"):
            url = f"http://localhost:8000/neuro/api/v1{ask}"
            assert (await client.request("POST" if "make" in ask else "GET", url)).status_code == 403


async def test_they_end(tmp_path) -> None:
    clock = Hands()
    server = await started(tmp_path, clock)
    try:
        async with with_token(server, await token_of(server, KEY, SECRET)) as client:
            keys = await keys_of(client, (await new_bucket(client))["id"])
            clock.now += 3599
            assert (await s3(server, keys, "PUT", "a", content=b"x")).status_code == 200
            clock.now += 1
            answer = await s3(server, keys, "GET", "a")
            assert answer.status_code in (400, 403)
            assert b"<Code>ExpiredToken" in answer.content
    finally:
        await server.application.stop()


async def test_forged_and_borrowed_keys(server, platform) -> None:
    bucket, other = await new_bucket(platform), await new_bucket(platform)
    keys, others = await keys_of(platform, bucket["id"]), await keys_of(platform, other["id"])
    token = keys["session_token"]
    wrong = [
        {**keys, "secret_access_key": others["secret_access_key"]},
        {**keys, "session_token": others["session_token"]},
        {**keys, "session_token": token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB")},
        {**keys, "session_token": "x"},
        {**others, "access_key_id": keys["access_key_id"]},
        {name: value for name, value in keys.items() if name != "session_token"},
    ]
    for one in wrong:
        answer = await s3(server, one, "PUT", "a", content=b"x")
        assert answer.status_code in (400, 403)
    assert (await s3(server, keys, "GET", "a")).status_code == 404


async def test_clocks_that_differ(server, platform) -> None:
    keys = await keys_of(platform, (await new_bucket(platform))["id"])
    for late in (14 * 60, -14 * 60):
        assert (await s3(server, keys, "PUT", "a", content=b"x", late=late)).status_code == 200
    for late in (16 * 60, -16 * 60, 86_400):
        answer = await s3(server, keys, "PUT", "a", content=b"x", late=late)
        assert answer.status_code == 403
        assert (b"RequestTimeTooSkewed" if late > 0 else b"RequestNotReadyYet") in answer.content


async def test_minting_writes_nothing(server, platform, monkeypatch) -> None:
    bucket = await new_bucket(platform)
    await server.application._audit.flush()
    lake = server.application._lake
    applied = []
    real = type(lake.db).apply

    async def apply(self, *statements):
        applied.append(statements)
        return await real(self, *statements)

    events = []
    monkeypatch.setattr(type(lake.db), "apply", apply)
    monkeypatch.setattr(AuditLog, "record", lambda self, event: events.append(event))
    await keys_of(platform, bucket["id"])
    await made(platform.post(f"/buckets/{bucket['id']}/sign_blob_url", json={"key": "a"}), 200)
    assert applied == []
    assert events == []


async def test_the_audit_log_has_what_changed(server, api, platform) -> None:
    name = fresh_bucket("audited")
    bucket = await new_bucket(platform, name)
    await made(platform.delete(f"/buckets/{name}"), 204)
    refused(await platform.delete(f"/buckets/{name}"), 404)
    found = await events(server, api)
    mine = [one for one in found if name in one["resources"].values()]
    assert {(one["operation"], one["status_code"], one["actor"]) for one in mine} == {
        ("create_bucket", 201, "admin"), ("delete_bucket", 204, "admin"), ("delete_bucket", 404, "admin"),
    }  # fmt: skip
    assert bucket["name"] == name


# -- signed URLs -------------------------------------------------------------------------------------------------------


async def test_signed_urls(server, platform) -> None:
    bucket = await new_bucket(platform)
    keys = await keys_of(platform, bucket["id"])
    for key in ("a b/ü+&=?#%2F*", "dir//x", "plain"):
        answer = await made(platform.post(f"/buckets/{bucket['id']}/sign_blob_url?owner=admin", json={"key": key}), 200)
        url = answer["url"]
        assert (await visit(server, url)).status_code == 404
        await s3(server, keys, "PUT", key, content=key.encode())
        assert (await visit(server, url)).content == key.encode()
        assert (await visit(server, url, "PUT")).status_code == 403
        assert (await visit(server, url, "DELETE")).status_code == 403
        assert (await visit(server, url.replace(bucket["name"], bucket["name"] + "x"))).status_code == 403
        assert (await visit(server, url.replace("X-Amz-Expires=3600", "X-Amz-Expires=7200"))).status_code == 403


async def test_signed_urls_end(tmp_path) -> None:
    clock = Hands()
    server = await started(tmp_path, clock)
    try:
        async with with_token(server, await token_of(server, KEY, SECRET)) as client:
            bucket = await new_bucket(client)
            await s3(server, await keys_of(client, bucket["id"]), "PUT", "a", content=b"x")
            for seconds in (1, 604_800):
                body = {"key": "a", "expires_in_sec": seconds}
                url = (await made(client.post(f"/buckets/{bucket['id']}/sign_blob_url", json=body), 200))["url"]
                clock.now += seconds - 0.5
                assert (await visit(server, url)).content == b"x", seconds
                clock.now += 1.6
                assert (await visit(server, url)).status_code in (400, 403), seconds
                client.headers["authorization"] = f"Bearer {await token_of(server, KEY, SECRET)}"
    finally:
        await server.application.stop()


async def test_signed_urls_that_are_refused(platform) -> None:
    bucket = await new_bucket(platform)
    for body in (
        {"key": "a", "expires_in_sec": 0},
        {"key": "a", "expires_in_sec": 604_801},
        {"key": ""},
        {},
        {"key": 1},
    ):
        refused(await platform.post(f"/buckets/{bucket['id']}/sign_blob_url", json=body), 400)
    refused(await platform.post("/buckets/absent/sign_blob_url", json={"key": "a"}), 404)


# -- public ------------------------------------------------------------------------------------------------------------


async def test_public_access(server, platform) -> None:
    bucket = await new_bucket(platform)
    keys = await keys_of(platform, bucket["id"])
    await s3(server, keys, "PUT", "dir/a", content=b"x")
    url = f"{keys['endpoint_url']}/{keys['bucket_name']}"
    assert (await visit(server, f"{url}/dir/a")).status_code == 403
    changed = await made(platform.patch(f"/buckets/{bucket['id']}?owner=admin", json={"public": True}), 200)
    assert changed == {**bucket, "public": True}
    found = await visit(server, f"{url}/dir/a")
    assert found.content == b"x"
    assert "sandbox" in found.headers["content-security-policy"]
    assert (await visit(server, f"{url}/dir/a", "PUT")).status_code == 403
    assert (await visit(server, f"{url}/dir/a", "DELETE")).status_code == 403
    assert (await visit(server, f"{url}?list-type=2")).status_code == 403
    await made(platform.patch(f"/buckets/{bucket['id']}", json={"public": False}), 200)
    assert (await visit(server, f"{url}/dir/a")).status_code == 403
    refused(await platform.patch(f"/buckets/{bucket['id']}", json={}), 400)
    refused(await platform.patch("/buckets/absent", json={"public": True}), 404)


# -- lasting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_only", [False, True])
async def test_lasting_credentials(server, platform, read_only) -> None:
    one, two, three = [await new_bucket(platform) for _ in range(3)]
    name = fresh_bucket("keys")
    found = await make_keys(platform, two, one, name=name, read_only=read_only)
    assert (found["name"], found["owner"], found["read_only"]) == (name, "admin", read_only)
    assert [each["bucket_id"] for each in found["credentials"]] == [two["id"], one["id"]]
    pairs = [each["credentials"] for each in found["credentials"]]
    assert pairs[0]["access_key_id"] == pairs[1]["access_key_id"]
    assert set(pairs[0]) == {"bucket_name", "endpoint_url", "region_name", "access_key_id", "secret_access_key"}
    written = 403 if read_only else 200
    for pair in pairs:
        assert (await s3(server, pair, "PUT", "a", content=b"x")).status_code == written
        assert (await s3(server, pair, "GET", query=(("list-type", "2"),))).status_code == 200
    assert (await s3(server, pairs[0], "GET", "a", bucket=three["name"])).status_code == 403
    assert (await s3(server, pairs[0], "PUT", "a", bucket=three["name"], content=b"x")).status_code == 403
    for ask in (found["id"], name):
        assert await made(platform.get(f"/persistent_credentials/{ask}"), 200) == found
    assert found in await made(platform.get("/persistent_credentials"), 200)
    assert found["id"] in (await platform.get("/persistent_credentials", headers=LINES)).text
    await made(platform.delete(f"/persistent_credentials/{name}"), 204)
    assert (await s3(server, pairs[0], "GET", "a")).status_code == 403
    refused(await platform.get(f"/persistent_credentials/{name}"), 404)
    refused(await platform.delete(f"/persistent_credentials/{found['id']}"), 404)


async def test_lasting_keys_open_nothing_else(server, platform) -> None:
    bucket = await new_bucket(platform)
    [each] = (await make_keys(platform, bucket))["credentials"]
    pair = (each["credentials"]["access_key_id"], each["credentials"]["secret_access_key"])
    async with server.client(auth=pair) as client:
        assert (await client.get("/auth/users")).status_code == 401
        assert (await client.post("/auth/sessions")).status_code == 401
        url = "http://localhost:8000/neuro/api/v1"
        assert (await client.post(f"{url}/buckets/{bucket['id']}/make_tmp_credentials")).status_code == 403
        body = {"bucket_ids": [bucket["id"]]}
        assert (await client.post(f"{url}/persistent_credentials", json=body)).status_code == 403
    async with server.client() as client:
        body = {"access_key_id": pair[0], "secret_access_key": pair[1]}
        assert (await client.post("/auth/login", json=body)).status_code == 401


async def test_lasting_credentials_shrink_when_a_bucket_goes(server, platform) -> None:
    one, two = await new_bucket(platform), await new_bucket(platform)
    found = await make_keys(platform, one, two)
    pair = found["credentials"][1]["credentials"]
    await made(platform.delete(f"/buckets/{one['id']}"), 204)
    left = await made(platform.get(f"/persistent_credentials/{found['id']}"), 200)
    assert [each["bucket_id"] for each in left["credentials"]] == [two["id"]]
    assert (await s3(server, pair, "PUT", "a", content=b"x")).status_code == 200
    again = await new_bucket(platform, one["name"])
    assert (await s3(server, pair, "GET", "a", bucket=again["name"])).status_code == 403
    await s3(server, pair, "DELETE", "a")
    await made(platform.delete(f"/buckets/{two['id']}"), 204)
    refused(await platform.get(f"/persistent_credentials/{found['id']}"), 404)
    assert (await s3(server, pair, "GET", "a")).status_code == 403


async def test_lasting_credentials_that_are_refused(server, api, platform) -> None:
    bucket, name = await new_bucket(platform), fresh_bucket("keys")
    await make_keys(platform, bucket, name=name)
    body = {"name": name, "bucket_ids": [bucket["id"]]}
    assert refused(await platform.post("/persistent_credentials", json=body), 409)["code"] == "unique"
    refused(await platform.post("/persistent_credentials", json={"bucket_ids": []}), 400)
    refused(await platform.post("/persistent_credentials", json={"bucket_ids": ["absent"]}), 404)
    refused(await platform.post("/persistent_credentials", json={}), 400)
    async with as_person(server, api) as (_, ann):
        refused(await ann.get(f"/persistent_credentials/{name}"), 404)
        refused(await ann.delete(f"/persistent_credentials/{name}"), 404)
        refused(await ann.post("/persistent_credentials", json={"bucket_ids": [bucket["id"]]}), 403)
        assert await made(ann.get("/persistent_credentials"), 200) == []
    async with as_person(server, api, "Admins") as (_, bob):
        await make_keys(bob, bucket, name=name)


async def test_lasting_credentials_go_with_their_key(api, platform) -> None:
    """Whoever deletes the access key as such deletes them, and the name is free."""
    bucket, name = await new_bucket(platform), fresh_bucket("keys")
    found = await make_keys(platform, bucket, name=name)
    key = found["credentials"][0]["credentials"]["access_key_id"]
    await made(api.delete(f"/auth/users/admin/credentials/{key}"), 204)
    refused(await platform.get(f"/persistent_credentials/{name}"), 404)
    await make_keys(platform, bucket, name=name)


# -- races -------------------------------------------------------------------------------------------------------------


async def test_of_many_creations_one_wins(platform) -> None:
    name = fresh_bucket()
    answers = await asyncio.gather(*(platform.post("/buckets", json={"name": name}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_write_beside_a_removal_is_kept_or_refused(server, platform) -> None:
    """Never acknowledged and lost."""
    for round_ in range(6):
        bucket = await new_bucket(platform)
        keys = await keys_of(platform, bucket["id"])
        gone, *puts = await asyncio.gather(
            platform.delete(f"/buckets/{bucket['id']}"),
            *(s3(server, keys, "PUT", f"k{n}", content=b"x") for n in range(round_)),
        )
        kept = [answer.status_code == 200 for answer in puts]
        assert gone.status_code == (409 if any(kept) else 204), (gone.text, kept)
        if any(kept):
            listing = await s3(server, keys, "GET", query=(("list-type", "2"),))
            assert [f"<Key>k{n}<".encode() in listing.content for n in range(round_)] == kept
