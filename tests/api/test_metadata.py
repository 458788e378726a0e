# SPDX-License-Identifier: Apache-2.0
"""The nodes of committed trees over REST."""

from __future__ import annotations

import pytest

from .conftest import Repo, refused

pytestmark = pytest.mark.anyio


async def test_the_address_of_a_tree(repo) -> None:
    await repo.put("a")
    tree = (await repo.commit())["meta_range_id"]
    namespace = (await repo.done("GET"))["storage_namespace"]
    for kind in ("meta_range", "range"):
        answer = await repo.ask("GET", f"/metadata/{kind}/{tree}")
        assert answer.status_code == 200
        assert answer.json() == {"location": answer.headers["location"]}
        assert answer.headers["location"].startswith(f"{namespace}_lakehouse/")
        assert tree in answer.headers["location"].replace("/", "")
        unknown = await repo.ask("GET", f"/metadata/{kind}/{'0' * 64}")
        assert unknown.status_code == 200


async def test_the_bytes_of_a_tree(repo, server) -> None:
    await repo.put("a")
    tree = (await repo.commit())["meta_range_id"]
    answer = await repo.ask("GET", f"/metadata/object/meta_range/{tree}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.content
    signed = await repo.ask("GET", f"/metadata/object/range/{tree}?presign=true")
    assert signed.status_code == 302
    async with server.client(base_url="http://localhost:8000") as anybody:
        assert (await anybody.get(signed.headers["location"])).content == answer.content


@pytest.mark.parametrize("name", ["0", "0" * 63, "A" * 64, "0" * 65, "%2e%2e", "..%2F..%2Fsecret", "%00", "repository"])
async def test_ids_that_are_none(repo, name: str) -> None:
    for path in (f"meta_range/{name}", f"range/{name}", f"object/range/{name}"):
        refused(await repo.ask("GET", f"/metadata/{path}"), 400, "64 hex digits")


async def test_what_is_refused(repo, api) -> None:
    refused(await repo.ask("GET", f"/metadata/object/other/{'0' * 64}"), 400, "range or meta_range")
    refused(await repo.ask("GET", f"/metadata/object/range/{'0' * 64}"), 410, "No data")
    gone = Repo(api, "no-such-repository")
    for path in ("meta_range", "range", "object/range"):
        refused(await gone.ask("GET", f"/metadata/{path}/{'0' * 64}"), 404, "repository not found")
