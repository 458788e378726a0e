# SPDX-License-Identifier: Apache-2.0
"""Requests of the server to itself: hooks ask the API in the name of who set them off, without a socket between.

They pass through the same table, permissions and audit as any other. That a request is such a one stands in its scope,
which no request from outside can write to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from lakehouse.actions.inbound import LARGEST, NoInbound
from lakehouse.asgi.call import INSIDE
from lakehouse.core.errors import HookFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.asgi.dispatch import ApiApp
    from lakehouse.asgi.types import Message
    from lakehouse.core.records import Actor

ROOT = "/api/v1"


class Loopback:
    """Implements `actions.inbound.Inbound` over an application, from the moment that it is given one."""

    def __init__(self) -> None:
        self._app: ApiApp | None = None

    def serve(self, app: ApiApp) -> None:
        """From now on `app` answers."""
        self._app = app

    async def request(
        self, actor: Actor, method: str, path: str, *, query: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """As Inbound."""
        if self._app is None:
            return await NoInbound().request(actor, method, path, query=query, body=body)
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": ROOT + unquote(path),
            "raw_path": (ROOT + path).encode(),
            "query_string": urlencode(query).encode(),
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(body)),
            ],
            "scheme": "http",
            "client": None,
            "server": None,
            INSIDE: actor,
        }
        exchange = _Exchange(body)
        await self._app(scope, exchange.receive, exchange.send)
        return exchange.status, b"".join(exchange.pieces)


class _Exchange:
    """One request, message by message. Nobody goes away before the end."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.pieces: list[bytes] = []
        self._size = 0

    async def receive(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)
        piece: Any = message.get("body", b"")
        self._size += len(piece)
        if self._size > LARGEST:
            raise HookFailed(f"the answer is larger than {LARGEST} bytes")
        if piece:
            self.pieces.append(piece)
