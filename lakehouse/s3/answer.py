# SPDX-License-Identifier: Apache-2.0
"""What an operation answers, and how it is sent.

Invariant: every answer names its request, and bytes that a user stored are never run in this origin by a browser:
they come sandboxed, unguessable in type, and as an attachment when they could carry a script.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lakehouse.objects.port import ObjectReader

if TYPE_CHECKING:
    from lakehouse.asgi.types import Receive, Send

XML = "application/xml"
NO_LENGTH = frozenset({204, 304})
SANDBOX = {
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}
_SCRIPTABLE = ("html", "svg", "xml", "xsl", "javascript", "mhtml", "x-mixed-replace")


class Answer(msgspec.Struct):
    """A status, headers with lower-case names, and a body: bytes, or an object that is streamed."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes | ObjectReader = b""


def xml_answer(body: bytes, *, status: int = 200) -> Answer:
    """A document."""
    return Answer(status, {"content-type": XML}, body)


def sandboxed(headers: dict[str, str]) -> dict[str, str]:
    """`headers` of an object with what keeps it from running. Judged by the content type that is really sent."""
    headers.update(SANDBOX)
    kind = headers.get("content-type", "").lower()
    if any(word in kind for word in _SCRIPTABLE):
        given = headers.get("content-disposition", "")
        name = given.partition(";")[2]
        headers["content-disposition"] = f"attachment;{name}" if name else "attachment"
    return headers


async def send_answer(answer: Answer, *, send: Send, receive: Receive, request_id: str, head: bool) -> None:
    """Send it; `head`: without its body. A streamed object is always closed, also when the client has gone away."""
    body = answer.body
    headers = [(name.encode(), header_value(value)) for name, value in answer.headers.items()]
    headers.append((b"x-amz-request-id", request_id.encode()))
    if isinstance(body, bytes) and answer.status not in NO_LENGTH and "content-length" not in answer.headers:
        headers.append((b"content-length", b"%d" % (0 if head else len(body))))
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if head or isinstance(body, bytes):
            await send({"type": "http.response.body", "body": b"" if head or not isinstance(body, bytes) else body})
        else:
            await _stream(body, send, receive)
    finally:
        if not isinstance(body, bytes):
            await body.close()


async def _stream(reader: ObjectReader, send: Send, receive: Receive) -> None:
    left = reader.length
    if left <= 0:
        await send({"type": "http.response.body", "body": b""})
        return
    gone: asyncio.Future[None] | None = None
    try:
        async for chunk in reader.body:
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
            if left > 0 and gone is None:
                gone = asyncio.ensure_future(_disconnection(receive))
            if gone is not None and gone.done():
                return
    finally:
        if gone is not None:
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def header_value(text: str) -> bytes:
    """A header's value in bytes; nothing in it can begin another header."""
    if text.isascii() and text.isprintable():
        return text.encode()
    safe = "".join(char if char >= " " and char != "\x7f" else " " for char in text)
    return safe.encode("utf-8", "surrogateescape")
