# SPDX-License-Identifier: Apache-2.0
"""Objects in any S3-compatible store, through the `minio` package.

The client blocks, so each call runs on this adapter's own threads. Bodies pass in pieces: at most a few parts of a
write, or one piece of a read, are in memory for each object. Of the client's inside only `_execute` is used (one
signed request), because its public methods take no conditions; the contract suite holds it to that.
"""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import CopySource
from minio.datatypes import parse_list_objects
from minio.deleteobjects import DeleteObject

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import (
    BadConfiguration,
    ContentDiffers,
    InvalidAddress,
    PreconditionFailed,
    StorageUnavailable,
)
from lakehouse.core.sigv4 import SigningKeys, presign_url
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import ChunkBody, Pieces, exactly
from lakehouse.objects.header_text import from_header, to_header
from lakehouse.objects.minio_errors import translated
from lakehouse.objects.minio_upload import PartUpload, whole_etag
from lakehouse.objects.minio_uploads import MinioUploads
from lakehouse.objects.port import (
    ByteRange,
    Location,
    Mode,
    ObjectInfo,
    ObjectReader,
    PutMode,
    StoreDescription,
    StoredObject,
    without_match,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from urllib3.response import BaseHTTPResponse

    from lakehouse.core.clock import Clock

T = TypeVar("T")

THREADS = 16
PART = 8 * 1024 * 1024
"""Bytes of a part; bodies up to this size are one request."""
PIECE = 1024 * 1024
"""Bytes that are read at once."""
_META = "x-amz-meta-"
_SECONDS = urllib3.Timeout(connect=10, read=120)


def open_minio_store(
    *,
    endpoint: str,
    access_key_id: str,
    secret_access_key: str,
    bucket: str,
    session_token: str = "",
    region: str = "us-east-1",
    clock: Clock = system_clock,
) -> MinioStore:
    """A store behind `endpoint` (`https://host:port`; "" is AWS). `bucket` is what `/config` shows.

    `session_token` goes with temporary credentials. Nothing is asked of the store yet. Raises BadConfiguration.
    """
    parts = urlsplit(endpoint or f"https://s3.{region}.amazonaws.com")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise BadConfiguration(f"the endpoint of the object store must be http(s)://host:port, not {endpoint!r}")
    pool = urllib3.PoolManager(maxsize=THREADS, timeout=_SECONDS, retries=urllib3.Retry(total=2, redirect=0))
    client = Minio(
        endpoint=parts.netloc,
        access_key=access_key_id,
        secret_key=secret_access_key,
        session_token=session_token or None,
        secure=parts.scheme == "https",
        region=region,
        http_client=pool,
    )
    signer = UrlSigner(
        endpoint=endpoint.rstrip("/"),
        access_key_id=access_key_id,
        secret=secret_access_key,
        session_token=session_token,
        region=region,
        clock=clock,
    )
    return MinioStore(client, pool, signer, bucket=bucket, clock=clock)


class UrlSigner:
    """A Presigner for a store of somebody else's. Paths carry the bucket, except on AWS, where the host does."""

    def __init__(
        self, *, endpoint: str, access_key_id: str, secret: str, session_token: str, region: str, clock: Clock
    ) -> None:
        self._endpoint = endpoint
        self._session_token = session_token
        self._access_key_id = access_key_id
        self._secret = secret
        self._region = region
        self._clock = clock
        self._keys = SigningKeys()

    def presign(
        self,
        method: str,
        location: Location,
        *,
        expires: int,
        endpoint: str = "",
        query: Sequence[tuple[str, str]] = (),
    ) -> str:
        """A URL for GET or PUT; the caller's own endpoint plays no part. Raises InvalidArgument."""
        path = b"/" + key_bytes(location.key)
        host = self._endpoint or f"https://{location.bucket}.s3.{self._region}.amazonaws.com"
        if self._endpoint or "." in location.bucket:
            host = self._endpoint or f"https://s3.{self._region}.amazonaws.com"
            path = f"/{location.bucket}".encode() + path
        return presign_url(
            method,
            endpoint=host,
            path=path,
            access_key_id=self._access_key_id,
            secret=self._secret,
            region=self._region,
            now=self._clock(),
            expires=expires,
            query=(*query, ("X-Amz-Security-Token", self._session_token)) if self._session_token else query,
            keys=self._keys,
        )


class MinioStore:
    """An ObjectStore and Presigner in front of an S3-compatible store. Made by `open_minio_store`."""

    def __init__(
        self, client: Minio, pool: urllib3.PoolManager, signer: UrlSigner, *, bucket: str, clock: Clock
    ) -> None:
        self._client = client
        self._pool = pool
        self._bucket = bucket
        self._clock = clock
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="minio")
        self.presign = signer.presign
        self.uploads = MinioUploads(
            self._request, head=self.head, signer=signer, pool=pool, executor=self._executor, clock=clock
        )
        """Multipart uploads into this store."""

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        headers = {} if byte_range is None else {"Range": _range_header(byte_range)}
        response = await self._request("GET", location, headers=headers, preload_content=False)
        info, start, length = _facts(response.headers)
        if length == 0:
            _release(response)
            return ObjectReader(info, start, length, ChunkBody(b""))
        return ObjectReader(info, start, length, ResponseBody(response, location, self._executor))

    async def head(self, location: Location) -> ObjectInfo:
        response = await self._request("HEAD", location)
        return _facts(response.headers)[0]

    async def put(
        self,
        location: Location,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
        content_type: str = "",
        metadata: dict[str, str] | None = None,
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        _check_key(location.key)
        mode = without_match(mode)
        headers = {_META + name: to_header(value) for name, value in (metadata or {}).items()}
        if content_type:
            headers["Content-Type"] = content_type
        condition = {} if mode is PutMode.REPLACE else {"If-None-Match": "*"}
        pieces = Pieces(exactly(body, size), PART)
        first = await pieces.next()
        sent = [hashlib.md5(first, usedforsecurity=False).hexdigest()]
        try:
            if pieces.ended:
                response = await self._request("PUT", location, body=first, headers={**headers, **condition})
                etag, stored = response.headers.get("etag", "").strip('"'), len(first)
            else:
                upload = PartUpload(self._request, location, headers=headers, condition=condition)
                sent = upload.etags
                etag, stored = await upload.run(first, pieces)
        except PreconditionFailed:
            if mode is not PutMode.ONCE:
                raise
            return await self._same(location, whole_etag(sent))
        return ObjectInfo(stored, etag, self._clock(), content_type, dict(metadata or {}))

    async def delete(self, locations: Sequence[Location]) -> None:
        buckets: dict[str, list[str]] = {}
        for location in locations:
            _check_key(location.key)
            buckets.setdefault(location.bucket, []).append(location.key)
        for bucket, keys in buckets.items():
            for at in range(0, len(keys), 1000):
                await self._thread(self._delete_some, bucket, keys[at : at + 1000])

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        found: list[StoredObject] = []
        more = True
        while more and len(found) < limit:
            last = found[-1].key if found else after
            page, more = await self._thread(self._page, bucket, prefix, last, min(limit - len(found), 1000))
            found += page
        return found, more

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        _check_key(source.key)
        _check_key(target.key)
        if source != target:
            await self._thread(self._copy, source, target)
        return await self.head(target)

    def describe(self) -> StoreDescription:
        return StoreDescription(
            kind="s3",
            scheme="s3",
            namespace_example=f"s3://{self._bucket}/my-repo/",
            presign=True,
            presign_multipart=True,
            importable=True,
        )

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._executor.shutdown)
        self._pool.clear()

    # -- on threads ------------------------------------------------------------------------------------------------

    async def _request(
        self, method: str, location: Location, *, of_bucket: bool = False, **options: Any
    ) -> BaseHTTPResponse:
        if not of_bucket:
            _check_key(location.key)

        def call() -> BaseHTTPResponse:
            with translated(location):
                response: BaseHTTPResponse = self._client._execute(
                    method=method, bucket_name=location.bucket, object_name=location.key or None, **options
                )
                return response

        return await self._thread(call)

    def _delete_some(self, bucket: str, keys: Sequence[str]) -> None:
        with translated(Location(bucket, keys[0])):
            names = [DeleteObject(name=key) for key in keys]
            failed = list(self._client.remove_objects(bucket_name=bucket, delete_object_list=names))
        if failed:
            raise StorageUnavailable(f"the object store did not delete {failed[0].name}: {failed[0].message}")

    def _page(self, bucket: str, prefix: str, after: str, limit: int) -> tuple[Sequence[StoredObject], bool]:
        query: dict[str, str | list[str] | tuple[str]] = {
            "list-type": "2",
            "encoding-type": "url",
            "max-keys": str(limit),
            "prefix": prefix,
        }
        if after:
            query["start-after"] = after
        with translated(Location(bucket, prefix)):
            response = self._client._execute(method="GET", bucket_name=bucket, query_params=query)
            lines, more, _, _ = parse_list_objects(response, bucket)
        return [
            StoredObject(
                line.object_name or "",
                ObjectInfo(
                    line.size or 0, line.etag or "", line.last_modified.timestamp() if line.last_modified else 0
                ),
            )
            for line in lines
        ], more

    def _copy(self, source: Location, target: Location) -> None:
        with translated(source):
            self._client.copy_object(
                bucket_name=target.bucket,
                object_name=target.key,
                source=CopySource(bucket_name=source.bucket, object_name=source.key),
            )

    # -- write-once ------------------------------------------------------------------------------------------------

    async def _same(self, location: Location, etag: str) -> ObjectInfo:
        """What is there, if it has this ETag. Raises ContentDiffers."""
        info = await self.head(location)
        if info.etag != etag:
            raise ContentDiffers
        return info

    async def _thread(self, function: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *args)


class ResponseBody:
    """The body of a GET as a stream of chunks. Gives the connection back at its end, drops it when closed before."""

    def __init__(self, response: BaseHTTPResponse, location: Location, executor: Executor) -> None:
        self._response: BaseHTTPResponse | None = response
        self._location = location
        self._executor = executor

    def __aiter__(self) -> ResponseBody:
        return self

    async def __anext__(self) -> bytes:
        if self._response is None:
            raise StopAsyncIteration
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._executor, self._read, self._response)
        if not data:
            _release(self._response)
            self._response = None
            raise StopAsyncIteration
        return data

    def _read(self, response: BaseHTTPResponse) -> bytes:
        with translated(self._location):
            return response.read(PIECE)

    async def aclose(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()
            response.release_conn()


def _release(response: BaseHTTPResponse) -> None:
    response.drain_conn()
    response.release_conn()


def _check_key(key: str) -> None:
    """Refuse what the client's URL library would take for another path."""
    key_bytes(key)
    if any(segment in (".", "..") for segment in key.split("/")):
        raise InvalidAddress("invalid address: keys of this store must not have '.' or '..' as a segment")


def _range_header(byte_range: ByteRange) -> str:
    if byte_range.start is None:
        return f"bytes=-{byte_range.end}"
    return f"bytes={byte_range.start}-{'' if byte_range.end is None else byte_range.end}"


def _facts(headers: Mapping[str, str]) -> tuple[ObjectInfo, int, int]:
    """Facts of an object from the headers of an answer; start and length of the part that is sent."""
    length = int(headers.get("content-length", "0"))
    start, size = 0, length
    if "content-range" in headers:
        span, _, total = headers["content-range"].removeprefix("bytes ").partition("/")
        start, size = int(span.partition("-")[0]), int(total)
    modified = headers.get("last-modified")
    metadata = {
        name.lower()[len(_META) :]: from_header(value)
        for name, value in headers.items()
        if name.lower().startswith(_META)
    }
    info = ObjectInfo(
        size,
        headers.get("etag", "").strip('"'),
        parsedate_to_datetime(modified).timestamp() if modified else 0,
        headers.get("content-type", ""),
        metadata,
        headers.get("x-amz-storage-class", ""),
    )
    return info, start, length
