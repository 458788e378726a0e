# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts over REST: URLs for each part, copies of parts, completing, giving up."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from .conftest import ROOT, fresh_name, make, read_object, refused, stat_object

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

LEAST = 5 * 1024 * 1024
BASE = "/branches/main/staging/pmpu"


@pytest.fixture
async def outside(server):
    """A client without credentials for the URLs that the server signs."""
    async with server.client(base_url=ROOT.removesuffix("/api/v1")) as client:
        yield client


async def begin(repo, path: str = "big", parts: int = 0):
    return await repo.done("POST", BASE, params={"path": path, "parts": parts})


async def complete(repo, begun, etags, path: str = "big", **more) -> httpx2.Response:
    parts = [{"part_number": number, "etag": etag} for number, etag in etags]
    body = {"physical_address": begun["physical_address"], "parts": parts, **more}
    return await repo.ask("PUT", f"{BASE}/{begun['upload_id']}", params={"path": path}, json=body)


async def put(outside, url: str, data: bytes) -> str:
    answer = await outside.put(url, content=data)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def composite(*parts: bytes) -> str:
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f"{hashlib.md5(joined).hexdigest()}-{len(parts)}"


async def test_an_object_of_two_parts(repo, outside) -> None:
    first, last = os.urandom(LEAST), b"the end"
    begun = await begin(repo, parts=2)
    namespace = (await repo.done("GET"))["storage_namespace"]
    assert begun["physical_address"].startswith(f"{namespace}data/")
    assert len(begun["presigned_urls"]) == 2
    etags = [await put(outside, url, data) for url, data in zip(begun["presigned_urls"], (first, last), strict=True)]
    answer = await complete(repo, begun, enumerate(etags, 1), user_metadata={"Owner": "me"}, content_type="text/plain")
    assert answer.status_code == 200, answer.text
    stats = answer.json()
    assert stats["checksum"] == composite(first, last)
    assert stats["size_bytes"] == LEAST + 7
    assert (stats["path"], stats["content_type"], stats["metadata"]) == ("big", "text/plain", {"Owner": "me"})
    assert begun["physical_address"] == namespace + stats["physical_address"]
    assert (await read_object(repo, "big")).content == first + last
    shown = await stat_object(repo, "big")
    assert (shown["physical_address"], shown["checksum"]) == (begun["physical_address"], stats["checksum"])
    again = await complete(repo, begun, enumerate(etags, 1))
    assert again.status_code == 200
    assert again.json()["checksum"] == stats["checksum"]


async def test_urls_one_by_one(repo, outside) -> None:
    begun = await begin(repo)
    assert "presigned_urls" not in begun
    url = await repo.done(
        "PUT",
        f"{BASE}/{begun['upload_id']}/parts/7",
        params={"path": "big"},
        json={"physical_address": begun["physical_address"]},
    )
    etag = await put(outside, url["presigned_url"], b"seven")
    refused(await complete(repo, begun, [(8, etag)]), 400)
    refused(await complete(repo, begun, [(7, "0" * 32)]), 400)
    refused(await complete(repo, begun, [(7, etag), (7, etag)]), 400)
    assert (await complete(repo, begun, [(7, etag)])).status_code == 200
    assert (await read_object(repo, "big")).content == b"seven"


async def test_a_url_is_for_its_part_only(repo, outside) -> None:
    begun = await begin(repo, parts=1)
    for altered in (("partNumber=1", "partNumber=2"), ("/data/", "/date/"), ("uploadId=", "uploadId=0")):
        answer = await outside.put(begun["presigned_urls"][0].replace(*altered), content=b"x")
        assert answer.status_code == 403
    assert (await outside.get(begun["presigned_urls"][0])).status_code == 403


async def test_parts_that_are_too_small(repo, outside) -> None:
    begun = await begin(repo, parts=2)
    etags = [await put(outside, url, b"x") for url in begun["presigned_urls"]]
    refused(await complete(repo, begun, enumerate(etags, 1)), 400, "5 MiB")
    refused(await read_object(repo, "big"), 404)


async def test_parts_of_other_objects(repo, api, outside) -> None:
    data = os.urandom(LEAST + 100)
    await repo.put("source", data)
    other = await make(api)
    await other.put("theirs", b"0123456789")
    await other.commit()
    begun = await begin(repo)

    async def copy(number: int, **source) -> httpx2.Response:
        body = {"physical_address": begun["physical_address"], "copy_source": source}
        url = f"{BASE}/{begun['upload_id']}/parts/{number}/copy"
        return await repo.ask("PUT", url, params={"path": "big"}, json=body)

    whole = await copy(1, repository=repo.name, ref="main", path="source")
    assert (whole.status_code, whole.content) == (204, b"")
    assert whole.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
    some = await copy(2, repository=other.name, ref="main", path="theirs", range="bytes=2-4")
    answer = await complete(repo, begun, [(1, whole.headers["etag"]), (2, some.headers["etag"])])
    assert answer.status_code == 200
    assert (await read_object(repo, "big")).content == data + b"234"
    begun = await begin(repo)
    source = {"repository": other.name, "ref": "main", "path": "theirs"}
    refused(await copy(1, **source | {"path": "nothing"}), 404)
    refused(await copy(1, **source | {"ref": "nowhere"}), 404)
    refused(await copy(1, **source | {"repository": "nowhere"}), 404)
    refused(await copy(1, **source, range="bytes=10-12"), 416)
    refused(await copy(1, **source, range="bytes=1-2,4-5"), 416)
    refused(await copy(1, **source, range="lines=1-2"), 400)
    refused(await copy(0, **source), 400)
    refused(await copy(10_001, **source), 400)


async def test_an_upload_that_is_given_up(repo, outside) -> None:
    begun = await begin(repo, parts=1)
    etag = await put(outside, begun["presigned_urls"][0], b"x")
    url, params = f"{BASE}/{begun['upload_id']}", {"path": "big"}
    refused(await repo.ask("DELETE", url, params=params), 400)
    body = {"physical_address": begun["physical_address"]}
    assert (await repo.ask("DELETE", url, params=params, json=body)).status_code == 204
    refused(await repo.ask("DELETE", url, params=params, json=body), 404)
    assert (await outside.put(begun["presigned_urls"][0], content=b"x")).status_code == 404
    refused(await complete(repo, begun, [(1, etag)]), 404)


@pytest.mark.parametrize("parts", [-1, 10_001, "x"])
async def test_numbers_of_parts(repo, parts) -> None:
    refused(await repo.ask("POST", BASE, params={"path": "p", "parts": parts}), 400)


async def test_many_urls(repo) -> None:
    begun = await begin(repo, parts=10_000)
    assert len(set(begun["presigned_urls"])) == 10_000


async def test_what_is_not_there(repo, api) -> None:
    refused(await repo.ask("POST", "/branches/none/staging/pmpu", params={"path": "p"}), 404)
    refused(await api.post(f"/repositories/{fresh_name()}{BASE}", params={"path": "p"}), 404)
    refused(await repo.ask("POST", BASE, params={"path": ""}), 400)
    refused(await repo.ask("POST", BASE), 400)
    begun = await begin(repo)
    refused(await complete(repo, begun | {"upload_id": "0" * 32}, [(1, "0" * 32)]), 404)
    refused(await complete(repo, begun | {"upload_id": ""}, [(1, "0" * 32)]), 404)


async def test_the_address_must_be_the_one_that_was_given(repo, api) -> None:
    begun = await begin(repo)
    namespace = (await repo.done("GET"))["storage_namespace"]
    other = await begin(await make(api))
    for address in (
        "",
        "nonsense",
        begun["physical_address"] + "x",
        begun["physical_address"].rpartition(",")[0],
        begun["physical_address"].replace("/data/", "/_lakehouse/"),
        other["physical_address"],
        f"{namespace}data/x",
        "s3://elsewhere/data/x,y",
        "gs" + begun["physical_address"].removeprefix("s3"),
    ):
        refused(await complete(repo, begun | {"physical_address": address}, [(1, "e")]), 400)
    refused(await complete(repo, begun, [(1, "e")], path="another"), 400, "signature")
    refused(await complete(repo, begun, []), 400, "parts")
    url = f"{BASE}/{begun['upload_id']}"
    refused(await repo.ask("PUT", url, params={"path": "big"}), 400)
    refused(await repo.ask("PUT", url, params={"path": "big"}, json={"parts": []}), 400)


async def test_an_address_that_has_expired(repo, server, outside) -> None:
    begun = await begin(repo, parts=1)
    etag = await put(outside, begun["presigned_urls"][0], b"x")
    server.clock.now += 86_401
    refused(await complete(repo, begun, [(1, etag)]), 400, "expired")
    body = {"physical_address": begun["physical_address"]}
    answer = await repo.ask("DELETE", f"{BASE}/{begun['upload_id']}", params={"path": "big"}, json=body)
    assert answer.status_code == 204


async def test_protected_branches_and_frozen_repositories(repo, frozen, outside) -> None:
    begun = await begin(repo, parts=1)
    etag = await put(outside, begun["presigned_urls"][0], b"x")
    await repo.protect("main")
    refused(await complete(repo, begun, [(1, etag)]), 403)
    begun = await begin(frozen, parts=1)
    etag = await put(outside, begun["presigned_urls"][0], b"x")
    refused(await complete(frozen, begun, [(1, etag)]), 403)


async def test_nobody(nobody, repo) -> None:
    refused(await nobody.post(f"/repositories/{repo.name}{BASE}", params={"path": "p"}), 401)
