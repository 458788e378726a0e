# SPDX-License-Identifier: Apache-2.0
"""Answers, sent as plain ASGI messages.

Invariant: every answer has its request id, and every answer with a body says its type and forbids guessing another.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lakehouse.wire.packed import MSGPACK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from lakehouse.asgi.types import Headers, Receive, Send

JSON_HEADERS = ((b"content-type", b"application/json"), (b"x-content-type-options", b"nosniff"))
TEXT_HEADERS = ((b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff"))
PACKED_HEADERS = ((b"content-type", MSGPACK.encode()), (b"x-content-type-options", b"nosniff"))
NO_BODY = frozenset({204, 304})

_encode = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Response:
    """A whole answer, or a streamed one.

    `headers` come with lower-case names; `content-length` is added for bytes (also to an empty body, unless the status
    has none), and must be given with a stream whose length is known.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: Headers | None = None, body: bytes | AsyncIterator[bytes] = b"") -> None:
        self.status = status
        self.headers: Headers = [] if headers is None else headers
        self.body = body

    async def send(self, send: Send, receive: Receive, *, request_id: str, head: bool = False) -> None:
        """Send it. `head`: the headers only. A stream is closed when the client has gone away."""
        body = self.body
        headers = self.headers
        if not isinstance(body, bytes):
            headers.append((b"x-request-id", request_id.encode()))
            await _stream(self.status, headers, body, send=send, receive=receive, head=head)
            return
        if self.status not in NO_BODY and not (head and _has_length(headers)):
            headers.append((b"content-length", b"%d" % (0 if head else len(body))))
        headers.append((b"x-request-id", request_id.encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else body})


def json_response(status: int, value: object) -> Response:
    """`value` as JSON and a newline."""
    return Response(status, list(JSON_HEADERS), json_bytes(value))


def packed_response(status: int, value: object) -> Response:
    """`value` as MessagePack."""
    return Response(status, list(PACKED_HEADERS), _pack(value))


def packed_bytes(values: Iterable[object]) -> bytes:
    """Values as MessagePack, one after another."""
    return b"".join([_pack(value) for value in values])


def json_bytes(value: object) -> bytes:
    """`value` as JSON and a newline."""
    return _encode(value) + b"\n"


def text_response(status: int, text: str) -> Response:
    """`text` as it is."""
    return Response(status, list(TEXT_HEADERS), text.encode())


def redirection(location: str, *, status: int = 302) -> Response:
    """To another URL."""
    return Response(status, [(b"location", location.encode("latin-1"))])


def _has_length(headers: Headers) -> bool:
    return any(name == b"content-length" for name, _ in headers)


async def _stream(
    status: int, headers: Headers, body: AsyncIterator[bytes], *, send: Send, receive: Receive, head: bool
) -> None:
    gone = asyncio.ensure_future(_disconnection(receive))
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if not head:
            async for chunk in body:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
