# SPDX-License-Identifier: Apache-2.0
"""Google Cloud Storage: addresses are `gs://BUCKET/KEY`, bytes go through its JSON API.

Long bodies are resumable uploads of one session: nothing is visible before the last piece, and what the session was
begun for (only if nothing is there) is checked at its end. Any key is a name; MD5s are the ETags where the store knows
one, which it does for everything but composed objects. Source: "JSON API" in Google's documentation.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import (
    ContentDiffers,
    InvalidAddress,
    PreconditionFailed,
    StorageUnavailable,
    StoredObjectNotFound,
)
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import ChunkBody, Pieces, exactly
from lakehouse.objects.gcs_auth import GcsSigner, Tokens, read_account
from lakehouse.objects.port import (
    Location,
    ObjectInfo,
    ObjectReader,
    PutMode,
    StoreDescription,
    StoredObject,
    resolve_range,
    without_match,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.gcs_auth import ServiceAccount
    from lakehouse.objects.port import ByteRange, Mode

T = TypeVar("T")

ENDPOINT = "https://storage.googleapis.com"
PART = 8 * 1024 * 1024
"""Bytes of a piece of a long body: a multiple of 256 KiB. Bodies up to this size are one request."""
PIECE = 1024 * 1024
_TIMEOUT = httpx2.Timeout(120, connect=10)
_CONCURRENT = 16


class _Resource(msgspec.Struct, rename="camel"):
    """An object as the API describes it."""

    name: str = ""
    size: str = "0"
    md5_hash: str = ""
    etag: str = ""
    updated: str = ""
    content_type: str = ""
    metadata: dict[str, str] = {}
    storage_class: str = ""
    generation: str = ""

    @property
    def info(self) -> ObjectInfo:
        return ObjectInfo(
            int(self.size),
            base64.b64decode(self.md5_hash).hex() if self.md5_hash else self.etag.strip('"'),
            datetime.fromisoformat(self.updated).timestamp() if self.updated else 0.0,
            self.content_type,
            self.metadata,
            self.storage_class,
        )


class _Listing(msgspec.Struct, rename="camel"):
    items: list[_Resource] = []
    next_page_token: str = ""


class _Rewrite(msgspec.Struct, rename="camel"):
    done: bool
    rewrite_token: str = ""


def open_gcs_store(*, bucket: str, endpoint: str = "", credentials: str = "", clock: Clock = system_clock) -> GcsStore:
    """The store for whom the service account file `credentials` is; without one, for the machine's own account.

    `endpoint` is that of an emulator, which is not told who we are; "" is Google's. `bucket` is what `/config` shows.
    Nothing is asked of the store yet. Raises BadConfiguration.
    """
    account = read_account(credentials) if credentials else None
    return GcsStore(bucket=bucket, endpoint=endpoint.rstrip("/"), account=account, clock=clock)


class GcsStore:
    """An ObjectStore and, with a service account, a Presigner. Made by `open_gcs_store`."""

    def __init__(self, *, bucket: str, endpoint: str, account: ServiceAccount | None, clock: Clock) -> None:
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT, limits=limits, trust_env=False)
        self._base = endpoint or ENDPOINT
        self._tokens = None if endpoint else Tokens(self._http, account, clock=clock)
        self._bucket = bucket
        signer = None if account is None else GcsSigner(account, endpoint=self._base, clock=clock)
        self.presign = None if signer is None else signer.presign

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        resource = await self._stat(location)
        info = resource.info
        start, length = resolve_range(byte_range, info.size)
        if not length:
            return ObjectReader(info, start, 0, ChunkBody(b""))
        # Of this generation: an object that is replaced meanwhile is not mixed with the new one.
        url = self._object(location) + f"?alt=media&generation={resource.generation}"
        headers = {"range": f"bytes={start}-{start + length - 1}"} if length < info.size else {}
        request = self._http.build_request("GET", url, headers=headers | await self._authorization())
        with translated(location):
            response = await self._http.send(request, stream=True)
        if response.status_code == 404:
            await response.aclose()
            return await self.get(location, byte_range)
        await _checked(response, location)
        return ObjectReader(info, start, length, _Body(response, location))

    async def head(self, location: Location) -> ObjectInfo:
        return (await self._stat(location)).info

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
        about = {"name": location.key, "metadata": metadata or {}, "contentType": content_type}
        pieces = Pieces(exactly(body, size), PART)
        first = await pieces.next()
        digest = hashlib.md5(first, usedforsecurity=False)
        condition = "" if mode is PutMode.REPLACE else "&ifGenerationMatch=0"
        try:
            if pieces.ended:
                stored = len(first)
                made = await self._simple(location, about, first, condition)
            else:
                made, stored = await self._resumable(location, about, (first, pieces, digest), condition)
        except PreconditionFailed:
            if mode is not PutMode.ONCE:
                raise
            return await self._same(location, digest.hexdigest(), pieces, digest)
        info = made.info
        if (info.size, info.etag) != (stored, digest.hexdigest()):
            raise StorageUnavailable(f"the object store has other bytes than were sent at {location.key}; try again")
        return info

    async def delete(self, locations: Sequence[Location]) -> None:
        for location in locations:
            _check_key(location.key)
        for at in range(0, len(locations), _CONCURRENT):
            async with asyncio.TaskGroup() as group:
                for location in dict.fromkeys(locations[at : at + _CONCURRENT]):
                    group.create_task(self._delete(location))

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        found: list[StoredObject] = []
        token = ""
        while True:
            query = {"prefix": prefix, "maxResults": str(min(limit + 2, 1000)), "pageToken": token}
            if after:
                query["startOffset"] = after
            url = f"{self._base}/storage/v1/b/{quote(bucket, safe='')}/o"
            place = Location(bucket, prefix)
            answer = await self._call("GET", url, place, params={name: text for name, text in query.items() if text})
            page = _decoded(answer, _Listing)
            for item in page.items:
                if item.name.encode() <= after.encode():
                    continue
                if len(found) == limit:
                    return found, True
                found.append(StoredObject(item.name, item.info))
            token = page.next_page_token
            if not token:
                return found, False

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        _check_key(target.key)
        if source == target:
            return await self.head(target)
        url = f"{self._object(source)}/rewriteTo/b/{quote(target.bucket, safe='')}/o/{_name(target)}"
        token = ""
        while True:
            params = {"rewriteToken": token} if token else {}
            done = _decoded(await self._call("POST", url, source, params=params), _Rewrite)
            if done.done:
                return await self.head(target)
            token = done.rewrite_token

    def describe(self) -> StoreDescription:
        return StoreDescription(
            kind="gs",
            scheme="gs",
            namespace_example=f"gs://{self._bucket}/my-repo/",
            presign=self.presign is not None,
            presign_multipart=False,
            importable=True,
        )

    async def close(self) -> None:
        await self._http.aclose()

    # -- writing ---------------------------------------------------------------------------------------------------

    async def _simple(self, location: Location, about: dict[str, Any], data: bytes, condition: str) -> _Resource:
        """One request: what the object is, then its bytes."""
        mark = os.urandom(16).hex().encode()
        kind = (about["contentType"] or "application/octet-stream").encode()
        content = b"".join(
            (
                b"--" + mark + b"\r\ncontent-type: application/json\r\n\r\n" + msgspec.json.encode(about),
                b"\r\n--" + mark + b"\r\ncontent-type: " + kind + b"\r\n\r\n" + data,
                b"\r\n--" + mark + b"--\r\n",
            )
        )
        url = f"{self._uploads(location)}?uploadType=multipart{condition}"
        headers = {"content-type": f"multipart/related; boundary={mark.decode()}"}
        return _decoded(await self._call("POST", url, location, content=content, headers=headers), _Resource)

    async def _resumable(
        self, location: Location, about: dict[str, Any], body: tuple[bytes, Pieces, Any], condition: str
    ) -> tuple[_Resource, int]:
        """A session that takes piece by piece; when anything fails it is given up. The object and its size.

        The condition holds at the session's end; asked beforehand it saves the sending.
        """
        if condition and await self._exists(location):
            raise PreconditionFailed
        url = f"{self._uploads(location)}?uploadType=resumable{condition}"
        begun = await self._call("POST", url, location, json=about)
        session = begun.headers["location"]
        try:
            return await self._pieces(location, session, body)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._give_up(session)))
            raise

    async def _exists(self, location: Location) -> bool:
        try:
            await self._stat(location)
        except StoredObjectNotFound:
            return False
        return True

    async def _pieces(self, location: Location, session: str, body: tuple[bytes, Pieces, Any]) -> tuple[_Resource, int]:
        piece, pieces, digest = body
        sent = 0
        while True:
            following = b"" if pieces.ended else await pieces.next()
            last = not following
            total = str(sent + len(piece)) if last else "*"
            headers = {"content-range": f"bytes {sent}-{sent + len(piece) - 1}/{total}"}
            answer = await self._call("PUT", session, location, content=piece, headers=headers)
            sent += len(piece)
            if last:
                return _decoded(answer, _Resource), sent
            digest.update(following)
            piece = following

    async def _give_up(self, session: str) -> None:
        try:
            await self._http.delete(session, headers=await self._authorization())
        except httpx2.HTTPError:
            return  # the first error is the one to tell; sessions end by themselves after a week

    async def _same(self, location: Location, digest: str, pieces: Pieces, hashed: Any) -> ObjectInfo:
        """What is there, when it is the same. A long body may have been refused before all of it was read."""
        while not pieces.ended:
            hashed.update(await pieces.next())
        there = await self.head(location)
        if there.etag != hashed.hexdigest():
            raise ContentDiffers
        return there

    async def _delete(self, location: Location) -> None:
        try:
            await self._call("DELETE", self._object(location), location)
        except StoredObjectNotFound:
            return

    # -- requests --------------------------------------------------------------------------------------------------

    async def _stat(self, location: Location) -> _Resource:
        return _decoded(await self._call("GET", self._object(location), location), _Resource)

    def _object(self, location: Location) -> str:
        return f"{self._base}/storage/v1/b/{quote(location.bucket, safe='')}/o/{_name(location)}"

    def _uploads(self, location: Location) -> str:
        return f"{self._base}/upload/storage/v1/b/{quote(location.bucket, safe='')}/o"

    async def _authorization(self) -> dict[str, str]:
        return {} if self._tokens is None else await self._tokens.headers()

    async def _call(
        self, method: str, url: str, location: Location, *, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        sent = {**(headers or {}), **await self._authorization()}
        with translated(location):
            response = await self._http.request(method, url, headers=sent, **more)
        return await _checked(response, location)


class _Body:
    """The body of a GET in chunks. Gives the connection back at its end, drops it when closed before."""

    def __init__(self, response: httpx2.Response, location: Location) -> None:
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.aiter_bytes(PIECE)
        self._location = location

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        with translated(self._location):
            return await anext(self._chunks)

    async def aclose(self) -> None:
        """May be called again."""
        await self._response.aclose()


def _check_key(key: str) -> None:
    """Refuse what the store refuses, and what no URL could name."""
    key_bytes(key)
    if key in (".", ".."):
        raise InvalidAddress("invalid address: keys of this store must not be '.' or '..'")


def _name(location: Location) -> str:
    _check_key(location.key)
    return quote(key_bytes(location.key), safe="")


@contextmanager
def translated(location: Location) -> Iterator[None]:
    """Run calls of the HTTP client; its errors are raised as ours."""
    try:
        yield
    except httpx2.HTTPError as error:
        raise StorageUnavailable(f"{StorageUnavailable.default} ({error!r})") from error


async def _checked(response: httpx2.Response, location: Location) -> httpx2.Response:
    """The answer of a request that was done. Raises what it says otherwise. 308: a session waits for more."""
    if response.status_code < 400:
        return response
    await response.aread()
    await response.aclose()
    if response.status_code == 404:
        raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
    if response.status_code == 412:
        raise PreconditionFailed
    text = " ".join(response.text[:300].split())
    raise StorageUnavailable(f"the object store refused the request: {response.status_code} {text}")


def _decoded(response: httpx2.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise StorageUnavailable(f"the object store's answer cannot be read: {error}") from error
