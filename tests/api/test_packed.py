# SPDX-License-Identifier: Apache-2.0
"""Batches in MessagePack: the same operations, the same errors, other bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack
import pytest

from tests.api.conftest import refused

if TYPE_CHECKING:
    from tests.api.conftest import Repo

pytestmark = pytest.mark.anyio

MSGPACK = "application/msgpack"
SPEAK = {"content-type": MSGPACK, "accept": MSGPACK}
PATHS = [f"p{number:04}" for number in range(1203)]


async def addresses(repo: Repo, paths: list[str], **more: object) -> list[dict]:
    content = msgpack.packb({"paths": paths, **more})
    answer = await repo.ask("POST", "/branches/main/staging/addresses", content=content, headers=SPEAK)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MSGPACK
    unpacker = msgpack.Unpacker()
    unpacker.feed(answer.content)
    return list(unpacker)


def items(locations: list[dict], **more: object) -> list[dict]:
    return [{"path": one["path"], "staging": one, "checksum": "c", "size_bytes": 1, **more} for one in locations]


async def links(repo: Repo, body: bytes, *, atomic: bool = False, accept: str = MSGPACK):
    headers = {"content-type": MSGPACK, "accept": accept}
    return await repo.ask(
        "PUT", "/branches/main/staging/links", params={"atomic": atomic}, content=body, headers=headers
    )


def stream(values: list[dict]) -> bytes:
    return b"".join(map(msgpack.packb, values))


async def test_addresses_are_a_stream(repo: Repo) -> None:
    found = await addresses(repo, PATHS, presign=True)
    assert [one["path"] for one in found] == PATHS
    assert len({one["physical_address"] for one in found}) == len(PATHS)
    assert all(one["presigned_url"].startswith("http") and one["token"] == found[0]["token"] for one in found)
    assert await addresses(repo, []) == []


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("form", ["stream", "array"])
async def test_links(repo: Repo, form: str, atomic: bool) -> None:
    wanted = items(await addresses(repo, PATHS), user_metadata={"k": "\u00e4"}, content_type="text/plain", mtime=7)
    answer = await links(repo, stream(wanted) if form == "stream" else msgpack.packb(wanted), atomic=atomic)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MSGPACK
    results = [] if atomic else [{"path": path, "status_code": 200} for path in PATHS]
    assert msgpack.unpackb(answer.content) == {"linked": len(PATHS), "results": results}
    stat = await repo.done("GET", "/refs/main/objects/stat", params={"path": PATHS[-1]})
    assert (stat["metadata"], stat["content_type"], stat["mtime"]) == ({"k": "\u00e4"}, "text/plain", 7)


async def test_each_form_answers_in_the_other_too(repo: Repo) -> None:
    [one] = items(await addresses(repo, ["a"]))
    assert (await links(repo, msgpack.packb(one), accept="*/*")).json()["linked"] == 1
    answer = await repo.ask("PUT", "/branches/main/staging/links", json=[one], headers={"accept": MSGPACK})
    assert msgpack.unpackb(answer.content)["linked"] == 1


@pytest.mark.parametrize("atomic", [False, True])
async def test_errors_are_json_and_name_the_item(repo: Repo, atomic: bool) -> None:
    wanted = items(await addresses(repo, PATHS))
    wrong = {**wanted[-1], "size_bytes": "many"}
    refused(await links(repo, stream([*wanted[:-1], wrong]), atomic=atomic), 400, f"item {len(PATHS) - 1}")
    refused(await links(repo, stream(wanted)[:-1], atomic=True), 400, "ends within an item")
    refused(await links(repo, b"\xc1", atomic=atomic), 400, "not MessagePack")
    refused(await links(repo, msgpack.packb({"path": "a" * 70_000}), atomic=atomic), 400, "an item larger than")
    assert (await links(repo, b"", atomic=atomic)).status_code == 200


async def test_an_atomic_batch_that_is_cut_off_links_nothing(repo: Repo) -> None:
    wanted = items(await addresses(repo, PATHS))
    refused(await links(repo, stream(wanted) + b"\x85", atomic=True), 400, "ends within an item")
    assert await repo.paths() == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\xc1", "not MessagePack"),
        (msgpack.packb({"paths": "a"}), "paths"),
        (msgpack.packb({"paths": [b"a"]}), "paths"),
        (msgpack.packb({"paths": ["a"]})[:-1], "not MessagePack"),
        (msgpack.packb({"paths": ["a"]}) + b"\x01", "not MessagePack"),
        (msgpack.packb({"paths": [msgpack.ExtType(1, b"")]}), "paths"),
        (b"\x81\xa5paths" + b"\x91" * 2000 + b"\x01", "request body"),
        (b"", "is empty"),
    ],
)
async def test_bodies_that_ask_for_no_addresses(repo: Repo, body: bytes, text: str) -> None:
    refused(await repo.ask("POST", "/branches/main/staging/addresses", content=body, headers=SPEAK), 400, text)


async def test_operations_that_know_json_only_say_so(repo: Repo) -> None:
    answer = await repo.ask("POST", "/branches", content=msgpack.packb({"name": "b", "source": "main"}), headers=SPEAK)
    refused(answer, 400, "not JSON")
