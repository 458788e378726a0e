# SPDX-License-Identifier: Apache-2.0
"""Several object stores on one server: each repository lives in the one that it was made in."""

from __future__ import annotations

import time

import httpx2
import pytest

from lakehouse.config.model import Database, NamedStore, ObjectStore, Secret
from tests.s3 import served

from .conftest import KEY, SECRET, Hands, Repo, fresh_name, make, refused, started

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """Another S3 server, with buckets of any name."""
    with served.served_s3(tmp_path_factory.mktemp("served"), any_name=True) as found:
        yield found.endpoint


def _now() -> Hands:
    """A clock that agrees with the other server's, which checks when a URL was signed."""
    clock = Hands()
    clock.now = time.time()
    return clock


def named(endpoint: str, bucket: str, **more: str) -> NamedStore:
    return NamedStore(
        url=f"s3://{bucket}",
        endpoint=endpoint,
        access_key_id=served.KEY,
        secret_access_key=Secret(served.SECRET),
        **more,
    )


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def server(request, tmp_path_factory, endpoint):
    """A server with its embedded store and two more."""
    settings = {"object_stores": {"cold": named(endpoint, "cold", description="slow"), "hot": named(endpoint, "hot")}}
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url_of_module")
        settings |= {"database": Database(url=url), "secret": Secret("a secret for the tests")}
    made = await started(tmp_path_factory.mktemp("data"), _now(), **settings)
    yield made
    await made.application.stop()


async def test_config_tells_of_each(api) -> None:
    config = (await api.get("/config")).json()
    told = {one["blockstore_id"]: one for one in config["storage_config_list"]}
    assert list(told) == ["", "cold", "hot"]
    assert told[""] == config["storage_config"]
    assert told["cold"]["blockstore_description"] == "slow"
    assert told["cold"]["blockstore_namespace_example"] == "s3://cold/my-repo/"
    assert told["cold"]["blockstore_type"] == "s3"
    assert told["cold"]["pre_sign_multipart_upload"] is True


@pytest.mark.parametrize("namespace", [None, "s3://cold/chosen"])
async def test_a_repository_in_a_store(api, server, endpoint, namespace) -> None:
    repo = await make(
        api, storage_id="cold", **({"storage_namespace": f"{namespace}-{fresh_name()}"} if namespace else {})
    )
    shown = await repo.done("GET")
    assert shown["storage_id"] == "cold"
    assert shown["storage_namespace"].startswith(namespace or "s3://cold/")
    stats = await repo.put("a/b", b"bytes")
    assert stats["physical_address"].startswith("s3://cold/")
    await repo.commit()
    location = await repo.address("linked", presign=True)
    assert location["presigned_url"].startswith(endpoint)
    async with httpx2.AsyncClient() as client:
        put = await client.put(location["presigned_url"], content=b"direct")
        assert put.status_code == 200
        url = await repo.done("GET", "/refs/main/objects/stat", params={"path": "a/b", "presign": True})
        assert (await client.get(url["physical_address"])).content == b"bytes"
    etag = put.headers["etag"]
    answer = await repo.link("linked", {"physical_address": location["physical_address"]}, checksum=etag, size_bytes=6)
    assert answer.status_code == 200
    await repo.done("POST", "/branches/main/objects/copy", params={"dest_path": "copy"}, json={"src_path": "linked"})
    await repo.commit()
    for path, content in (("a/b", "bytes"), ("linked", "direct"), ("copy", "direct")):
        assert await repo.done("GET", "/refs/main/objects", params={"path": path}) == content


async def test_the_store_and_the_namespace_must_agree(api) -> None:
    for storage_id, namespace, said in (
        ("cold", "s3://lake.local/x", "give no storage_id"),
        ("", "s3://cold/x", "name that as storage_id"),
        ("cold", "gs://cold/x", "looks like s3://cold/"),
        ("", "gs://cold/x", "no store of this server"),
        ("warm", None, "storage id 'warm'"),
    ):
        body = {"name": fresh_name(), "storage_id": storage_id}
        answer = await api.post("/repositories", json=body | ({"storage_namespace": namespace} if namespace else {}))
        refused(answer, 400, said)


async def test_an_object_of_another_store_is_linked_and_read(api) -> None:
    """An external address is kept with the store that it is in."""
    source = await make(api, storage_id="hot")
    where = (await source.put("x", b"hot bytes"))["physical_address"]
    await source.done("DELETE")
    for storage_id in ("", "cold"):
        repo = await make(api, storage_id=storage_id)
        answer = await repo.link("y", {"physical_address": where}, checksum="c", size_bytes=9)
        assert answer.status_code == 200, answer.text
        await repo.commit()
        assert await repo.done("GET", "/refs/main/objects", params={"path": "y"}) == "hot bytes"
        copied = await repo.done(
            "POST", "/branches/main/objects/copy", params={"dest_path": "z"}, json={"src_path": "y"}
        )
        assert copied["physical_address"].startswith("s3://cold/" if storage_id else "s3://lake.local/")
        assert await repo.done("GET", "/refs/main/objects", params={"path": "z"}) == "hot bytes"


async def test_repositories_outlive_the_order_of_stores(api, server, endpoint, tmp_path) -> None:
    """When another store becomes the default, what was made in the embedded one is still read from there."""
    clock = _now()
    before = await started(tmp_path, clock)
    async with before.client(auth=(KEY, SECRET)) as client:
        repo = await make(client)
        await repo.put("k", b"old")
        await repo.commit()
    await before.application.stop()
    store = named(endpoint, "new-default")
    settings = ObjectStore(
        url=store.url,
        endpoint=store.endpoint,
        access_key_id=store.access_key_id,
        secret_access_key=store.secret_access_key,
    )
    after = await started(tmp_path, clock, object_store=settings)
    async with after.client(auth=(KEY, SECRET)) as client:
        repo = Repo(client, repo.name)
        await repo.put("n", b"new")
        assert [await repo.done("GET", "/refs/main/objects", params={"path": path}) for path in "kn"] == ["old", "new"]
        assert (await (await make(client)).put("x"))["physical_address"].startswith("s3://new-default/")
        config = (await client.get("/config")).json()
        assert config["storage_config_list"] == []
        assert config["storage_config"]["blockstore_namespace_example"] == "s3://new-default/my-repo/"
    await after.application.stop()
