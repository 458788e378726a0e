# SPDX-License-Identifier: Apache-2.0
"""Objects through the `obstore` package: Azure, and the bytes of S3 at less CPU than the `minio` package takes.

The package knows objects by name and nothing of unfinished uploads, so long bodies are its own multipart uploads: until
they are finished nothing is visible. ETags are what the store calls them, which on Azure is no MD5; only `put` tells
the MD5. Its names are paths without empty segments: other keys are refused, never changed.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError

from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    ContentDiffers,
    InvalidAddress,
    PreconditionFailed,
    StorageUnavailable,
    StoredObjectNotFound,
)
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import CHUNK, ChunkBody, Pieces, exactly
from lakehouse.objects.header_text import from_header, to_header
from lakehouse.objects.port import (
    Location,
    ObjectInfo,
    ObjectReader,
    PutMode,
    StoredObject,
    resolve_range,
    without_match,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence

    from obstore.store import ObjectStore as Bucket

    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import ByteRange, Mode, StoreDescription

PART = 8 * 1024 * 1024
"""Bytes of a part; bodies up to this size are one request."""
PIECE = 1024 * 1024
_TYPE = "Content-Type"
_CONCURRENT = 2
_ABSENT = (FileNotFoundError, NotFoundError)


class ObstoreStore:
    """An ObjectStore. `open_bucket` makes the package's store for a bucket, when the bucket is first used."""

    def __init__(self, open_bucket: Callable[[str], Bucket], description: StoreDescription, *, clock: Clock) -> None:
        self._open_bucket = open_bucket
        self._description = description
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        key = path_of(location)
        bucket = self._bucket(location.bucket)
        if byte_range is not None and byte_range.start is None:
            size = (await self.head(location)).size
            wanted: Any = _span(resolve_range(byte_range, size))
        elif byte_range is None:
            wanted = None
        elif byte_range.end is None:
            wanted = {"offset": byte_range.start}
        else:
            wanted = (byte_range.start, byte_range.end + 1)
        with translated(location):
            try:
                options = {} if wanted is None else {"range": wanted}
                found = await obstore.get_async(bucket, key, options=options)  # type: ignore[arg-type]
            except _ABSENT:
                raise
            except BaseError:
                if byte_range is not None:  # is it the range?
                    resolve_range(byte_range, (await self.head(location)).size)
                raise
        start, end = found.range
        info = _info(found.meta, found.attributes)
        if end <= start:
            return ObjectReader(info, start, 0, ChunkBody(b""))
        if end - start <= CHUNK:
            with translated(location):
                return ObjectReader(info, start, end - start, ChunkBody(bytes(await found.bytes_async())))
        return ObjectReader(info, start, end - start, StreamBody(found.stream(min_chunk_size=PIECE), location))

    async def head(self, location: Location) -> ObjectInfo:
        with translated(location):
            found = await obstore.get_async(self._bucket(location.bucket), path_of(location), options={"head": True})
        return _info(found.meta, found.attributes)

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
        path_of(location)
        mode = without_match(mode)
        attributes = {name: to_header(value) for name, value in (metadata or {}).items()}
        if content_type:
            attributes[_TYPE] = content_type
        pieces = Pieces(exactly(body, size), PART)
        first = await pieces.next()
        digest = hashlib.md5(first, usedforsecurity=False)
        if pieces.ended:
            stored = len(first)
            there = not await self._create(location, first, attributes, mode)
        else:
            hashed = _Hashed(first, pieces, digest)
            there = not await self._stream(location, hashed, attributes, mode)
            stored = hashed.size
        if there:
            return await self._same(location, stored, digest.hexdigest(), mode)
        return ObjectInfo(stored, digest.hexdigest(), self._clock(), content_type, dict(metadata or {}))

    async def delete(self, locations: Sequence[Location]) -> None:
        for location in locations:
            path_of(location)
        for bucket in dict.fromkeys(location.bucket for location in locations):
            keys = list(dict.fromkeys(location.key for location in locations if location.bucket == bucket))
            for at in range(0, len(keys), 256):
                await self._delete_some(bucket, keys[at : at + 256])

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        """The package's own prefix is a folder, and not every store begins where it is told: so names are looked at."""
        folder = prefix.rpartition("/")[0]
        found: list[StoredObject] = []
        low, behind = prefix.encode(), after.encode("utf-8", "surrogateescape")
        with translated(Location(bucket, prefix)):
            pages = obstore.list(
                self._bucket(bucket), folder or None, offset=after or None, chunk_size=min(limit + 1, 1000)
            )
            async for page in pages:
                for line in page:
                    name = line["path"].encode()
                    if name <= behind or not name.startswith(low):
                        if name > low and not name.startswith(low):
                            return found, False
                        continue
                    if len(found) == limit:
                        return found, True
                    found.append(StoredObject(line["path"], _info(line, {})))
        return found, False

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        path_of(source)
        path_of(target)
        if source.bucket != target.bucket:
            return await self._copy_across(source, target)
        if source != target:
            with translated(source):
                await obstore.copy_async(self._bucket(source.bucket), source.key, target.key)
        return await self.head(target)

    def describe(self) -> StoreDescription:
        return self._description

    async def close(self) -> None:
        self._buckets.clear()

    # -- writing ---------------------------------------------------------------------------------------------------

    async def _create(self, location: Location, data: bytes, attributes: Mapping[str, str], mode: PutMode) -> bool:
        """One request; False when `mode` minds that something is there."""
        bucket = self._bucket(location.bucket)
        with translated(location):
            try:
                await obstore.put_async(
                    bucket,
                    location.key,
                    data,
                    attributes=dict(attributes),
                    mode="overwrite" if mode is PutMode.REPLACE else "create",
                    use_multipart=False,
                )
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    async def _stream(self, location: Location, body: _Hashed, attributes: Mapping[str, str], mode: PutMode) -> bool:
        """An upload in parts. These know no conditions, so with one they go elsewhere first and are then copied."""
        bucket = self._bucket(location.bucket)
        key = location.key if mode is PutMode.REPLACE else f"{location.key[:900]}.{random_token()}.unfinished"
        with translated(location, but=body):
            await obstore.put_async(
                bucket,
                key,
                body,
                attributes=dict(attributes),
                use_multipart=True,
                chunk_size=PART,
                max_concurrency=_CONCURRENT,
            )
        if mode is PutMode.REPLACE:
            return True
        try:
            with translated(location):
                await obstore.copy_async(bucket, key, location.key, overwrite=False)
        except PreconditionFailed:
            return False
        finally:
            await self._delete_some(location.bucket, [key])
        return True

    async def _same(self, location: Location, size: int, digest: str, mode: PutMode) -> ObjectInfo:
        """What is there, when ONCE may find it. Raises PreconditionFailed, ContentDiffers."""
        if mode is not PutMode.ONCE:
            raise PreconditionFailed
        reader = await self.get(location)
        there = hashlib.md5(usedforsecurity=False)
        if reader.info.size == size:
            async for chunk in reader.body:
                there.update(chunk)
        await reader.close()
        if reader.info.size != size or there.hexdigest() != digest:
            raise ContentDiffers
        info = reader.info
        return ObjectInfo(info.size, digest, info.modified, info.content_type, info.metadata)

    async def _delete_some(self, bucket: str, keys: Sequence[str]) -> None:
        with translated(Location(bucket, keys[0])):
            try:
                await obstore.delete_async(self._bucket(bucket), keys)
            except _ABSENT:
                for key in keys:  # one that is absent must not keep the others
                    await self._delete_one(bucket, key)

    async def _delete_one(self, bucket: str, key: str) -> None:
        try:
            await obstore.delete_async(self._bucket(bucket), key)
        except _ABSENT:
            return

    async def _copy_across(self, source: Location, target: Location) -> ObjectInfo:
        reader = await self.get(source)
        try:
            info = reader.info
            return await self.put(
                target, reader.body, size=reader.length, content_type=info.content_type, metadata=info.metadata
            )
        finally:
            await reader.close()

    def _bucket(self, name: str) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = self._open_bucket(name)
        return bucket


class _Hashed:
    """The pieces of a body, hashed on their way. `failed` is what the body itself raised."""

    def __init__(self, first: bytes, pieces: Pieces, digest: Any) -> None:
        self._pieces = pieces
        self._digest = digest
        self._next: bytes = first
        self.size = 0
        self.failed: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        piece, hashed = self._next, True
        while piece:
            if not hashed:
                self._digest.update(piece)
            self.size += len(piece)
            yield piece
            try:
                piece = b"" if self._pieces.ended else await self._pieces.next()
            except BaseException as error:
                self.failed = error
                raise
            hashed = False


class StreamBody:
    """The body of a GET in chunks of at most `PIECE` bytes."""

    def __init__(self, stream: Any, location: Location) -> None:
        self._stream = stream
        self._location = location
        self._rest = b""

    def __aiter__(self) -> StreamBody:
        return self

    async def __anext__(self) -> bytes:
        if not self._rest:
            if self._stream is None:
                raise StopAsyncIteration
            with translated(self._location):
                self._rest = bytes(await anext(self._stream, b""))
        chunk, self._rest = self._rest[:PIECE], self._rest[PIECE:]
        if not chunk:
            self._stream = None
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        """Let go of the connection; may be called again."""
        self._stream, self._rest = None, b""


def path_of(location: Location) -> str:
    """The key as the package takes it. Raises InvalidAddress for one that it would change or refuse."""
    key_bytes(location.key)
    if not fits(location.key):
        raise InvalidAddress(
            "invalid address: keys of this store must not have empty, '.' or '..' segments nor control characters"
        )
    return location.key


def fits(key: str) -> bool:
    """Whether the package takes a key as it is."""
    return all(segment not in ("", ".", "..") for segment in key.split("/")) and key.isprintable()


@contextmanager
def translated(location: Location, *, but: _Hashed | None = None) -> Iterator[None]:
    """Run calls of the package; its errors are raised as ours. What the body `but` raised passes through."""
    try:
        yield
    except _ABSENT as error:
        raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}") from error
    except (AlreadyExistsError, PreconditionError) as error:
        raise PreconditionFailed from error
    except (BaseError, OSError, ValueError) as error:
        if but is not None and but.failed is not None:
            raise but.failed from None
        text = str(error).partition("\n")[0][:500]
        raise StorageUnavailable(f"{StorageUnavailable.default} ({text})") from error


def _span(found: tuple[int, int]) -> tuple[int, int]:
    start, length = found
    return start, start + length


def _info(meta: Any, attributes: Mapping[Any, Any]) -> ObjectInfo:
    return ObjectInfo(
        meta["size"],
        (meta["e_tag"] or "").strip('"'),
        meta["last_modified"].timestamp(),
        str(attributes.get(_TYPE, "")),
        {name: from_header(value) for name, value in attributes.items() if name.islower()},
    )
