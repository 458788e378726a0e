# SPDX-License-Identifier: Apache-2.0
"""Reading objects over REST: headers, ranges, conditions, presigned URLs, what is not there."""

from __future__ import annotations

from email.utils import formatdate
from urllib.parse import urlsplit

import pytest

from .conftest import Repo, drive, refused
from .conftest import read_object as read
from .conftest import stat_object as stat

pytestmark = pytest.mark.anyio

TEN = b"0123456789"


async def test_headers_of_an_object(repo, server) -> None:
    made = await repo.put("dir/a.txt", TEN, headers={"content-type": "text/plain"})
    answer = await read(repo, "dir/a.txt")
    assert answer.status_code == 200
    headers = dict(answer.headers)
    assert len(headers.pop("x-request-id")) == 36
    assert headers == {
        "content-type": "text/plain",
        "content-length": "10",
        "etag": f'"{made["checksum"]}"',
        "last-modified": formatdate(made["mtime"], usegmt=True),
        "content-disposition": 'inline; filename="a.txt"',
        "cache-control": "no-store, must-revalidate",
        "expires": "0",
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    head = await read(repo, "dir/a.txt", method="HEAD")
    assert head.status_code == 200
    assert head.content == b""
    headers_of_head = dict(head.headers)
    assert headers_of_head.pop("accept-ranges") == "bytes"
    headers_of_head.pop("x-request-id")
    assert headers_of_head == headers


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image/png", "inline"),
        ("application/pdf", "inline"),
        ("text/plain", "inline"),
        ("text/plain; charset=utf-8", "attachment"),
        ("text/html", "attachment"),
        ("image/svg+xml", "attachment"),
        ("application/xml", "attachment"),
        ("text/xml", "attachment"),
        ("TEXT/HTML", "attachment"),
        ("application/octet-stream", "attachment"),
    ],
)
async def test_what_browsers_may_show(repo, kind: str, shown: str) -> None:
    await repo.put("x.bin", b"<script>", headers={"content-type": kind})
    answer = await read(repo, "x.bin")
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"] == f'{shown}; filename="x.bin"'
    assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"


async def test_file_names(repo) -> None:
    for path, name in {
        'a"b\\c': "attachment; filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc",
        "x/ü": "attachment; filename=\"_\"; filename*=UTF-8''%C3%BC",
        "x\r\nset-cookie: a": "attachment; filename=\"x__set-cookie: a\"; filename*=UTF-8''x%0D%0Aset-cookie%3A%20a",
    }.items():
        await repo.put(path)
        answer = await read(repo, path)
        assert answer.headers["content-disposition"] == name
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("wanted", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-30", TEN, "bytes 0-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=9-9", b"9", "bytes 9-9/10"),
        ("bytes=0-", TEN, "bytes 0-9/10"),
    ],
)
async def test_ranges(repo, wanted: str, body: bytes, content_range: str) -> None:
    await repo.put("a", TEN)
    for method in ("GET", "HEAD"):
        answer = await read(repo, "a", method=method, headers={"range": wanted})
        assert answer.status_code == 206
        assert answer.headers["content-range"] == content_range
        assert answer.headers["content-length"] == str(len(body))
        assert answer.content == (body if method == "GET" else b"")


@pytest.mark.parametrize(
    ("size", "wanted", "content_range"),
    [
        (10, "bytes=10-", "bytes */10"),
        (10, "bytes=10-11", "bytes */10"),
        (10, "bytes=-0", "bytes */10"),
        (0, "bytes=0-", "bytes */0"),
        (0, "bytes=0-0", "bytes */0"),
        (0, "bytes=-5", "bytes */0"),
        (10, "bytes=5-2", None),
        (10, "bytes=0-1,3-4", None),
        (10, "bytes=", None),
        (10, "bytes=-", None),
        (10, "bytes=a-b", None),
        (10, "items=0-1", None),
        (10, "", None),
    ],
)
async def test_ranges_that_cannot_be_satisfied(repo, size: int, wanted: str, content_range: str | None) -> None:
    await repo.put("a", TEN[:size])
    for method in ("GET", "HEAD"):
        answer = await read(repo, "a", method=method, headers={"range": wanted})
        assert answer.status_code == 416
        assert answer.headers.get("content-range") == content_range
        assert method == "GET" or answer.content == b""


async def test_if_none_match(repo) -> None:
    made = await repo.put("a")
    tag = f'"{made["checksum"]}"'
    answer = await read(repo, "a", headers={"if-none-match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert "etag" not in answer.headers
    for other in (made["checksum"], "*", f'{tag}, "x"', f"W/{tag}", ""):
        assert (await read(repo, "a", headers={"if-none-match": other})).status_code == 200


async def test_presigned_reads(repo, server) -> None:
    await repo.put("a.html", TEN, headers={"content-type": "text/html"})
    answer = await read(repo, "a.html", presign=True)
    assert answer.status_code == 302
    target = answer.headers["location"]
    shown = await stat(repo, "a.html", presign=True)
    assert shown["physical_address"].startswith("http://localhost:8000/lake.local/")
    assert shown["physical_address_expiry"] == int(server.clock()) + 900
    [listed] = (await repo.done("GET", "/refs/main/objects/ls?presign=true"))["results"]
    assert listed["physical_address_expiry"] == int(server.clock()) + 900
    async with server.client(base_url="http://localhost:8000") as anybody:
        for url in (target, shown["physical_address"], listed["physical_address"]):
            got = await anybody.get(url, headers={"range": "bytes=2-4"})
            assert (got.status_code, got.content) == (206, b"234")
            assert "sandbox" in got.headers["content-security-policy"]
            assert got.headers["content-disposition"].startswith("attachment")
            assert (await anybody.put(url, content=b"over")).status_code == 403
            parts = urlsplit(url)
            assert (await anybody.get(parts._replace(path=parts.path + "x").geturl())).status_code == 403
        server.clock.now += 901
        assert (await anybody.get(target)).status_code == 403
    assert (await read(repo, "a.html")).content == TEN


async def test_objects_that_are_not_there(repo, api) -> None:
    await repo.put("dir/a")
    gone = Repo(api, "no-such-repository")
    for suffix in ("", "/stat", "/underlyingProperties"):
        query = {"path": "dir"}
        refused(await repo.ask("GET", f"/refs/main/objects{suffix}", params=query), 404, "not found")
        refused(await repo.ask("GET", f"/refs/nope/objects{suffix}", params=query), 404, "not found")
        refused(await repo.ask("GET", f"/refs/main~3/objects{suffix}", params=query), 404, "not found")
        refused(await repo.ask("GET", f"/refs/main^3/objects{suffix}", params=query), 400, "invalid ref")
        refused(await gone.ask("GET", f"/refs/main/objects{suffix}", params=query), 404, "repository not found")
    refused(await repo.ask("GET", "/refs/main/objects/stat?path=dir/"), 404, "not found")
    for ref, path, status in (("main", "nope", 404), ("nope", "a", 404), ("main^3", "a", 400)):
        answer = await read(repo, path, ref=ref, method="HEAD")
        assert (answer.status_code, answer.content) == (status, b"")
    refused(await read(repo, "dir/a", ref="main@"), 404, "not found")
    assert (await read(repo, "dir/a", ref="main$")).content == b"x"


async def test_data_that_is_gone(repo) -> None:
    location = await repo.address("a")
    assert (await repo.link("a", location)).status_code == 200
    refused(await read(repo, "a"), 410, "No data")
    assert (await stat(repo, "a"))["size_bytes"] == 1


async def test_large_objects_are_streamed(repo, server) -> None:
    piece = bytes(range(256)) * 1024
    status, _ = await drive(
        server.application, "POST", f"{repo.url}/branches/main/objects", query="path=big", pieces=[piece] * 9
    )
    assert status == 201
    answer = await read(repo, "big")
    assert answer.content == piece * 9
    assert answer.headers["content-length"] == str(len(piece) * 9)
    answer = await read(repo, "big", headers={"range": f"bytes={len(piece) + 5}-"})
    assert answer.content == (piece * 9)[len(piece) + 5 :]
