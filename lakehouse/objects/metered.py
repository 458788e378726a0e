# SPDX-License-Identifier: Apache-2.0
"""A store that counts its calls: how many, how they ended, how long they took, how many bytes went in and out.

`metered` gives back what can do exactly what the store itself can. A GET takes until its first bytes can be read.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from lakehouse.core.errors import Exhausted, LakehouseError, Unavailable
from lakehouse.objects.port import BatchStore, MultipartStore, ObjectStore, PutMode
from lakehouse.telemetry.metrics import Histogram

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Sequence

    from lakehouse.objects.port import (
        ByteRange,
        Location,
        Mode,
        ObjectInfo,
        ObjectPart,
        ObjectReader,
        PartInfo,
        Small,
        StoreDescription,
        StoredObject,
        Upload,
    )

T = TypeVar("T")

CALLS = (
    "get", "head", "put", "put_batch", "delete", "list", "copy",
    "create_upload", "put_part", "copy_part", "list_parts", "complete_upload", "abort_upload", "list_uploads",
    "part_of",
)  # fmt: skip
OUTCOMES = ("done", "refused", "failed")
"""`refused`: not there, a condition that does not hold and the like; `failed`: the store did not do its work."""


class StoreFigures:
    """What one store did, in plain numbers of this process. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self.seconds = {call: Histogram() for call in CALLS}
        self.ended = {(call, outcome): 0 for call in CALLS for outcome in OUTCOMES}
        self.received = 0
        """Bytes of objects that were stored."""
        self.sent = 0
        """Bytes of objects that were asked for."""

    async def watch(self, name: str, call: Awaitable[T]) -> T:
        """Await a call and count it."""
        began = time.perf_counter()
        outcome = "failed"
        try:
            found = await call
            outcome = "done"
        except (Unavailable, Exhausted):
            raise
        except LakehouseError:
            outcome = "refused"
            raise
        else:
            return found
        finally:
            self.ended[name, outcome] += 1
            self.seconds[name].observe(time.perf_counter() - began)


def metered(store: ObjectStore, figures: StoreFigures) -> ObjectStore:
    """The same store, counted in `figures`."""
    return _MeteredBatches(store, store, figures) if isinstance(store, BatchStore) else Metered(store, figures)


class Metered:
    """Implements `ObjectStore` by another one."""

    def __init__(self, store: ObjectStore, figures: StoreFigures) -> None:
        self._store = store
        self._figures = figures

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        reader = await self._figures.watch("get", self._store.get(location, byte_range))
        self._figures.sent += reader.length
        return reader

    async def head(self, location: Location) -> ObjectInfo:
        return await self._figures.watch("head", self._store.head(location))

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
        call = self._store.put(location, body, size=size, content_type=content_type, metadata=metadata, mode=mode)
        info = await self._figures.watch("put", call)
        self._figures.received += info.size
        return info

    async def delete(self, locations: Sequence[Location]) -> None:
        await self._figures.watch("delete", self._store.delete(locations))

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        return await self._figures.watch("list", self._store.list(bucket, prefix=prefix, after=after, limit=limit))

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        return await self._figures.watch("copy", self._store.copy(source, target))

    def describe(self) -> StoreDescription:
        return self._store.describe()

    async def close(self) -> None:
        await self._store.close()


class _MeteredBatches(Metered):
    def __init__(self, store: ObjectStore, batches: BatchStore, figures: StoreFigures) -> None:
        super().__init__(store, figures)
        self._batches = batches

    async def put_batch(self, objects: Sequence[Small], *, content_type: str = "") -> None:
        await self._figures.watch("put_batch", self._batches.put_batch(objects, content_type=content_type))
        self._figures.received += sum(len(one.body) for one in objects)


class MeteredUploads:
    """Implements `MultipartStore` by another one."""

    def __init__(self, uploads: MultipartStore, figures: StoreFigures) -> None:
        self._uploads = uploads
        self._watch = figures.watch
        self._figures = figures

    async def create(
        self, location: Location, *, content_type: str = "", metadata: dict[str, str] | None = None
    ) -> str:
        call = self._uploads.create(location, content_type=content_type, metadata=metadata)
        return await self._watch("create_upload", call)

    async def put_part(
        self,
        location: Location,
        upload: str,
        number: int,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
    ) -> PartInfo:
        part = await self._watch("put_part", self._uploads.put_part(location, upload, number, body, size=size))
        self._figures.received += part.size
        return part

    async def copy_part(
        self, location: Location, upload: str, number: int, source: Location, byte_range: ByteRange | None = None
    ) -> PartInfo:
        return await self._watch("copy_part", self._uploads.copy_part(location, upload, number, source, byte_range))

    async def parts(
        self, location: Location, upload: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        return await self._watch("list_parts", self._uploads.parts(location, upload, after=after, limit=limit))

    async def complete(
        self, location: Location, upload: str, parts: Sequence[tuple[int, str]], *, mode: Mode = PutMode.REPLACE
    ) -> ObjectInfo:
        return await self._watch("complete_upload", self._uploads.complete(location, upload, parts, mode=mode))

    async def part_of(self, location: Location, number: int) -> ObjectPart | None:
        return await self._watch("part_of", self._uploads.part_of(location, number))

    async def abort(self, location: Location, upload: str) -> None:
        await self._watch("abort_upload", self._uploads.abort(location, upload))

    async def uploads(
        self, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> tuple[list[Upload], bool]:
        return await self._watch("list_uploads", self._uploads.uploads(bucket, prefix=prefix, after=after, limit=limit))
