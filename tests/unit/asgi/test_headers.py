# SPDX-License-Identifier: Apache-2.0
"""Ranges, conditions, origins and the headers of objects."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.asgi.call import Call
from lakehouse.asgi.conditional import etag, expected_version, not_modified, only_if_absent
from lakehouse.asgi.origin import Origin
from lakehouse.asgi.ranges import content_range, parse_range, satisfy, unsatisfied_range
from lakehouse.asgi.streaming import WHOLE, ObjectFacts, disposition, head_response, object_response
from lakehouse.core.errors import ConditionUnsupported, InvalidArgument, RangeNotSatisfiable
from lakehouse.objects.port import ObjectInfo, ObjectReader
from lakehouse.wire.objects import GET_OBJECT

pytestmark = pytest.mark.anyio

FACTS = ObjectFacts(path="a/b.txt", size=10, checksum="c0ffee", mtime=0, content_type="text/plain")


def call_with(**headers: str) -> Call[Any, Any]:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Call(GET_OBJECT, {}, {"headers": sent}, None, Origin(), "id")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-5", 10, (2, 4)),
        ("bytes=2-99", 10, (2, 8)),
        ("bytes=9-", 10, (9, 1)),
        ("bytes=-3", 10, (7, 3)),
        ("bytes=-30", 10, (0, 10)),
    ],
)
def test_ranges(header: str, size: int, expected: tuple[int, int]) -> None:
    wanted = parse_range(header)
    assert wanted is not None
    assert satisfy(wanted, size) == expected


@pytest.mark.parametrize(("header", "size"), [("bytes=10-", 10), ("bytes=0-", 0), ("bytes=-1", 0), ("bytes=-0", 10)])
def test_ranges_outside_the_object_tell_its_size(header: str, size: int) -> None:
    wanted = parse_range(header)
    assert wanted is not None
    with pytest.raises(RangeNotSatisfiable) as caught:
        satisfy(wanted, size)
    assert caught.value.size == size


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-2",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=٣-",
        "bytes=" + "9" * 30 + "-",
    ],
)
def test_malformed_and_multiple_ranges_have_no_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header)
    assert caught.value.size is None


def test_no_range_and_range_headers() -> None:
    assert parse_range(None) is None
    assert content_range(2, 4, 10) == b"bytes 2-5/10"
    assert unsatisfied_range(0) == b"bytes */0"


def test_conditions_of_reads() -> None:
    assert etag("x") == '"x"'
    assert not_modified(call_with(if_none_match='"x"'), "x")
    for other in ("x", '"y"', "*", '"x", "y"', 'W/"x"'):
        assert not not_modified(call_with(if_none_match=other), "x")
    assert not not_modified(call_with(), "x")


def test_conditions_of_writes() -> None:
    assert only_if_absent(call_with(if_none_match="*"))
    assert not only_if_absent(call_with())
    for headers in (
        {"if_none_match": '"x"'},
        {"if_none_match": ""},
        {"if_match": '"x"'},
        {"if_match": "", "if_none_match": "*"},
    ):
        with pytest.raises(ConditionUnsupported):
            only_if_absent(call_with(**headers))


def test_versions_of_settings() -> None:
    values = [expected_version(call_with(if_match=value)) for value in ("", '""', "abc", '"abc"')]
    assert values == ["", "", "abc", "abc"]
    assert expected_version(call_with()) is None


def test_header_view() -> None:
    view = Call(
        GET_OBJECT, {}, {"headers": [(b"a", b"1"), (b"a", b"2"), (b"b", b"\xff")]}, None, Origin(), ""
    ).header_view  # type: ignore[arg-type]
    assert dict(view) == {"a": "1", "b": "ÿ"}
    assert len(view) == 2
    assert view.get("c") is None


def scope(client: str | None = "10.0.0.1", scheme: str = "http", **headers: str) -> dict[str, Any]:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": sent, "scheme": scheme, "client": client and (client, 1), "server": ("127.0.0.1", 80)}


FORWARDED = {
    "host": "inner:1",
    "x_forwarded_proto": "https",
    "x_forwarded_host": "lake.example",
    "x_forwarded_for": "1.2.3.4, 10.0.0.9",
}


def test_origins() -> None:
    assert Origin().endpoint(scope(host="lake:8000")) == "http://lake:8000"
    assert Origin().endpoint(scope(host="[::1]:8000")) == "http://[::1]:8000"
    assert Origin().endpoint(scope()) == "http://127.0.0.1:80"
    assert Origin(external_url="https://x.example/").endpoint(scope(host="lake")) == "https://x.example"
    for bad in ("a b", "a/b", 'a"', "a\r\nb"):
        with pytest.raises(InvalidArgument):
            Origin().endpoint(scope(host=bad))


def test_forwarded_headers_count_only_from_proxies() -> None:
    behind = Origin(trusted_proxies=["10.0.0.0/8"])
    assert behind.endpoint(scope(**FORWARDED)) == "https://lake.example"
    assert behind.peer(scope(**FORWARDED)) == "1.2.3.4"
    assert behind.endpoint(scope("11.0.0.1", **FORWARDED)) == "http://inner:1"
    assert behind.peer(scope("11.0.0.1", **FORWARDED)) == "11.0.0.1"
    assert Origin().endpoint(scope(**FORWARDED)) == "http://inner:1"
    assert Origin().peer(scope(**FORWARDED)) == "10.0.0.1"
    assert behind.peer(scope(host="a")) == "10.0.0.1"
    assert behind.peer(scope(None, **FORWARDED)) == ""


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("a/b.png", "image/png", b'inline; filename="b.png"'),
        ("a.html", "text/html", b'attachment; filename="a.html"'),
        ("a.svg", "image/svg+xml", b'attachment; filename="a.svg"'),
        ("a.txt", "text/plain; charset=utf-8", b'attachment; filename="a.txt"'),
        ('d/"é\r\n', "text/plain", b"inline; filename=\"____\"; filename*=UTF-8''%22%C3%A9%0D%0A"),
        ("d/", "", b'attachment; filename="d"'),
    ],
)
def test_dispositions(path: str, kind: str, expected: bytes) -> None:
    assert disposition(path, kind) == expected


async def chunks(*parts: bytes) -> Any:
    for part in parts:
        yield part


async def test_object_responses() -> None:
    info = ObjectInfo(size=10, etag="c0ffee", modified=0)
    whole = await object_response(FACTS, ObjectReader(info, 0, 10, chunks(b"01234", b"56789")), partial=False)
    headers = dict(whole.headers)
    assert (whole.status, whole.body) == (200, b"0123456789")
    assert headers[b"etag"] == b'"c0ffee"'
    assert headers[b"last-modified"] == b"Thu, 01 Jan 1970 00:00:00 GMT"
    assert headers[b"content-security-policy"] == b"sandbox; default-src 'none'"
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"
    assert headers[b"cache-control"] == b"no-store, must-revalidate"
    part = await object_response(FACTS, ObjectReader(info, 2, 3, chunks(b"234")), partial=True)
    assert (part.status, dict(part.headers)[b"content-range"]) == (206, b"bytes 2-4/10")
    large = ObjectReader(info, 0, WHOLE + 1, chunks(b"x"))
    assert (await object_response(FACTS, large, partial=False)).body is large.body


def test_head_responses() -> None:
    whole, part = head_response(FACTS, span=None), head_response(FACTS, span=(2, 3))
    assert dict(whole.headers)[b"content-length"] == b"10"
    assert (part.status, dict(part.headers)[b"content-length"]) == (206, b"3")
    assert dict(part.headers)[b"accept-ranges"] == b"bytes"
    odd = ObjectFacts(path="a", size=0, checksum="x", mtime=0, content_type="text/plain\r\nx: y")
    assert b"\r" not in dict(head_response(odd, span=None).headers)[b"content-type"]
