# SPDX-License-Identifier: Apache-2.0
"""An S3 request as operations see it: decoded once, from the bytes that came.

Bucket and key come from the raw path, percent-decoded exactly once; a path has no second meaning through `..`, `//`
or an encoded slash in the bucket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import msgspec

from lakehouse.objects.address import MAX_KEY
from lakehouse.s3.errors import ClientGone, S3Error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Receive = Callable[[], Awaitable[Mapping[str, Any]]]

Pairs = tuple[tuple[bytes, bytes], ...]
S3_ROOT = "/s3"
"""The root below which everything is an S3 request, signed or not."""


class S3Request(msgspec.Struct):
    """`path` is the decoded path with everything that was mounted before it, as it was signed; `query` has the last
    value of each name, `pairs` all of them; header names are in lower case. `body` is what is to be stored: checked
    against what the client announced, without any transfer encoding, `length` its bytes if they are known.
    """

    method: str
    path: bytes
    raw_path: bytes
    bucket: str
    key: str
    pairs: Pairs
    query: dict[str, str]
    headers: dict[str, str]
    body: AsyncIterator[bytes]
    length: int | None
    request_id: str
    scope: Mapping[str, Any] = {}
    virtual_host: bool = False
    operation: str = ""
    """Name of the operation that it means, once that is known."""
    user: str = ""
    """Who sent it, once that is known. `session`: with short-lived keys; `internal`: by a URL of the server's own."""
    session: bool = False
    internal: bool = False
    outcomes: dict[str, int] = {}
    """Of a request about several objects: the keys that its body names, and what each would have been answered."""

    @property
    def takes_unsigned(self) -> bool:
        """Whether it came below the root where unsigned requests are served."""
        return str(self.scope.get("root_path", "")).endswith(S3_ROOT)

    @property
    def resource(self) -> str:
        return f"/{self.bucket}/{self.key}" if self.bucket else "/"


def read_request(
    scope: Mapping[str, Any], receive: Receive, request_id: str, *, domains: Sequence[str] = ()
) -> S3Request:
    """The request of an ASGI scope. The bucket is the first segment of the path, or stands before one of `domains` in
    the Host header. Raises S3Error InvalidURI, KeyTooLongError, InvalidArgument.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    headers = _headers(scope["headers"])
    pairs = _pairs(scope["query_string"])
    path = unquote_to_bytes(raw)
    below = _below(raw, scope.get("root_path", ""))
    host = bucket_of_host(headers.get("host", ""), domains) if domains else None
    bucket, key = _place(below) if not host else (host, _key(below[1:]))
    return S3Request(
        method=scope["method"],
        path=path,
        raw_path=raw,
        bucket=bucket,
        key=key,
        pairs=pairs,
        query={_text(name): _text(value) for name, value in pairs},
        headers=headers,
        body=_body(receive),
        length=_length(headers),
        request_id=request_id,
        scope=scope,
        virtual_host=bool(host),
    )


def bucket_of_host(host: str, domains: Sequence[str]) -> str | None:
    """The bucket that a Host header names before one of `domains`; "" for the domain itself, None for other hosts."""
    name = host.lower().partition(":")[0]
    for domain in domains:
        if name == domain:
            return ""
        if name.endswith(f".{domain}"):
            return name[: -len(domain) - 1]
    return None


def _below(raw: bytes, root: str) -> bytes:
    return raw[len(root) :] if root and raw.startswith(root.encode()) else raw


def _place(below: bytes) -> tuple[str, str]:
    bucket, _, key = below[1:].partition(b"/")
    try:
        return unquote_to_bytes(bucket).decode(), _key(key)
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", "the bucket must be UTF-8") from error


def _key(encoded: bytes) -> str:
    decoded = unquote_to_bytes(encoded)
    if b"\x00" in decoded:
        raise S3Error("InvalidURI", "the key has a NUL character")
    try:
        return decoded.decode()
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", "the key must be UTF-8") from error


def check_key_length(key: str) -> None:
    """Raises S3Error KeyTooLongError."""
    if len(key) > MAX_KEY // 4 and (size := len(key.encode())) > MAX_KEY:
        raise S3Error("KeyTooLongError", f"the key has {size} bytes, at most {MAX_KEY} are allowed")


def limit_body(request: S3Request, most: int) -> None:
    """Refuse a body of more than `most` bytes, at once when it tells its length. Raises S3Error EntityTooLarge."""
    if request.length is None:
        request.body = _at_most(request.body, most)
    elif request.length > most:
        raise _too_large(most)


async def _at_most(body: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        yield chunk


def _too_large(most: int) -> S3Error:
    return S3Error("EntityTooLarge", f"an object may have at most {most} bytes; nothing was stored")


def _pairs(query: bytes) -> Pairs:
    if b"%00" in query:
        raise S3Error("InvalidArgument", "the query has a NUL character")
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
