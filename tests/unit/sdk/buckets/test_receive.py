# SPDX-License-Identifier: Apache-2.0
"""Large answers straight into a file: whole ones, those that break off, and those that are none."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager

import pytest

from lakehouse.sdk.buckets.receive import BUFFER, PlainRequest, is_direct, receive

pytestmark = pytest.mark.anyio
BODY = bytes(range(256)) * (3 * BUFFER // 256) + b"end"


@asynccontextmanager
async def answering(*pieces: bytes, wait: bool = False):
    """A server that sends these bytes to whoever asks; then it closes, or waits."""
    asked = []
    over = asyncio.Event()

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if wait:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield PlainRequest("127.0.0.1", port, b"/s3/b/a%20b//..?x=1", {"host": "h", "authorization": "A"}), asked
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def head(status: str, length: int) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n".encode()


async def test_a_whole_answer() -> None:
    told, file = [], io.BytesIO(b"before")
    file.seek(6)
    async with answering(head("200 OK", len(BODY)), BODY) as (request, asked):
        assert await receive(request, file, patience=30, step=told.append) == (len(BODY), True)
    assert file.getvalue() == b"before" + BODY
    await asyncio.sleep(0)
    assert told[-1] == len(BODY)
    assert told == sorted(told)
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /s3/b/a%20b//..?x=1 HTTP/1.1"
    assert sorted(lines[1:-2]) == ["authorization: A", "host: h"]


async def test_an_answer_that_breaks_off() -> None:
    file = io.BytesIO()
    async with answering(head("200 OK", len(BODY)), BODY[:1000]) as (request, _):
        assert await receive(request, file, patience=30, step=lambda _: None) == (1000, False)
    assert file.getvalue() == BODY[:1000]


@pytest.mark.parametrize("status", ["404 Not Found", "503 Slow Down", "301 Moved", "206 Partial Content"])
async def test_what_is_no_success_is_left_to_others(status) -> None:
    file = io.BytesIO()
    async with answering(head(status, 3), b"xxx") as (request, _):
        assert await receive(request, file, patience=30, step=lambda _: None) == (0, False)
    assert file.getvalue() == b""


async def test_nobody_there() -> None:
    async with answering() as (request, _):
        pass
    assert await receive(request, io.BytesIO(), patience=5, step=lambda _: None) == (0, False)


async def test_who_is_cancelled_writes_no_more() -> None:
    file = io.BytesIO()
    begun = asyncio.Event()
    async with answering(head("200 OK", len(BODY)), BODY[: 2 * BUFFER], wait=True) as (request, _):
        work = asyncio.create_task(receive(request, file, patience=0.5, step=lambda _: begun.set()))
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        size = len(file.getvalue())
        assert size > 0
    assert len(file.getvalue()) == size


def test_proxies(monkeypatch) -> None:
    for name in ("http_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert is_direct("lake.example")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert not is_direct("lake.example")
    assert is_direct("127.0.0.1")
