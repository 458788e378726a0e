# SPDX-License-Identifier: Apache-2.0
"""Requests to an ASGI application, message by message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


async def request(
    app: Any,
    method: str,
    path: str,
    *,
    query: str | bytes = b"",
    body: bytes | list[bytes] = b"",
    headers: dict[str, str] | None = None,
    length: int | None = -1,
    disconnect: bool = False,
    client: tuple[str, int] | None = ("127.0.0.1", 1),
) -> Answer:
    """One request. `length` -1: the true Content-Length; None: chunked. `disconnect`: the caller leaves early."""
    pieces = [body] if isinstance(body, bytes) else list(body)
    total = sum(map(len, pieces))
    sent = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    if length is None:
        sent.append((b"transfer-encoding", b"chunked"))
    elif total or length > 0:
        sent.append((b"content-length", str(total if length < 0 else length).encode()))
    messages = [
        {"type": "http.request", "body": piece, "more_body": disconnect or number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]
    if disconnect:
        messages.append({"type": "http.disconnect"})
    answer = Answer()

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query if isinstance(query, bytes) else query.encode(),
        "headers": sent,
        "scheme": "http",
        "client": client,
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    return answer


@pytest.fixture
def ask() -> Any:
    return request
