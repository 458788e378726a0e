# SPDX-License-Identifier: Apache-2.0
"""The S3 requests that blobs need, on one bucket, with credentials that are renewed in time.

Each request is signed, bodies are covered by their CRC32, and what may be sent again is, after a pause that grows.
Listings and answers are read as they come; nothing here grows with the size of a blob or of a bucket.
"""

from __future__ import annotations

import asyncio
import base64
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape

import httpx2

from lakehouse.core.errors import (
    InsufficientPermissions,
    InvalidArgument,
    LakehouseError,
    RangeNotSatisfiable,
    ResourceNotFound,
    Unavailable,
)
from lakehouse.core.sigv4 import UNSIGNED_PAYLOAD, SigningKeys, encode_path, host_header, sign_headers
from lakehouse.sdk.buckets.listing import Listing, error_in, parse_listing, refusals_in, upload_id_in
from lakehouse.sdk.buckets.receive import PlainRequest, is_direct
from lakehouse.sdk.retry import STATUSES, Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from lakehouse.sdk.buckets.records import BucketCredentials

RENEW = 600
"""Seconds before their end at which credentials are renewed."""
_OK = 400
PARTIAL = 206
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired")
_ENDPOINT = "https://s3.{region}.amazonaws.com"


@dataclass(frozen=True)
class Head:
    """What HeadObject says. `modified` in UTC."""

    size: int
    modified: datetime


class S3Bucket:
    """One bucket. `mint` gets credentials, when there are none that last."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        mint: Callable[[], Awaitable[BucketCredentials]],
        *,
        retry: Retry,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        direct: bool = True,
    ) -> None:
        """`direct`: connections besides those of `http` may be made."""
        self._http = http
        self._mint = mint
        self._retry = retry
        self._clock = clock
        self._sleep = sleep
        self._direct = direct
        self._held: Mapping[str, str] | None = None
        self._until = 0.0
        self._minting = asyncio.Lock()
        self._keys = SigningKeys()
        self.ahead = 0.0
        """Seconds that the store's clock is ahead of ours, by its last answer."""

    @property
    def timeout(self) -> float:
        """Seconds to wait for each step of an answer."""
        return self._http.timeout.read or 60.0

    async def head(self, key: str) -> Head:
        """Raises ResourceNotFound."""
        response = await self._send("HEAD", _named(key))
        return Head(int(response.headers["content-length"]), parsedate_to_datetime(response.headers["last-modified"]))

    async def put(self, key: str, body: bytes) -> None:
        """Store a whole blob."""
        await self._send("PUT", _named(key), body=body)

    async def delete(self, key: str) -> None:
        """Remove a blob, if it is there."""
        await self._send("DELETE", _named(key))

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Remove up to 1,000 blobs. Raises LakehouseError when one of them could not be."""
        listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{listed}</Delete>".encode()
        response = await self._send("POST", "", query=[("delete", "")], body=body)
        if refused := refusals_in(response.content):
            key, code, message = refused[0]
            raise _error("DELETE", key, 403 if code == "AccessDenied" else 400, code, message)

    async def list(self, prefix: str, *, recursive: bool, most: int = 1000, after: str = "") -> Listing:
        """A page of the keys with a prefix; `after` continues where one ended."""
        query = [("list-type", "2"), ("prefix", prefix), ("encoding-type", "url"), ("max-keys", str(most))]
        query += [] if recursive else [("delimiter", "/")]
        query += [("continuation-token", after)] if after else []
        return parse_listing((await self._send("GET", "", query=query)).content)

    async def pages(self, prefix: str, *, recursive: bool) -> AsyncIterator[Listing]:
        """All keys with a prefix, page by page."""
        after = ""
        while True:
            page = await self.list(prefix, recursive=recursive, after=after)
            yield page
            after = page.more
            if not after:
                return

    @asynccontextmanager
    async def get(self, key: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """A blob's bytes from `offset` on, in pieces. Raises ResourceNotFound."""
        extra = {"range": f"bytes={offset}-"} if offset else {}
        response = await self._send("GET", _named(key), headers=extra, stream=True)
        try:
            if offset and response.status_code != PARTIAL:
                raise Unavailable(f"the store sent all of {key}, not what follows {offset} bytes")
            yield response.aiter_raw()
        except httpx2.TransportError as error:
            raise Unavailable(f"the connection broke while {key} was read: {error!r}") from error
        finally:
            await response.aclose()

    async def plain_request(self, key: str, offset: int) -> PlainRequest | None:
        """The request for a blob's bytes from `offset` on, where it can be sent without TLS and proxy; else None."""
        extra = {"range": f"bytes={offset}-"} if offset else {}
        request = self._request(await self._credentials(), "GET", _named(key), query=(), headers=extra, body=None)
        host, port = request.url.host, request.url.port or 80
        if request.url.scheme != "http" or not self._direct or not is_direct(host):
            return None
        return PlainRequest(host, port, request.extensions["target"], dict(request.headers))

    async def begin_parts(self, key: str) -> str:
        """An upload in parts; its id."""
        return upload_id_in((await self._send("POST", _named(key), query=[("uploads", "")])).content)

    async def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """One part; its ETag."""
        response = await self._send("PUT", key, query=[("partNumber", str(number)), ("uploadId", upload)], body=body)
        etag: str = response.headers["etag"]
        return etag

    async def finish_parts(self, key: str, upload: str, etags: Sequence[str]) -> None:
        """Make a blob of the parts, in order."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
            for number, etag in enumerate(etags, start=1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        response = await self._send("POST", key, query=[("uploadId", upload)], body=body)
        code, message = error_in(response.content)
        if code:  # S3 may find out after it has said 200
            raise Unavailable(f"{key} was not put together: {code}: {message}")

    async def drop_parts(self, key: str, upload: str) -> None:
        """Give an upload in parts up."""
        await self._send("DELETE", key, query=[("uploadId", upload)])

    async def _send(
        self,
        method: str,
        key: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
    ) -> httpx2.Response:
        """An answer below 400; a stream is to be closed. Raises ResourceNotFound, what the store refused with, and
        Unavailable when it cannot be reached.
        """
        attempt, renewed = 0, False
        while True:
            attempt += 1
            request = self._request(await self._credentials(), method, key, query=query, headers=headers, body=body)
            try:
                response = await self._http.send(request, stream=stream)
                self._note_date(response)
                if response.status_code < _OK:
                    return response
                await response.aread()
            except httpx2.TransportError as error:
                if attempt >= self._retry.attempts:
                    raise Unavailable(f"cannot reach {request.url.host}: {error!r}") from error
                await self._sleep(self._retry.delay(attempt))
                continue
            code, message = error_in(response.content)
            if code in _EXPIRED and not renewed:
                self._held, renewed = None, True
                continue
            if response.status_code not in {500, *STATUSES} or attempt >= self._retry.attempts:
                raise _error(method, key, response.status_code, code, message)
            await self._sleep(self._retry.delay(attempt, retry_after=response.headers.get("retry-after")))

    def _request(
        self,
        credentials: Mapping[str, str],
        method: str,
        key: str,
        *,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> httpx2.Request:
        region = credentials.get("region_name") or "us-east-1"
        endpoint = (credentials.get("endpoint_url") or _ENDPOINT.format(region=region)).rstrip("/")
        parts = urlsplit(endpoint)
        path = f"{parts.path}/{credentials['bucket_name']}/{key}".removesuffix("" if key else "/").encode()
        signed = {"host": host_header(endpoint), **(headers or {})}
        if body is not None:
            signed["x-amz-checksum-crc32"] = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        token = credentials.get("session_token")
        if token and "expiration" in credentials:
            signed["x-amz-security-token"] = token
        added = sign_headers(
            method,
            path=path,
            headers=signed,
            access_key_id=credentials["access_key_id"],
            secret=credentials["secret_access_key"],
            region=region,
            now=self._clock(),
            payload=UNSIGNED_PAYLOAD,
            query=query,
            keys=self._keys,
        )
        pairs = "&".join(f"{quote(name, safe='-._~')}={quote(value, safe='-._~')}" for name, value in query)
        target = encode_path(path) + (f"?{pairs}" if pairs else "")
        # The target is given as it was signed: a URL would lose `..` and `//` on the way.
        return self._http.build_request(
            method,
            f"{parts.scheme}://{parts.netloc}",
            headers={**signed, **added},
            content=body,
            extensions={"target": target.encode()},
        )

    async def _credentials(self) -> Mapping[str, str]:
        if self._held is None or self._clock() >= self._until:
            async with self._minting:
                if self._held is None or self._clock() >= self._until:
                    found = (await self._mint()).credentials
                    expires = found.get("expiration")
                    self._until = datetime.fromisoformat(expires).timestamp() - RENEW if expires else float("inf")
                    self._held = found
        return self._held

    def _note_date(self, response: httpx2.Response) -> None:
        date = response.headers.get("date")
        if date:
            self.ahead = parsedate_to_datetime(date).timestamp() - self._clock()


def _named(key: str) -> str:
    """A key that is one: requests without a key are about the bucket. Raises InvalidArgument."""
    if not key:
        raise InvalidArgument("the key of a blob must not be empty")
    return key


def _error(method: str, key: str, status: int, code: str, message: str) -> LakehouseError:
    said = f"{code}: {message}" if code else f"status {status}"
    if status == 404:
        return ResourceNotFound(f"there is no blob {key!r}" if key else said)
    if status == 416:
        return RangeNotSatisfiable(f"{key!r} is not that long")
    if status == 403:
        return InsufficientPermissions(f"{method} {key!r}: {said}")
    if status >= 500:
        return Unavailable(f"{method} {key!r}: {said}")
    return LakehouseError(f"{method} {key!r}: {said}")
