# SPDX-License-Identifier: Apache-2.0
"""Multipart uploads into an S3-compatible store: each call is the store's own, nothing of them is kept here.

Parts up to `SMALL` bytes are one request of the client; larger ones stream from the event loop to a thread that sends
them, so memory stays flat whatever a part's size.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from defusedxml.ElementTree import fromstring
from minio.error import S3Error

from lakehouse.core.errors import ContentDiffers, InvalidArgument, PreconditionFailed, StorageUnavailable, Unsupported
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import ChunkBody, Pieces, exactly
from lakehouse.objects.header_text import to_header
from lakehouse.objects.minio_errors import translate, translated
from lakehouse.objects.port import (
    ByteRange,
    Location,
    Mode,
    ObjectInfo,
    ObjectPart,
    PartInfo,
    PutMode,
    Upload,
    without_match,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from xml.etree.ElementTree import Element  # for the type only: documents are read by defusedxml

    import urllib3
    from urllib3.response import BaseHTTPResponse

    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Presigner

    Request = Callable[..., Awaitable[BaseHTTPResponse]]
    Head = Callable[[Location], Awaitable[ObjectInfo]]

SMALL = 8 * 1024 * 1024
"""Bytes of a part that is gathered in memory."""
_EXPIRES = 3600
_RANGE = re.compile(r"bytes (\d{1,18})-")


class MinioUploads:
    """A MultipartStore in front of an S3-compatible store. `request` sends one request of the client."""

    def __init__(
        self,
        request: Request,
        *,
        head: Head,
        signer: Presigner,
        pool: urllib3.PoolManager,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._request = request
        self._head = head
        self._signer = signer
        self._pool = pool
        self._executor = executor
        self._clock = clock

    async def create(
        self, location: Location, *, content_type: str = "", metadata: dict[str, str] | None = None
    ) -> str:
        headers = {f"x-amz-meta-{name}": to_header(value) for name, value in (metadata or {}).items()}
        if content_type:
            headers["Content-Type"] = content_type
        answer = await self._call("POST", location, {"uploads": ""}, headers=headers)
        return _needed(fromstring(answer.data), "UploadId")

    async def put_part(
        self,
        location: Location,
        upload: str,
        number: int,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
    ) -> PartInfo:
        query = {"partNumber": str(number), "uploadId": upload}
        chunks = exactly(body, size)
        if size is None or size <= SMALL:
            pieces = Pieces(chunks, SMALL)
            data = await pieces.next()
            if not pieces.ended:
                raise InvalidArgument(f"a part of more than {SMALL} bytes needs its length said beforehand")
            answer = await self._call("PUT", location, query, body=data)
            etag, stored = answer.headers.get("etag", ""), len(data)
        else:
            etag, stored = await self._stream(location, query, chunks, size), size
        return PartInfo(number, stored, etag.strip('"'), self._clock())

    async def copy_part(
        self, location: Location, upload: str, number: int, source: Location, byte_range: ByteRange | None = None
    ) -> PartInfo:
        headers = {"x-amz-copy-source": f"/{source.bucket}/{quote(key_bytes(source.key))}"}
        size = (await self._head(source)).size
        if byte_range is not None:
            last = size - 1 if byte_range.end is None else min(byte_range.end, size - 1)
            headers["x-amz-copy-source-range"] = f"bytes={byte_range.start or 0}-{last}"
            size = last - (byte_range.start or 0) + 1
        query = {"partNumber": str(number), "uploadId": upload}
        answer = await self._call("PUT", location, query, headers=headers)
        return PartInfo(number, size, _needed(fromstring(answer.data), "ETag").strip('"'), self._clock())

    async def parts(
        self, location: Location, upload: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        query = {"uploadId": upload, "max-parts": str(limit), "part-number-marker": str(after)}
        root = fromstring((await self._call("GET", location, query)).data)
        found = [
            PartInfo(
                int(_needed(part, "PartNumber")),
                int(_needed(part, "Size")),
                _needed(part, "ETag").strip('"'),
                _seconds(_text(part, "LastModified")),
            )
            for part in _children(root, "Part")
        ]
        return found, _text(root, "IsTruncated") == "true"

    async def complete(
        self,
        location: Location,
        upload: str,
        parts: Sequence[tuple[int, str]],
        *,
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        mode = without_match(mode)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{_etag(etag)}&quot;</ETag></Part>"
            for number, etag in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        if mode is not PutMode.REPLACE:
            headers["If-None-Match"] = "*"
        try:
            answer = await self._call("POST", location, {"uploadId": upload}, body=body, headers=headers)
        except PreconditionFailed:
            if mode is not PutMode.ONCE:
                raise
            return await self._same(location, upload, parts)
        _needed(fromstring(answer.data), "ETag")
        return await self._head(location)

    async def _same(self, location: Location, upload: str, parts: Sequence[tuple[int, str]]) -> ObjectInfo:
        """What is there, if it was made of the same parts. Raises ContentDiffers."""
        there = await self._head(location)
        digests = [bytes.fromhex(_etag(etag)) for _, etag in parts]
        if there.etag != f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}":
            raise ContentDiffers
        await self.abort(location, upload)
        return there

    async def part_of(self, location: Location, number: int) -> ObjectPart | None:
        first = await self._part_of(location, 1)
        if number == 1 or not first.count:
            return first if number == 1 else None
        return await self._part_of(location, number) if number <= first.count else None

    async def _part_of(self, location: Location, number: int) -> ObjectPart:
        """A part that is there, as the store tells it. Raises Unsupported when it does not."""
        headers = (await self._call("HEAD", location, {"partNumber": str(number)})).headers
        etag, size = headers.get("etag", "").strip('"'), int(headers.get("content-length", "0"))
        count, told = headers.get("x-amz-mp-parts-count", ""), _RANGE.match(headers.get("content-range", ""))
        if count.isdigit() and told is not None:
            return ObjectPart(int(told[1]), size, int(count), etag)
        if count or "-" in etag:
            raise Unsupported("this store does not tell where the parts of an object lie")
        return ObjectPart(0, size, 0, etag)

    async def abort(self, location: Location, upload: str) -> None:
        await self._call("DELETE", location, {"uploadId": upload})

    async def uploads(
        self, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> tuple[list[Upload], bool]:
        query = {"uploads": "", "max-uploads": str(limit), "prefix": prefix}
        if after[0]:
            query |= {"key-marker": after[0]} | ({"upload-id-marker": after[1]} if after[1] else {})
        answer = await self._call("GET", Location(bucket, ""), query, of_bucket=True)
        root = fromstring(answer.data)
        found = [
            Upload(_needed(one, "Key"), _needed(one, "UploadId"), _seconds(_text(one, "Initiated")))
            for one in _children(root, "Upload")
        ]
        return found, _text(root, "IsTruncated") == "true"

    async def _call(
        self, method: str, location: Location, query: Mapping[str, str], **options: Any
    ) -> BaseHTTPResponse:
        return await self._request(method, location, query_params=dict(query), **options)

    async def _stream(
        self, location: Location, query: Mapping[str, str], body: bytes | AsyncIterable[bytes], size: int
    ) -> str:
        """Send a part while it comes in; its ETag. Nothing is sent twice: the body can be read once only."""
        url = self._signer.presign("PUT", location, expires=_EXPIRES, endpoint="", query=tuple(query.items()))
        loop = asyncio.get_running_loop()
        feed = Feed(ChunkBody(body) if isinstance(body, bytes) else body, loop)
        sending = loop.run_in_executor(self._executor, self._send, location, url, feed, size)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            feed.stop()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.exception()
            raise

    def _send(self, location: Location, url: str, feed: Feed, size: int) -> str:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with translated(location, but=feed):
            response = self._pool.urlopen("PUT", url, body=feed, headers=headers, retries=False, redirect=False)
            if response.status != 200:
                if not response.data:
                    raise StorageUnavailable(f"the object store refused a part with status {response.status}")
                raise translate(S3Error.fromxml(response), location)
        return str(response.headers.get("etag", ""))


class Feed:
    """An asynchronous body as a plain iterator for a thread. `failed` is what the body itself raised."""

    def __init__(self, body: AsyncIterable[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._body: AsyncIterator[bytes] = aiter(body)
        self._loop = loop
        self._stopped = False
        self.failed: BaseException | None = None

    def stop(self) -> None:
        """Let the thread end at its next chunk."""
        self._stopped = True

    def __iter__(self) -> Feed:
        return self

    def __next__(self) -> bytes:
        if self._stopped:
            raise ConnectionAbortedError("the upload was given up")
        try:
            chunk = asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()
        except BaseException as error:
            self.failed = error
            raise
        if chunk is None:
            raise StopIteration
        return chunk

    async def _next(self) -> bytes | None:
        return await anext(self._body, None)


def _etag(text: str) -> str:
    """An ETag for an XML document. Raises InvalidArgument for what can be none."""
    bare = text.strip('"')
    if not bare.isascii() or any(mark in bare for mark in '<>&"'):
        raise InvalidArgument("the ETag of a part has characters that no ETag has")
    return bare


def _children(root: Element, name: str) -> list[Element]:
    return [element for element in root if element.tag.rpartition("}")[2] == name]


def _text(root: Element, name: str) -> str:
    found = _children(root, name)
    return (found[0].text or "") if found else ""


def _needed(root: Element, name: str) -> str:
    """The text of a child. Raises StorageUnavailable: an error can come with status 200."""
    text = _text(root, name)
    if not text:
        raise StorageUnavailable(f"the object store's answer has no {name}")
    return text


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
