# SPDX-License-Identifier: Apache-2.0
"""Objects over REST: upload, list, delete, copy, user metadata."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from .conftest import Repo, drive, make, refused
from .conftest import read_object as read
from .conftest import stat_object as stat

pytestmark = pytest.mark.anyio

TEN = b"0123456789"


# -- upload ------------------------------------------------------------------------------------------------------------


async def test_a_raw_upload(repo, server) -> None:
    headers = {
        "content-type": "text/plain; charset=utf-8",
        "x-lakefs-meta-Foo": "Bär",
        "X-Lakefs-Meta-two-words": "b",
        "x-lakefs-internal-Client-Mtime": "12",
    }
    path = "/branches/main/objects?path=dir/a.txt"
    answer = await repo.ask("POST", path, content=TEN, headers={k: v.encode() for k, v in headers.items()})
    assert answer.status_code == 201
    made = answer.json()
    assert made.pop("physical_address").startswith(f"{(await repo.done('GET'))['storage_namespace']}data/")
    assert made == {
        "path": "dir/a.txt",
        "path_type": "object",
        "checksum": hashlib.md5(TEN).hexdigest(),
        "size_bytes": 10,
        "mtime": int(server.clock()),
        "metadata": {"foo": "Bär", "two-words": "b", "::lakefs::client-mtime": "12"},
        "content_type": "text/plain; charset=utf-8",
    }
    assert await stat(repo, "dir/a.txt") == answer.json()
    plain = await repo.put("plain")
    assert plain["content_type"] == "application/octet-stream"
    assert plain["metadata"] == {}


async def test_an_empty_object(repo) -> None:
    made = await repo.put("empty", b"")
    assert (made["size_bytes"], made["checksum"]) == (0, hashlib.md5(b"").hexdigest())
    assert (await read(repo, "empty")).content == b""


async def test_a_form(repo) -> None:
    made = await repo.done(
        "POST",
        "/branches/main/objects?path=a",
        data={"other": "x"},
        files={"content": ("name.csv", TEN, "text/csv")},
        headers={"x-lakefs-meta-k": "v"},
    )
    assert (made["size_bytes"], made["content_type"], made["metadata"]) == (10, "text/csv", {"k": "v"})
    assert (await read(repo, "a")).content == TEN
    made = await repo.done("POST", "/branches/main/objects?path=b", files={"content": TEN})
    assert made["size_bytes"] == 10


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("multipart/form-data", b"--x--", "boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nbody\r\n--x--\r\n", "multipart upload missing key 'content'"),
        ("multipart/form-data; boundary=x", b"no form at all", "multipart upload"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="content"\r\n\r\nhalf a bo',
            "",
        ),
    ],
)
async def test_bad_forms_store_nothing(repo, kind: str, body: bytes, text: str) -> None:
    answer = await repo.ask("POST", "/branches/main/objects?path=a", content=body, headers={"content-type": kind})
    refused(answer, 400, text)
    assert await repo.paths() == []


async def test_bodies_that_are_cut_off_store_nothing(repo, server) -> None:
    path = f"{repo.url}/branches/main/objects"
    for length, leave in ((100, True), (100, False), (None, True), (5, False)):
        status, _ = await drive(
            server.application, "POST", path, query="path=cut", pieces=[b"0123", b"456789"], length=length, leave=leave
        )
        assert status == 400
    assert await repo.paths() == []
    status, _ = await drive(server.application, "POST", path, query="path=whole", pieces=[b"0123", b"4"], length=None)
    assert status == 201
    assert (await read(repo, "whole")).content == b"01234"


async def test_create_only_if_absent(repo) -> None:
    async def create(path: str = "a", **headers: str):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await repo.ask("POST", "/branches/main/objects", params={"path": path}, content=b"x", headers=names)

    assert (await create(if_none_match="*")).status_code == 201
    answer = await create(if_none_match="*")
    refused(answer, 412, "path already exists")
    await repo.commit()
    refused(await create(if_none_match="*"), 412, "Precondition failed")
    await repo.remove("a")
    assert (await create(if_none_match="*")).status_code == 201
    for headers in (
        {"if_none_match": '"abc"'},
        {"if_none_match": ""},
        {"if_match": "*"},
        {"if_match": '"abc"', "if_none_match": "*"},
    ):
        refused(await create("new", **headers), 501, "Not Implemented")
    assert await repo.paths() == ["a"]


PATHS = ["a b", "ü/ä", "/leading", "a//b", "..", "../../etc/passwd", "a/./b", "%2F", "a%2Fb", "nul\x00", "\n",
         "q?x=1&y", "dir/", "+", "a" * 1024, "é" * 512, "\U0001f30a"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path)[:20])
async def test_any_path_is_only_a_name(repo, path: str) -> None:
    body = path.encode()
    await repo.put(path, body)
    await repo.commit()
    await repo.put("other")
    answer = await read(repo, path)
    assert answer.content == body
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert (await stat(repo, path))["path"] == path
    assert sorted(await repo.paths()) == sorted([path, "other"])
    assert await repo.paths(prefix=path) == [path]
    assert path not in await repo.paths(after=path)
    location = await repo.address(path)
    assert (await repo.link(path, location)).status_code == 200
    await repo.remove(path)
    assert await repo.paths() == ["other"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "path"),
        ("path=", "path"),
        ("path=" + "a" * 1025, "longer than 1024 bytes"),
        ("path=" + quote("é") * 513, "longer than 1024 bytes"),
        ("path=%FF", "not UTF-8"),
        ("path=%ED%A0%80", "not UTF-8"),
    ],
)
@pytest.mark.parametrize(
    "route",
    ["GET refs/main/objects", "GET refs/main/objects/stat", "POST branches/main/objects",
     "DELETE branches/main/objects", "GET branches/main/staging/backing", "GET refs/main/objects/underlyingProperties"],
)  # fmt: skip
async def test_bad_paths(repo, route: str, query: str, text: str) -> None:
    method, path = route.split()
    refused(await repo.ask(method, f"/{path}?{query}"), 400, text)


async def test_uploads_to_nowhere(repo, api) -> None:
    answer = await repo.ask("POST", "/branches/nope/objects?path=a", content=b"x")
    refused(answer, 404, "branch 'nope' not found")
    answer = await repo.ask("POST", "/branches/main~/objects?path=a", content=b"x")
    assert answer.status_code in (400, 404)
    await repo.done("POST", "/tags", json={"id": "v1", "ref": "main"})
    refused(await repo.ask("POST", "/branches/v1/objects?path=a", content=b"x"), 404, "branch not found")
    gone = Repo(api, "no-such-repository")
    refused(await gone.ask("POST", "/branches/main/objects?path=a", content=b"x"), 404, "repository not found")


async def test_too_much_metadata(repo) -> None:
    headers = {f"x-lakefs-meta-{number}": "v" * 1000 for number in range(9)}
    answer = await repo.ask("POST", "/branches/main/objects?path=a", content=b"x", headers=headers)
    refused(answer, 400, "metadata is longer than 8192 bytes")
    answer = await repo.ask("PUT", "/branches/main/objects/stat/user_metadata?path=a", json={"set": {}})
    refused(answer, 404, "not found")


# -- list --------------------------------------------------------------------------------------------------------------


async def test_lists(repo) -> None:
    paths = ["a", "b/1", "b/2", "b/c/3", "b0", "c"]
    for path in paths:
        await repo.put(path, headers={"x-lakefs-meta-k": "v"})
    await repo.commit()
    await repo.remove("b0")
    await repo.put("aa", b"staged")
    await repo.put("c", b"overwritten")
    assert await repo.paths() == ["a", "aa", "b/1", "b/2", "b/c/3", "c"]
    assert await repo.paths("main@") == paths
    assert await repo.paths(delimiter="/") == ["a", "aa", "b/", "c"]
    assert await repo.paths(delimiter="/", prefix="b/") == ["b/1", "b/2", "b/c/"]
    assert await repo.paths(delimiter="/", after="b/") == ["c"]
    assert await repo.paths(after="b/") == ["b/1", "b/2", "b/c/3", "c"]
    assert await repo.paths(after="b", prefix="b/", amount=1) == ["b/1"]
    assert await repo.paths(delimiter="b") == ["a", "aa", "b", "c"]
    assert await repo.paths(after="zzz") == []
    assert await repo.paths(prefix="zzz") == []
    page = await repo.done("GET", "/refs/main/objects/ls?delimiter=/&amount=3")
    assert page["pagination"] == {"has_more": True, "next_offset": "b/", "results": 3, "max_per_page": 1000}
    assert page["results"][2] == {
        "path": "b/",
        "path_type": "common_prefix",
        "physical_address": "",
        "checksum": "",
        "mtime": 0,
    }
    assert page["results"][0] == await stat(repo, "a")
    assert page["results"][0]["metadata"] == {"k": "v"}
    found = await repo.done("GET", "/refs/main/objects/ls?user_metadata=false")
    assert all("metadata" not in one for one in found["results"])
    assert (await stat(repo, "a", user_metadata=False))["metadata"] == {}
    for query in ("amount=1001", "amount=-2", "presign=maybe"):
        refused(await repo.ask("GET", f"/refs/main/objects/ls?{query}"), 400, query.partition("=")[0])
    refused(await repo.ask("GET", f"/refs/main/objects/ls?prefix={'p' * 1025}"), 400, "longer than 1024")
    refused(await repo.ask("GET", "/refs/nope/objects/ls"), 404, "not found")


async def test_every_page_of_a_listing(repo) -> None:
    expected = sorted(f"{number % 7}/{number:03}" for number in range(120))
    for path in expected[::2]:
        await repo.put(path)
    await repo.commit()
    for path in expected[1::2]:
        await repo.put(path)
    for amount in (1, 7, 119, 120, 1000):
        found, after = [], ""
        while True:
            page = await repo.done("GET", "/refs/main/objects/ls", params={"amount": amount, "after": after})
            found += [one["path"] for one in page["results"]]
            after = page["pagination"]["next_offset"]
            if not page["pagination"]["has_more"]:
                assert after == ""
                break
            assert after == found[-1]
        assert found == expected
    assert len(await repo.paths(amount=-1)) == 100


# -- delete ------------------------------------------------------------------------------------------------------------


async def test_deletion(repo) -> None:
    await repo.put("a")
    await repo.commit()
    for _ in range(2):
        answer = await repo.ask("DELETE", "/branches/main/objects?path=a")
        assert (answer.status_code, answer.content) == (204, b"")
    assert await repo.diff("/branches/main/diff") == [("removed", "a")]
    refused(await read(repo, "a"), 404, "not found")
    await repo.put("new")
    await repo.remove("new")
    assert await repo.diff("/branches/main/diff") == [("removed", "a")]
    refused(await repo.ask("DELETE", "/branches/nope/objects?path=a"), 404, "branch not found")
    answer = await repo.ask("DELETE", "/branches/main/objects?path=never&no_tombstone=true")
    assert answer.status_code == 204


async def test_bulk_deletion(repo, api) -> None:
    for path in ("a", "b", "kept"):
        await repo.put(path)
    await repo.commit()

    async def delete(paths: object, branch: str = "main", **query: object):
        return await repo.ask("POST", f"/branches/{branch}/objects/delete", params=query, json={"paths": paths})

    answer = await delete(["a", "a", "", "never", "b"])
    assert (answer.status_code, answer.json()) == (200, {"errors": []})
    assert await repo.paths() == ["kept"]
    assert (await delete([])).json() == {"errors": []}
    assert (await delete(["kept"], branch="nope")).json() == {"errors": []}
    gone = Repo(api, "no-such-repository")
    answer = await gone.ask("POST", "/branches/main/objects/delete", json={"paths": ["a"]})
    assert (answer.status_code, answer.json()) == (200, {"errors": []})
    assert (await delete([f"n{number}" for number in range(1000)])).json() == {"errors": []}
    refused(
        await delete([f"n{number}" for number in range(1001)]), 400, "request size exceeded, max paths is set to 1000"
    )
    long = "l" * 1025
    [error] = (await delete(["kept", long])).json()["errors"]
    assert (error["path"], error["status_code"]) == (long, 400)
    assert await repo.paths() == []
    for paths in (None, "a", [1], {}):
        refused(await delete(paths), 400, "paths")


async def test_bulk_deletion_where_nothing_may_be_written(repo, frozen) -> None:
    await repo.put("a")
    await repo.commit()
    await repo.protect("main")
    answer = await repo.ask("POST", "/branches/main/objects/delete", json={"paths": ["a", "", "b"]})
    assert answer.status_code == 200
    assert answer.json()["errors"] == [
        {"path": path, "status_code": 403, "message": "cannot write to protected branch"} for path in ("a", "b")
    ]
    assert await repo.paths() == ["a"]
    answer = await frozen.ask("POST", "/branches/main/objects/delete", json={"paths": ["a"]})
    assert [error["status_code"] for error in answer.json()["errors"]] == [403]
    answer = await frozen.ask("POST", "/branches/main/objects/delete?force=true", json={"paths": ["a"]})
    assert answer.json() == {"errors": []}


# -- copy, metadata, stage ---------------------------------------------------------------------------------------------


async def test_copies(repo, server) -> None:
    made = await repo.put("a", TEN, headers={"content-type": "text/csv", "x-lakefs-meta-k": "v"})
    server.clock.now += 5
    await repo.branch("dev")
    for body, branch in (({"src_path": "a"}, "main"), ({"src_path": "a", "src_ref": "main"}, "dev")):
        answer = await repo.ask("POST", f"/branches/{branch}/objects/copy", params={"dest_path": "b"}, json=body)
        assert answer.status_code == 201
        copied = answer.json()
        assert copied["physical_address"] != made["physical_address"]
        assert copied["mtime"] == made["mtime"] + 5
        for key in ("checksum", "size_bytes", "content_type", "metadata"):
            assert copied[key] == made[key]
        assert (await read(repo, "b", ref=branch)).content == TEN
    await repo.put("over", b"other")
    await repo.done("POST", "/branches/main/objects/copy", params={"dest_path": "over"}, json={"src_path": "a"})
    assert (await read(repo, "over")).content == TEN
    await repo.done("POST", "/branches/main/objects/copy", params={"dest_path": "a"}, json={"src_path": "a"})
    assert (await read(repo, "a")).content == TEN


@pytest.mark.parametrize(
    ("branch", "destination", "body", "status", "text"),
    [
        ("main", "b", {"src_path": "nope"}, 404, "not found"),
        ("main", "b", {"src_path": "a", "src_ref": "nope"}, 404, "not found"),
        ("main", "b", {"src_path": "a", "src_ref": "main@"}, 404, "not found"),
        ("nope", "b", {"src_path": "a", "src_ref": "main"}, 404, "branch not found"),
        ("main", "", {"src_path": "a"}, 400, "dest_path"),
        ("main", "b" * 1025, {"src_path": "a"}, 400, "longer than 1024"),
        ("main", "b", {"src_path": ""}, 400, "path"),
        ("main", "b", {}, 400, "src_path"),
        ("main", "b", {"src_path": "a", "shallow": True}, 501, "Not Implemented"),
        ("main", "b", {"src_path": "a", "src_ref": "main^x"}, 400, "invalid ref"),
    ],
)
async def test_copies_that_are_refused(repo, branch, destination, body, status, text) -> None:
    await repo.put("a")
    path = f"/branches/{branch}/objects/copy"
    refused(await repo.ask("POST", path, params={"dest_path": destination}, json=body), status, text)
    assert await repo.paths() == ["a"]


async def test_user_metadata(repo) -> None:
    made = await repo.put("a", headers={"x-lakefs-meta-old": "1"})
    await repo.commit()
    path = "/branches/main/objects/stat/user_metadata"
    answer = await repo.ask("PUT", path, params={"path": "a"}, json={"set": {"New": "2"}})
    assert (answer.status_code, answer.content) == (204, b"")
    changed = await stat(repo, "a")
    assert changed == made | {"metadata": {"New": "2"}}
    assert await repo.diff("/branches/main/diff") == [("changed", "a")]
    await repo.done("PUT", path, params={"path": "a"}, json={"set": {"old": "1"}})
    assert await repo.diff("/branches/main/diff") == []
    refused(await repo.ask("PUT", path, params={"path": "nope"}, json={"set": {}}), 404, "not found")
    await repo.remove("a")
    refused(await repo.ask("PUT", path, params={"path": "a"}, json={"set": {}}), 404, "not found")
    refused(await repo.ask("PUT", "/branches/nope/objects/stat/user_metadata?path=a", json={"set": {}}), 404, "branch")
    for body in ({}, {"set": None}, {"set": {"a": 1}}):
        refused(await repo.ask("PUT", path, params={"path": "a"}, json=body), 400, "set")
    await repo.put("a")
    big = {"set": {"k": "v" * 8192}}
    refused(await repo.ask("PUT", path, params={"path": "a"}, json=big), 400, "metadata is longer than 8192")


async def test_storage_class(repo) -> None:
    await repo.put("a")
    found = await repo.done("GET", "/refs/main/objects/underlyingProperties?path=a")
    assert found == {"storage_class": None}
    answer = await repo.ask("POST", "/branches/main/objects?path=b&storageClass=COLD", content=b"x")
    assert answer.status_code == 201


async def test_probe(repo) -> None:
    answer = await repo.ask("GET", "/branches/main/objects/stage_allowed?path=a")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await repo.ask("GET", "/branches/nope/objects/stage_allowed?path=a"), 404, "branch not found")
    refused(await repo.ask("GET", "/branches/main/objects/stage_allowed"), 400, "path")


async def test_staged_objects(api) -> None:
    repo = await make(api)
    location = await repo.address("a")
    namespace = (await repo.done("GET"))["storage_namespace"]
    body = {"physical_address": location["physical_address"], "checksum": "c", "size_bytes": 3, "mtime": 7}

    async def stage(path: str = "a", **more: object):
        return await repo.ask("PUT", f"/branches/main/objects?path={path}", json={**body, **more})

    answer = await stage(metadata={"k": "v"}, content_type="text/csv")
    assert answer.status_code == 201
    assert answer.json() == {
        "path": "a",
        "path_type": "object",
        "physical_address": location["physical_address"],
        "checksum": "c",
        "size_bytes": 3,
        "mtime": 7,
        "metadata": {"k": "v"},
        "content_type": "text/csv",
    }
    for path, more, text in [
        ("b", {}, "link address invalid"),
        ("b", {"physical_address": "local:///etc/passwd"}, "invalid address"),
        ("b", {"physical_address": namespace + "_lakehouse/repository"}, "link address invalid"),
        ("b", {"physical_address": ""}, "invalid address"),
        ("a", {"size_bytes": -1}, "size_bytes"),
        ("a", {"size_bytes": 2**63}, "size_bytes"),
        ("a", {"size_bytes": 10**30}, "size_bytes"),
        ("a", {"mtime": -1}, "mtime"),
        ("a", {"mtime": 10**15}, "mtime"),
        ("a", {"checksum": ' "" '}, "checksum is required"),
    ]:
        refused(await stage(path, **more), 400, text)
    refused(await repo.ask("PUT", "/branches/nope/objects?path=a", json=body), 404, "branch not found")
    assert (await read(repo, "a", method="HEAD")).status_code == 200
