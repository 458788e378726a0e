# SPDX-License-Identifier: Apache-2.0
"""Forms and long lists, cut into pieces at every place."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.asgi.call import STREAM_CHUNK, Call
from lakehouse.asgi.form import read_upload
from lakehouse.asgi.items import MAX_ITEM, PAGE, ItemReader
from lakehouse.asgi.origin import Origin
from lakehouse.core.errors import BodyTooLarge, IncompleteBody, InvalidArgument
from lakehouse.wire.objects import UPLOAD_OBJECT

pytestmark = pytest.mark.anyio

FORM = (
    b'--XX\r\nContent-Disposition: form-data; name="note"\r\n\r\ncontent\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="content"; filename="a"\r\nContent-Type: text/x\r\n\r\n'
    b"some\r\nbytes--XX\r\n"
    b'--XX\r\nContent-Disposition: form-data; name="content"\r\n\r\nsecond\r\n--XX--\r\n'
)
MULTIPART = "multipart/form-data; boundary=XX"


def call_of(body: bytes, *, step: int = 0, kind: str | None = None, cut: bool = False) -> Call[Any, Any]:
    """A call whose body comes in pieces of `step` bytes; `cut`: and then the caller leaves."""
    step = step or len(body) or 1
    pieces = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": cut or number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    headers = [(b"transfer-encoding", b"chunked")] + ([(b"content-type", kind.encode())] if kind else [])
    return Call(UPLOAD_OBJECT, {}, {"headers": headers}, receive, Origin(), "id")


async def collected(body: Any) -> bytes:
    return b"".join([chunk async for chunk in body])


async def content_of(call: Call[Any, Any]) -> bytes:
    return await collected((await read_upload(call)).body)


async def test_raw_uploads() -> None:
    upload = await read_upload(call_of(b"abc", step=1, kind="text/csv; x=y"))
    assert (upload.content_type, await collected(upload.body)) == ("text/csv; x=y", b"abc")
    assert (await read_upload(call_of(b""))).content_type == "application/octet-stream"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
async def test_forms_cut_anywhere(step: int) -> None:
    upload = await read_upload(call_of(FORM, step=step, kind=MULTIPART))
    assert (upload.content_type, upload.size) == ("text/x", None)
    assert await collected(upload.body) == b"some\r\nbytes--XX"


async def test_large_forms_come_in_chunks() -> None:
    data = b"0123456789abcdef" * 65536
    form = b'--XX\r\nContent-Disposition: form-data; name="content"\r\n\r\n' + data + b"\r\n--XX--\r\n"
    upload = await read_upload(call_of(form, step=65536, kind=MULTIPART))
    chunks = [chunk async for chunk in upload.body]
    assert b"".join(chunks) == data
    assert all(STREAM_CHUNK <= len(chunk) < STREAM_CHUNK + 65536 for chunk in chunks[:-1])
    assert upload.content_type == "application/octet-stream"


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (
            b'--XX\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--XX--\r\n',
            MULTIPART,
            "missing key 'content'",
        ),
        (FORM, "multipart/form-data", "boundary"),
        (b"nonsense", MULTIPART, "multipart"),
    ],
)
async def test_forms_that_are_refused(body: bytes, kind: str, text: str) -> None:
    with pytest.raises(InvalidArgument, match=text):
        await read_upload(call_of(body, kind=kind))


@pytest.mark.parametrize("size", [len(FORM) - 120, len(FORM) - 20])
async def test_forms_that_end_early(size: int) -> None:
    for cut in (True, False):
        with pytest.raises(IncompleteBody):
            await content_of(call_of(FORM[:size], step=50, kind=MULTIPART, cut=cut))


class Item(msgspec.Struct, frozen=True):
    path: str
    metadata: dict[str, str] = {}
    tags: list[int] = []


READER = ItemReader(Item)
ITEMS = [
    {"path": "a"},
    {"path": 'b"}],[{\\', "metadata": {"x": "é\\", "}": "{"}},
    {"path": "\u2028\n", "tags": [1, 2], "later": [{"deep": [[]]}]},
]


async def read(body: bytes, step: int = 0, *, cut: bool = False) -> list[Item]:
    return [item async for page in READER.pages(call_of(body, step=step, cut=cut)) for item in page]


def expected(items: list[dict[str, Any]]) -> list[Item]:
    return [msgspec.convert(item, Item) for item in items]


@pytest.mark.parametrize("step", [1, 5, 1000])
async def test_arrays_and_lines(step: int, monkeypatch) -> None:
    monkeypatch.setattr("lakehouse.asgi.call.STREAM_CHUNK", 1)
    for body in (
        json.dumps(ITEMS),
        json.dumps(ITEMS, indent=2, ensure_ascii=False) + "\n ",
        "\n".join(map(json.dumps, ITEMS)),
        "\r\n\r\n".join(map(json.dumps, ITEMS)) + "\n",
    ):
        assert await read(body.encode(), step) == expected(ITEMS)
    for empty in (b"", b" \n", b"[]", b" [ ] "):
        assert await read(empty, step) == []


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "path": st.text(max_size=8),
                "metadata": st.dictionaries(st.text(max_size=4), st.text(max_size=9), max_size=3),
            }
        ),
        max_size=6,
    ),
    st.integers(1, 40),
)
async def test_any_items_cut_anywhere(items: list[dict[str, Any]], step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lakehouse.asgi.call.STREAM_CHUNK", 1)
        assert await read(json.dumps(items, ensure_ascii=False).encode(), step) == expected(items)
        assert await read("\n".join(map(json.dumps, items)).encode(), step) == expected(items)


async def test_pages_are_bounded() -> None:
    items = [{"path": str(number)} for number in range(2 * PAGE + 1)]
    for body in (json.dumps(items), "\n".join(map(json.dumps, items))):
        pages = [len(page) async for page in READER.pages(call_of(body.encode()))]
        assert sum(pages) == len(items)
        assert max(pages) == PAGE


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b'[{"path":"a"}',
        b'[{"path":"a"},',
        b'[{"path":"a"} {"path":"b"}]',
        b'[,{"path":"a"}]',
        b'[{"path":"a"},]',
        b'[{"path":"a"}] x',
        b'["a"]',
        b"[1]",
        b"[[]]",
        b'[{"path":1}]',
        b'[{"path":"a"]}',
        b'{"path":"a"',
        b'{"path":1}',
        b"{}",
        b"x",
        b'{"path":"\xff"}',
        b'[{"path":"\xff"}]',
        b'[{"path":"a}]',
        b"[}]",
    ],
)
async def test_items_that_are_refused(body: bytes, monkeypatch) -> None:
    monkeypatch.setattr("lakehouse.asgi.call.STREAM_CHUNK", 1)
    for step in (1, 0):
        with pytest.raises(InvalidArgument):
            await read(body, step)


async def test_the_wrong_item_is_named() -> None:
    for body in (b'[{"path":"a"},{"path":1}]', b'{"path":"a"}\n{"path":1}\n'):
        with pytest.raises(InvalidArgument, match=r"item 1: .*path"):
            await read(body)


async def test_items_that_are_too_large() -> None:
    large = json.dumps({"path": "x" * MAX_ITEM}).encode()
    for body in (large, b"[" + large + b"]", b"[" + large):
        with pytest.raises(BodyTooLarge):
            await read(body)


async def test_lists_that_end_early() -> None:
    with pytest.raises(IncompleteBody):
        await read(b'{"path":"a"}\n', cut=True)
