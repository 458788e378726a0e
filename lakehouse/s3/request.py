# SPDX-License-Identifier: Apache-2.0
"""An S3 request as operations see it: decoded once, from the bytes that came.

Bucket and key come from the raw path, percent-decoded exactly once; a path has no second meaning through `..`, `//`
or an encoded slash in the bucket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from lakehouse.objects.address import MAX_KEY
from lakehouse.s3.errors import ClientGone, S3Error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Receive = Callable[[], Awaitable[Mapping[str, Any]]]

Pairs = tuple[tuple[bytes, bytes], ...]


class S3Request(msgspec.Struct):
    """`path` is the decoded path with everything that was mounted before it, as it was signed; `query` has the last
    value of each name, `pairs` all of them; header names are in lower case. `body` is what is to be stored: checked
    against what the client announced, without any transfer encoding, `length` its bytes if they are known.
    """

    method: str
    path: bytes
    bucket: str
    key: str
    pairs: Pairs
    query: dict[str, str]
    headers: dict[str, str]
    body: AsyncIterator[bytes]
    length: int | None
    request_id: str

    @property
    def resource(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.bucket else "/"


def read_request(scope: Mapping[str, Any], receive: Receive, request_id: str) -> S3Request:
    """The request of an ASGI scope. Raises S3Error InvalidURI, KeyTooLongError, InvalidArgument."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    headers = _headers(scope["headers"])
    pairs = _pairs(scope["query_string"])
    path = unquote_to_bytes(raw)
    bucket, key = _place(raw, scope.get("root_path", ""))
    return S3Request(
        method=scope["method"],
        path=path,
        bucket=bucket,
        key=key,
        pairs=pairs,
        query={_text(name): _text(value) for name, value in pairs},
        headers=headers,
        body=_body(receive),
        length=_length(headers),
        request_id=request_id,
    )


def _place(raw: bytes, root: str) -> tuple[str, str]:
    below = raw[len(root) :] if root and raw.startswith(root.encode()) else raw
    bucket, _, key = below[1:].partition(b"/")
    decoded = unquote_to_bytes(key)
    if len(decoded) > MAX_KEY:
        raise S3Error("KeyTooLongError", f"the key has {len(decoded)} bytes, at most {MAX_KEY} are allowed")
    if b"\x00" in decoded:
        raise S3Error("InvalidURI", "the key has a NUL character")
    try:
        return unquote_to_bytes(bucket).decode(), decoded.decode()
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", "bucket and key must be UTF-8") from error


def _pairs(query: bytes) -> Pairs:
    found = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.replace(b"+", b" ").partition(b"=")
            found.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return tuple(found)


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in raw:
        text = _text(value)
        lower = name.decode("latin-1").lower()
        found[lower] = f"{found[lower]},{text}" if lower in found else text
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None if "transfer-encoding" in headers else 0
    if not text.isascii() or not text.isdigit():
        raise S3Error("InvalidArgument", "Content-Length must be a number of bytes")
    return int(text)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            yield chunk
