# SPDX-License-Identifier: Apache-2.0
"""The staging contract over REST: addresses, links, the 409 that says where to go on, and both in batches."""

from __future__ import annotations

import json

import pytest

from .conftest import Repo, drive, fresh_name, lines, make, refused

pytestmark = pytest.mark.anyio


async def addresses(repo: Repo, paths: list[str], *, branch: str = "main", **more: object):
    body = {"paths": paths, **more}
    return (await repo.done("POST", f"/branches/{branch}/staging/addresses", json=body))["results"]


def items(locations: list[dict], **more: object) -> list[dict]:
    return [
        {"path": one["path"], "staging": one, "checksum": f"c{number}", "size_bytes": number, **more}
        for number, one in enumerate(locations)
    ]


async def links(repo: Repo, body: bytes | list, *, branch: str = "main", **query: object):
    content = json.dumps(body).encode() if isinstance(body, list) else body
    return await repo.ask("PUT", f"/branches/{branch}/staging/links", params=query, content=content)


# -- one at a time -----------------------------------------------------------------------------------------------------


async def test_an_address(repo, server) -> None:
    namespace = (await repo.done("GET"))["storage_namespace"]
    plain = await repo.address("a")
    assert set(plain) == {"physical_address", "token"}
    assert plain["physical_address"].startswith(f"{namespace}data/")
    assert "," in plain["physical_address"]
    signed = await repo.address("a", presign=True)
    assert signed["token"] == plain["token"]
    assert signed["physical_address"] != plain["physical_address"]
    assert signed["presigned_url"].startswith("http://localhost:8000/lake.local/")
    assert signed["presigned_url_expiry"] == int(server.clock()) + 900
    refused(await repo.ask("GET", "/branches/nope/staging/backing?path=a"), 404, "branch not found")
    gone = Repo(repo.api, "no-such-repository")
    refused(await gone.ask("GET", "/branches/main/staging/backing?path=a"), 404, "repository not found")


async def test_upload_then_link(repo, server) -> None:
    location = await repo.address("dir/a", presign=True)
    async with server.client(base_url="http://localhost:8000") as anybody:
        put = await anybody.put(location["presigned_url"], content=b"hello")
        assert put.status_code == 200
        again = await anybody.put(location["presigned_url"], content=b"other")
        assert again.status_code == 412
    answer = await repo.link("dir/a", location, checksum=f" {put.headers['etag']} ", size_bytes=5)
    assert answer.status_code == 200
    assert answer.json() == {
        "path": "dir/a",
        "path_type": "object",
        "physical_address": location["physical_address"],
        "checksum": put.headers["etag"].strip('"'),
        "size_bytes": 5,
        "mtime": int(server.clock()),
        "metadata": {},
    }
    assert (await repo.ask("GET", "/refs/main/objects?path=dir/a")).content == b"hello"
    more = {"user_metadata": {"k": "v"}, "content_type": "text/csv", "mtime": 5}
    stats = (await repo.link("dir/a", location, **more)).json()
    assert (stats["metadata"], stats["content_type"], stats["mtime"]) == ({"k": "v"}, "text/csv", 5)


async def test_a_stale_token(repo) -> None:
    location = await repo.address("a", presign=True)
    await repo.put("other")
    await repo.commit()
    answer = await repo.link("a", location)
    assert answer.status_code == 409
    assert answer.reason_phrase == "Conflict"
    assert answer.headers["content-type"] == "application/json"
    fresh = answer.json()
    assert set(fresh) == {"physical_address", "token", "presigned_url", "presigned_url_expiry"}
    assert fresh["token"] != location["token"]
    assert fresh["physical_address"] != location["physical_address"]
    refused(await repo.ask("GET", "/refs/main/objects/stat?path=a"), 404, "not found")
    assert (await repo.link("a", fresh)).status_code == 200
    assert (await repo.link("a", location | {"token": fresh["token"]})).status_code == 200
    plain = {"physical_address": location["physical_address"]}
    assert (await repo.link("a", plain)).status_code == 200
    assert (await repo.link("a", plain | {"presigned_url": None, "token": ""})).status_code == 200
    stale = await repo.link("a", plain | {"token": location["token"]})
    assert stale.status_code == 409
    assert set(stale.json()) == {"physical_address", "token"}


async def test_what_leaves_a_token_valid(repo) -> None:
    location = await repo.address("a")
    assert (await repo.ask("POST", "/branches/main/commits", json={"message": "m"})).status_code == 400
    await repo.branch("dev")
    await repo.put("b", branch="dev")
    await repo.commit(branch="dev")
    await repo.merge("dev", "main")
    await repo.put("c")
    await repo.done("PUT", "/branches/main", json={"type": "object", "path": "c"})
    assert (await repo.link("a", location)).status_code == 200
    await repo.done("PUT", "/branches/main", json={"type": "reset"})
    assert (await repo.link("a", location)).status_code == 409


async def test_addresses_are_for_one_path_of_one_branch(repo) -> None:
    await repo.branch("dev")
    other = await make(repo.api)
    location = await repo.address("a")
    address = {"physical_address": location["physical_address"]}
    refused(await repo.link("b", address), 400, "link address invalid")
    refused(await repo.link("a", address, branch="dev"), 400, "invalid address")
    refused(await other.link("a", address), 400, "link address invalid")
    refused(await repo.link("a", address, branch="nope"), 404, "branch not found")
    gone = Repo(repo.api, "no-such-repository")
    refused(await gone.link("a", address), 404, "repository not found")


async def test_tampered_addresses(repo) -> None:
    address = (await repo.address("a"))["physical_address"]
    namespace = (await repo.done("GET"))["storage_namespace"]
    head, _, signature = address.rpartition(",")
    for bad, text in [
        (head, "address is not signed: link address invalid"),
        (head + ",", "link address invalid"),
        (head + "," + signature[:-1], "link address invalid"),
        (head + "," + "!" * len(signature), "link address invalid"),
        (head[:-1] + "," + signature, "invalid address"),
        (head[:-1] + ("1" if head[-1] == "0" else "0") + "," + signature, "invalid address signature"),
        (f"{namespace}_lakehouse/repository", "link address invalid"),
        (f"{namespace}_lakehouse/x,{signature}", "link address invalid"),
        (namespace, "link address invalid"),
        (address.replace("/data/", "//data/"), "invalid address"),
        (address.replace("/data/", "/./data/"), "invalid address"),
        (address.replace("/data/", "/x/../data/"), "invalid address"),
        (address.replace("s3://", "S3://"), "invalid address"),
        (address.replace("lake.local", "LAKE.local"), "invalid address"),
        (address + "\x00", "invalid address"),
        ("", "invalid address"),
        ("nonsense", "invalid address"),
        ("s3://", "invalid address"),
        ("local:///etc/passwd", "invalid address"),
        ("file:///etc/passwd", "invalid address"),
        ("gs://bucket/a", "invalid address"),
        ("s3://elsewhere/a", "invalid address"),
    ]:
        refused(await repo.link("a", {"physical_address": bad}), 400, text)
    refused(await repo.link("a", {}), 400, "invalid address")
    assert await repo.paths() == []


async def test_addresses_of_other_repositories(repo) -> None:
    other = await make(repo.api)
    made = await other.put("secret", b"secret")
    namespace = (await other.done("GET"))["storage_namespace"]
    tree = (await other.commit())["meta_range_id"]
    for bad in (made["physical_address"], f"{namespace}_lakehouse/{tree}", namespace + "x"):
        refused(await repo.link("a", {"physical_address": bad}), 400, "link address invalid")
    encoded = made["physical_address"].replace("/data/", "/%64ata/")
    refused(await repo.link("a", {"physical_address": encoded}), 400, "link address invalid")


async def test_external_addresses(repo) -> None:
    outside = {"physical_address": f"s3://lake.local/outside-{fresh_name()}/a,b"}
    stats = await repo.link("a", outside)
    assert stats.status_code == 200
    assert stats.json()["physical_address"] == outside["physical_address"]
    token = (await repo.address("a"))["token"]
    await repo.commit()
    assert (await repo.link("a", outside | {"token": token})).status_code == 409


async def test_addresses_expire(repo, server) -> None:
    location = await repo.address("a")
    server.clock.now += 86_399
    assert (await repo.link("a", location)).status_code == 200
    server.clock.now += 3
    refused(await repo.link("a", location), 400, "link address expired")
    refused(await repo.link("a", {"physical_address": location["physical_address"]}), 400, "link address expired")


async def test_tokens_of_others(repo) -> None:
    await repo.branch("dev")
    location = await repo.address("a")
    other = await make(repo.api)
    token = location["token"]
    for bad in (
        (await repo.address("a", branch="dev"))["token"],
        (await other.address("a"))["token"],
        token[:-1],
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        "A" + token[1:],
        "nonsense",
        ".",
        "é",
        token + ".x",
    ):
        refused(await repo.link("a", location | {"token": bad}), 400, "link address invalid")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"checksum": ""}, "checksum is required"),
        ({"checksum": ' " " '}, "checksum is required"),
        ({"checksum": None}, "checksum"),
        ({"size_bytes": -1}, "size_bytes"),
        ({"size_bytes": "1"}, "size_bytes"),
        ({"size_bytes": 2**63}, "size_bytes"),
        ({"size_bytes": 10**40}, "size_bytes"),
        ({"mtime": -1}, "mtime"),
        ({"mtime": 10**15}, "mtime"),
        ({"user_metadata": {"a": 1}}, "user_metadata"),
        ({"user_metadata": {"a": "v" * 8192}}, "metadata is longer than 8192 bytes"),
        ({"staging": None}, "staging"),
    ],
)
async def test_bad_links(repo, more: dict, text: str) -> None:
    asked = {"staging": await repo.address("a"), **more}
    refused(await repo.link("a", asked.pop("staging"), **asked), 400, text)
    assert await repo.paths() == []


async def test_fields_that_are_missing(repo) -> None:
    location = await repo.address("a")
    for body in (
        {"checksum": "c", "size_bytes": 1},
        {"staging": location, "size_bytes": 1},
        {"staging": location, "checksum": "c"},
    ):
        answer = await repo.ask("PUT", "/branches/main/staging/backing?path=a", json=body)
        refused(answer, 400, "missing required field")


async def test_conditions(repo) -> None:
    async def link(path: str = "a", **headers: str):
        location = await repo.address(path)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"staging": location, "checksum": "c", "size_bytes": 1}
        return await repo.ask("PUT", "/branches/main/staging/backing", params={"path": path}, json=body, headers=names)

    assert (await link(if_none_match="*")).status_code == 200
    refused(await link(if_none_match="*"), 412, "Precondition failed")
    await repo.commit()
    refused(await link(if_none_match="*"), 412, "Precondition failed")
    await repo.remove("a")
    assert (await link(if_none_match="*")).status_code == 200
    for headers in ({"if_none_match": "abc"}, {"if_match": '"c"'}, {"if_match": "*", "if_none_match": "*"}):
        refused(await link("b", **headers), 501, "Not Implemented")


async def test_where_nothing_may_be_written(repo, frozen) -> None:
    location = await repo.address("a")
    await repo.protect("ma*")
    refused(await repo.link("a", location), 403, "cannot write to protected branch")
    refused(await repo.link("a", location, force=True), 403, "cannot write to protected branch")
    location = await frozen.address("a")
    refused(await frozen.link("a", location), 403, "read-only repository")
    assert (await frozen.link("a", location, force=True)).status_code == 200


# -- batches -----------------------------------------------------------------------------------------------------------


async def test_many_addresses(repo) -> None:
    paths = ["a", "dir/b", "a"]
    found = await addresses(repo, paths, presign=True)
    assert [one["path"] for one in found] == paths
    assert len({one["physical_address"] for one in found}) == 3
    assert all(one["presigned_url"] and one["presigned_url_expiry"] and one["token"] for one in found)
    assert set((await addresses(repo, ["a"]))[0]) == {"path", "physical_address", "token"}
    assert await addresses(repo, []) == []
    assert len(await addresses(repo, [f"p{number}" for number in range(10_000)])) == 10_000
    path = "/branches/main/staging/addresses"
    for body, text in [
        ({"paths": [f"p{number}" for number in range(10_001)]}, "paths"),
        ({"paths": ["a", ""]}, "item 1"),
        ({"paths": ["a", "b", "l" * 1025]}, "item 2"),
        ({"paths": ["a", 1]}, "paths"),
        ({}, "paths"),
    ]:
        refused(await repo.ask("POST", path, json=body), 400, text)
    refused(await repo.ask("POST", "/branches/nope/staging/addresses", json={"paths": ["a"]}), 404, "branch not found")


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("form", ["array", "lines"])
async def test_many_links(repo, form: str, atomic: bool) -> None:
    paths = [f"p{number:03}" for number in range(50)]
    wanted = items(await addresses(repo, paths))
    answer = await links(repo, wanted if form == "array" else lines(wanted), atomic=atomic)
    assert answer.status_code == 200
    results = [] if atomic else [{"path": path, "status_code": 200} for path in paths]
    assert answer.json() == {"linked": 50, "results": results}
    assert await repo.paths() == paths
    stat = await repo.done("GET", "/refs/main/objects/stat?path=p007")
    assert (stat["checksum"], stat["size_bytes"]) == ("c7", 7)


@pytest.mark.parametrize("atomic", ["true", "false"])
@pytest.mark.parametrize("step", [1, 7, 1000])
async def test_links_in_odd_pieces(repo, server, step: int, atomic: str) -> None:
    for form in ("array", "lines"):
        wanted = items(await addresses(repo, ["a", 'q"[]{}', "ü", "b\\"]))
        body = lines(wanted) if form == "lines" else json.dumps(wanted, ensure_ascii=False).encode()
        status, out = await drive(
            server.application,
            "PUT",
            f"{repo.url}/branches/main/staging/links",
            query=f"atomic={atomic}",
            pieces=[body[at : at + step] for at in range(0, len(body), step)],
        )
        assert status == 200
        assert json.loads(out)["linked"] == 4
        assert await repo.paths() == sorted(["a", 'q"[]{}', "ü", "b\\"], key=str.encode)
        await repo.done("PUT", "/branches/main", json={"type": "reset"})


@pytest.mark.parametrize("atomic", [True, False])
async def test_more_links_than_addresses_in_one_request(repo, atomic: bool) -> None:
    paths = [f"p{number:05}" for number in range(10_500)]
    found = await addresses(repo, paths[:10_000]) + await addresses(repo, paths[10_000:])
    answer = await links(repo, lines(items(found)), atomic=atomic)
    assert answer.status_code == 200
    assert answer.json()["linked"] == 10_500
    assert len(answer.json()["results"]) == (0 if atomic else 10_500)
    assert await repo.paths(after="p10497", amount=1000) == paths[10_498:]
    await repo.commit()
    assert await repo.diff("/branches/main/diff") == []


async def test_each_item_has_its_answer(repo, server) -> None:
    found = await addresses(repo, ["a", "b", "c", "d", "e"])
    wanted = items(found)
    wanted[1]["checksum"] = ""
    wanted[2]["path"] = "elsewhere"
    wanted[3]["path"] = "l" * 1025
    wanted[4]["path"] = ""
    answer = await links(repo, wanted)
    assert answer.status_code == 200
    body = answer.json()
    assert body["linked"] == 1
    assert [one["status_code"] for one in body["results"]] == [200, 400, 400, 400, 400]
    assert [one["path"] for one in body["results"]] == ["a", "b", "elsewhere", "l" * 1025, ""]
    for result, text in zip(
        body["results"][1:],
        ["checksum is required", "link address invalid", "longer than 1024", "missing path"],
        strict=True,
    ):
        assert text in result["message"]
        assert result["code"]
    assert await repo.paths() == ["a"]
    server.clock.now += 86_401
    [result] = (await links(repo, wanted[:1])).json()["results"]
    assert (result["status_code"], result["message"]) == (400, "link address expired")


async def test_an_atomic_batch_is_linked_as_a_whole(repo) -> None:
    wanted = items(await addresses(repo, [f"p{number:04}" for number in range(1500)]))
    for number, change, text in [
        (1400, {"checksum": ""}, "checksum is required"),
        (3, {"path": "other"}, "link address invalid"),
        (1499, {"path": "l" * 1025}, "longer than 1024"),
        (1203, {"path": ""}, "missing path"),
        (700, {"size_bytes": -1}, "size_bytes"),
    ]:
        bad = list(wanted)
        bad[number] = {**wanted[number], **change}
        answer = await links(repo, lines(bad), atomic=True)
        refused(answer, 400, text)
        assert f"item {number}" in answer.json()["message"]
        assert await repo.paths() == []
    assert (await links(repo, lines(wanted), atomic=True)).json() == {"linked": 1500, "results": []}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "item 0"),
        (b"nonsense", "item 0"),
        (b"[1]", "not a JSON array of objects"),
        (b"[", "the JSON array does not end"),
        (b"[{}", "item 0"),
        (b"[] x", "more after the end"),
        (b"null", "item 0"),
        (b'{"path":"a"}\n', "item 0"),
        (b'{"path":"\xff"}\n', "item 0"),
        (b'{"path":"' + b"a" * 70_000 + b'"}', "an item larger than"),
    ],
)
@pytest.mark.parametrize("atomic", [True, False])
async def test_bodies_that_are_no_list(repo, body: bytes, text: str, atomic: bool) -> None:
    refused(await links(repo, body, atomic=atomic), 400, text)
    assert await repo.paths() == []


async def test_the_wrong_line_is_named(repo) -> None:
    wanted = items(await addresses(repo, ["a", "b", "c"]))
    body = lines(wanted[:2]) + b"\n{not json}\n" + lines(wanted[2:])
    for atomic in (True, False):
        refused(await links(repo, body, atomic=atomic), 400, "item 2")
    assert await repo.paths() == []


@pytest.mark.parametrize("body", [b"", b"[]", b" \n\n", b"[ ]\n"])
async def test_empty_batches(repo, body: bytes) -> None:
    for atomic in (True, False):
        assert (await links(repo, body, atomic=atomic)).json() == {"linked": 0, "results": []}


async def test_batches_that_are_cut_off(repo, server) -> None:
    wanted = items(await addresses(repo, ["a", "b", "c"]))
    body = lines(wanted)
    path = f"{repo.url}/branches/main/staging/links"
    for length in (None, len(body)):
        status, _ = await drive(
            server.application, "PUT", path, query="atomic=true", pieces=[body[:-20]], length=length, leave=True
        )
        assert status == 400
        assert await repo.paths() == []


async def test_batches_to_nowhere(repo, api, frozen) -> None:
    refused(await links(repo, [], branch="nope"), 404, "branch not found")
    refused(await links(Repo(api, "no-such-repository"), []), 404, "repository not found")
    refused(await repo.ask("PUT", "/branches/main/staging/links?atomic=maybe", content=b"[]"), 400, "atomic")
    wanted = items(await addresses(repo, ["a"]))
    await repo.protect("main")
    refused(await links(repo, wanted), 403, "cannot write to protected branch")
    refused(await links(repo, wanted, atomic=True), 403, "cannot write to protected branch")


async def test_batches_to_a_read_only_repository(frozen) -> None:
    wanted = items(await addresses(frozen, ["a", "b"]))
    refused(await links(frozen, wanted, atomic=True), 403, "read-only repository")
    body = (await links(frozen, wanted)).json()
    assert [one["status_code"] for one in body["results"]] == [403, 403]
    wanted[1]["force"] = True
    body = (await links(frozen, wanted)).json()
    assert [one["status_code"] for one in body["results"]] == [403, 200]
    wanted[0]["force"] = True
    assert (await links(frozen, wanted, atomic=True)).json()["linked"] == 2


async def test_stale_tokens_in_batches(repo) -> None:
    old = await addresses(repo, ["a", "b"], presign=True)
    await repo.put("other")
    await repo.commit()
    fresh = await addresses(repo, ["c"])
    body = (await links(repo, items([*old, *fresh]))).json()
    assert [one["status_code"] for one in body["results"]] == [409, 409, 200]
    location = body["results"][0]["location"]
    assert set(location) == {"physical_address", "token", "presigned_url", "presigned_url_expiry"}
    assert location["token"] == fresh[0]["token"]
    assert (await links(repo, items([{**location, "path": "a"}]))).json()["linked"] == 1
    answer = await links(repo, items(old), atomic=True)
    assert answer.status_code == 409
    assert set(answer.json()) == {"physical_address", "token", "presigned_url", "presigned_url_expiry"}
    assert answer.json()["token"] == fresh[0]["token"]
    retried = [{**one, "token": fresh[0]["token"]} for one in old]
    assert (await links(repo, items(retried), atomic=True)).json()["linked"] == 2


class Interrupted:
    """A body that lets something happen between its pieces."""

    def __init__(self, pieces: list, between) -> None:
        self.pieces = pieces
        self.between = between

    async def __aiter__(self):
        for number, piece in enumerate(self.pieces):
            if number:
                await self.between()
            yield piece


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("count", [1200, 3])
async def test_a_commit_in_the_middle_of_a_batch(repo, atomic: bool, count: int) -> None:
    """Links with tokens that a commit has taken meanwhile get 409, those without are linked."""
    found = await addresses(repo, [f"p{number:04}" for number in range(2 * count)])
    first, second = items(found[:count]), items(found[count:])
    filler = b" " * 300_000 + b"\n"

    async def commit() -> None:
        await repo.put("other", str(count).encode())
        await repo.commit()

    body = Interrupted([lines(first) + filler, lines(second)], commit)
    answer = await repo.ask("PUT", "/branches/main/staging/links", params={"atomic": atomic}, content=body)
    if atomic:
        assert answer.status_code == 409
        assert answer.json()["token"] == (await repo.address("x"))["token"]
        assert await repo.paths() == ["other"]
        return
    statuses = [one["status_code"] for one in answer.json()["results"]]
    assert statuses == [200] * count + [409] * count
    for one in second:
        del one["staging"]["token"]
    body = Interrupted([lines(second[:1]) + filler, lines(second[1:])], commit)
    answer = await repo.ask("PUT", "/branches/main/staging/links", content=body)
    assert answer.json()["linked"] == count
    assert len(await repo.paths(prefix="p", amount=1000)) == min(2 * count, 1000)
