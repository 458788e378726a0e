# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs by REST."""

from __future__ import annotations

import base64
import itertools
from urllib.parse import quote

import msgspec
import pytest

from lakehouse.config.model import Facades

from .conftest import KEY, SECRET, Hands, make, refused, started
from .people import allow, as_user, make_user

pytestmark = pytest.mark.anyio
_numbers = itertools.count(1)


@pytest.fixture
def entry() -> str:
    """The path of an entry that no test has used."""
    return f"/flyte/cache/p/d/{quote(f'o/+={next(_numbers)}', safe='')}"


POINTER = {"output_uri": "s3://elsewhere/o.pb"}


async def test_an_entry_from_put_to_delete(api, server, entry):
    refused(await api.get(entry), 404, "no cache entry has this key")
    metadata = {
        "source_identifier": {"resource_type": 1, "project": "p", "domain": "d", "name": "t", "version": "1"},
        "key_map": {"execution-name": "e"},
    }
    stored = await api.put(entry, json={**POINTER, "metadata": metadata})
    assert stored.status_code == 200
    now = server.clock.now
    assert stored.json() == {**POINTER, "metadata": metadata, "created_at": now, "last_updated_at": now}
    assert (await api.get(entry)).json() == stored.json()
    refused(await api.put(entry, json={"output_uri": "s3://elsewhere/2"}), 409, "overwrite it")
    second = await api.put(
        entry, json={"output_uri": "s3://elsewhere/2", "created_at": 7.5}, params={"overwrite": True}
    )
    assert (second.json()["output_uri"], second.json()["created_at"]) == ("s3://elsewhere/2", 7.5)
    assert (await api.delete(entry)).status_code == 204
    refused(await api.delete(entry), 404)


async def test_outputs_that_the_cache_keeps_are_read_by_their_uri_too(api, entry):
    body = bytes(range(256))
    stored = (await api.put(entry, json={"outputs": base64.b64encode(body).decode()})).json()
    assert base64.b64decode((await api.get(entry)).json()["outputs"]) == body
    path = stored["output_uri"].removeprefix("s3://flyte-cache/")
    direct = await api.get("/repositories/flyte-cache/refs/main/objects", params={"path": path})
    assert direct.content == body


async def test_ages(api, server, entry):
    await api.put(entry, json=POINTER)
    server.clock.now += 100
    assert (await api.get(entry, params={"max_age": 100})).status_code == 200
    refused(await api.get(entry, params={"max_age": 99.5}), 404, "too old")
    refused(await api.put(entry, json=POINTER, params={"max_age": 100}), 409)
    assert (await api.put(entry, json=POINTER, params={"max_age": 99})).status_code == 200


async def test_organisations_have_their_own_entries(api, entry):
    await api.put(entry, json=POINTER, params={"org": "a"})
    refused(await api.get(entry), 404)
    refused(await api.get(entry, params={"org": "b"}), 404)
    assert (await api.get(entry, params={"org": "a"})).status_code == 200


async def test_an_entry_whose_object_is_gone_is_a_miss(api, entry):
    repo = await make(api)
    await repo.put("o.pb")
    await api.put(entry, json={"output_uri": f"s3://{repo.name}/main/o.pb"})
    assert (await api.get(entry)).status_code == 200
    await repo.remove("o.pb")
    refused(await api.get(entry), 404, "is gone")
    assert (await api.put(entry, json=POINTER)).status_code == 200


async def test_reservations(api, server, entry):
    url = f"{entry}/reservation"
    first = await api.post(url, json={"owner_id": "a", "heartbeat_interval": 0.5})
    now = server.clock.now
    assert first.json() == {"owner_id": "a", "heartbeat_interval": 0.5, "expires_at": now + 1.5}
    assert (await api.post(url, json={"owner_id": "b"})).json() == first.json()
    assert (await api.delete(url, params={"owner_id": "b"})).status_code == 204
    assert (await api.post(url, json={"owner_id": "b"})).json()["owner_id"] == "a"
    server.clock.now += 1.5
    assert (await api.post(url, json={"owner_id": "b"})).json()["heartbeat_interval"] == 10
    assert (await api.delete(url, params={"owner_id": "b"})).status_code == 204
    assert (await api.post(url, json={"owner_id": "a"})).json()["owner_id"] == "a"


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("PUT", "", {"json": {}}),
        ("PUT", "", {"json": {"output_uri": "s3://a/b", "outputs": "AA=="}}),
        ("PUT", "", {"json": {"outputs": "no base64"}}),
        ("PUT", "", {"json": POINTER, "params": {"max_age": -1}}),
        ("PUT", "", {"json": POINTER, "params": {"org": "a/b"}}),
        ("PUT", "", {"json": {**POINTER, "created_at": -1}}),
        ("GET", "", {"params": {"max_age": -1}}),
        ("POST", "/reservation", {"json": {}}),
        ("POST", "/reservation", {"json": {"owner_id": ""}}),
        ("POST", "/reservation", {"json": {"owner_id": " "}}),
        ("POST", "/reservation", {"json": {"owner_id": "a", "heartbeat_interval": -1}}),
        ("DELETE", "/reservation", {}),
    ],
)
async def test_bad_requests(api, entry, method, path, options):
    refused(await api.request(method, entry + path, **options), 400)
    refused(await api.get(entry), 404)


@pytest.mark.parametrize("path", ["p/d/" + "k" * 513, "p/d/%20", "a%2Fb/d/k", "p/" + "d" * 64 + "/k", "p/d/%FF"])
async def test_keys_that_are_none(api, path):
    refused(await api.get(f"/flyte/cache/{path}"), 400)


async def test_strangers_are_refused(nobody, entry):
    refused(await nobody.get(entry), 401)
    refused(await nobody.post(f"{entry}/reservation", json={"owner_id": "a"}), 401)


async def test_permissions_are_those_on_objects_of_the_repository(api, server):
    user = await make_user(api)
    await allow(api, user, "fs:*", on="arn:lakefs:fs:::repository/flyte-cache/object/entries//p/*")
    url = f"/flyte/cache/p/d/mine-{user}"
    async with as_user(server, api, user) as client:
        assert (await client.put(url, json=POINTER)).status_code == 200
        assert (await client.get(url)).status_code == 200
        refused(await client.get(url, params={"org": "p"}), 401)
        refused(await client.put("/flyte/cache/p2/d/k", json=POINTER), 401)
    reader = await make_user(api, "Viewers")
    async with as_user(server, api, reader) as client:
        assert (await client.get(url)).status_code == 200
        refused(await client.delete(url), 401)
        refused(await client.post(f"{url}/reservation", json={"owner_id": "a"}), 401)


async def test_the_cache_can_be_switched_off(tmp_path):
    server = await started(tmp_path, Hands(), facades=Facades(flyte="off"))
    try:
        async with server.client(auth=(KEY, SECRET)) as client:
            refused(await client.get("/flyte/cache/p/d/k"), 404, "invalid API endpoint")
            document = (await client.get("http://localhost:8000/openapi.json")).content
        assert b"/flyte/cache" not in document
        assert msgspec.json.decode(document)["paths"]
    finally:
        await server.application.stop()
