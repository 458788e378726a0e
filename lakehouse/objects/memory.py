# SPDX-License-Identifier: Apache-2.0
"""Objects in this process's memory: for tests, and the model that the other stores are compared with."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from lakehouse.core.clock import system_clock
from lakehouse.core.errors import ContentDiffers, PreconditionFailed, StoredObjectNotFound
from lakehouse.objects.address import key_bytes, key_text
from lakehouse.objects.body import ChunkBody, exactly, whole
from lakehouse.objects.port import (
    ByteRange,
    Location,
    Match,
    Mode,
    ObjectInfo,
    ObjectReader,
    PutMode,
    StoreDescription,
    StoredObject,
    resolve_range,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from lakehouse.core.clock import Clock


class MemoryStore:
    """An ObjectStore of dictionaries. Every change happens between two awaits, so it is atomic."""

    def __init__(self, *, clock: Clock = system_clock, scheme: str = "mem") -> None:
        self._clock = clock
        self._scheme = scheme
        self._objects: dict[tuple[str, bytes], tuple[bytes, ObjectInfo]] = {}
        self._keys: dict[str, list[bytes]] = {}

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        data, info = self._found(location)
        start, length = resolve_range(byte_range, info.size)
        return ObjectReader(info, start, length, ChunkBody(data[start : start + length]))

    async def head(self, location: Location) -> ObjectInfo:
        return self._found(location)[1]

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
        place = (location.bucket, key_bytes(location.key))
        data = await whole(exactly(body, size))
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        there = self._objects.get(place)
        if isinstance(mode, Match):
            if there is None:
                raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
            if not mode.meets(there[1].etag):
                raise PreconditionFailed
        elif there is not None and mode is not PutMode.REPLACE:
            if mode is PutMode.CREATE:
                raise PreconditionFailed
            if there[0] != data:
                raise ContentDiffers
            return there[1]
        info = ObjectInfo(len(data), etag, self._clock(), content_type, dict(metadata or {}))
        self._store(place, data, info)
        return info

    async def delete(self, locations: Sequence[Location]) -> None:
        for location in locations:
            place = (location.bucket, key_bytes(location.key))
            if self._objects.pop(place, None) is not None:
                keys = self._keys[location.bucket]
                del keys[bisect_left(keys, place[1])]

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        keys = self._keys.get(bucket, [])
        wanted = prefix.encode("utf-8", "surrogateescape")
        at = max(
            bisect_left(keys, wanted), bisect_right(keys, after.encode("utf-8", "surrogateescape")) if after else 0
        )
        found: list[StoredObject] = []
        while at < len(keys) and keys[at].startswith(wanted):
            if len(found) == limit:
                return found, True
            found.append(StoredObject(key_text(keys[at]), self._objects[bucket, keys[at]][1]))
            at += 1
        return found, False

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        data, info = self._found(source)
        copied = ObjectInfo(info.size, info.etag, self._clock(), info.content_type, info.metadata)
        self._store((target.bucket, key_bytes(target.key)), data, copied)
        return copied

    def describe(self) -> StoreDescription:
        return StoreDescription(
            kind="mem",
            scheme=self._scheme,
            namespace_example=f"{self._scheme}://example-bucket/",
            presign=False,
            presign_multipart=False,
            importable=False,
        )

    async def close(self) -> None:
        """Nothing is held."""

    def _found(self, location: Location) -> tuple[bytes, ObjectInfo]:
        try:
            return self._objects[location.bucket, key_bytes(location.key)]
        except KeyError:
            raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}") from None

    def _store(self, place: tuple[str, bytes], data: bytes, info: ObjectInfo) -> None:
        if place not in self._objects:
            insort(self._keys.setdefault(place[0], []), place[1])
        self._objects[place] = (data, info)
