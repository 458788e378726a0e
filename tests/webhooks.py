# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server on loopback for hooks to call: it keeps what it was asked and answers as it was told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Answer = tuple[int, bytes] | Callable[["Asked"], Awaitable[tuple[int, bytes]]]


class Asked:
    """One request."""

    def __init__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def event(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Target:
    """What was asked, in order, and the answers by path; others are 200."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}

    def events(self, path: str = "/") -> list[str]:
        """The types of the events that came to a path."""
        return [one.event["event_type"] for one in self.asked if one.path == path]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            method, path, _ = start.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            asked = Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))
            self.asked.append(asked)
            answer = self.answers.get(path, (200, b"fine"))
            status, body = answer if isinstance(answer, tuple) else await answer(asked)
            head = (
                f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nLocation: /elsewhere\r\nConnection: close\r\n"
            )
            writer.write(head.encode() + b"\r\n" + body)
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def webhook_target() -> AsyncIterator[Target]:
    """A target that listens."""
    target = Target()
    server = await asyncio.start_server(target._serve, "127.0.0.1", 0)
    target.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield target
    finally:
        server.close()
