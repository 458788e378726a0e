# SPDX-License-Identifier: Apache-2.0
"""Multipart uploads into the embedded store.

A part is a file of its own with a row of its own. Completing copies nothing: it writes a manifest, which names the
parts' files, and one transaction makes the object, ends the upload and lets go of parts that were not named.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidPart, InvalidPartOrder, PartTooSmall, StoredObjectNotFound, UploadNotFound
from lakehouse.objects.address import key_bytes
from lakehouse.objects.body import exactly
from lakehouse.objects.local_file import Label
from lakehouse.objects.local_index import Row
from lakehouse.objects.manifest import MANIFEST, FileSpan, part_at
from lakehouse.objects.part_index import PartRow, Parts
from lakehouse.objects.port import ObjectInfo, ObjectPart, PartInfo, PutMode, Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.local_file import Written
    from lakehouse.objects.local_index import Index
    from lakehouse.objects.local_write import Files
    from lakehouse.objects.port import ByteRange, Location, Mode, ObjectReader

SMALLEST_PART = 5 * 1024 * 1024
"""Bytes that every part but the last one must have."""


class LocalUploads:
    """A MultipartStore on the files and the index of a LocalStore."""

    def __init__(
        self,
        index: Index,
        files: Files,
        *,
        head: Callable[[Location], Awaitable[ObjectInfo]],
        read: Callable[[Location, ByteRange | None], Awaitable[ObjectReader]],
        clock: Clock,
    ) -> None:
        self._index = index
        self._parts = Parts(index)
        self._files = files
        self._head = head
        self._read = read
        self._clock = clock

    async def create(
        self, location: Location, *, content_type: str = "", metadata: dict[str, str] | None = None
    ) -> str:
        label = Label(location.bucket, key_bytes(location.key), content_type, dict(metadata or {}))
        upload = os.urandom(16).hex()
        await self._parts.create(upload, label, self._clock())
        return upload

    async def put_part(
        self,
        location: Location,
        upload: str,
        number: int,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
    ) -> PartInfo:
        self._find(location, upload)
        label = Label(location.bucket, key_bytes(location.key), "", {"upload": upload, "part": str(number)})

        async def commit(written: Written) -> tuple[PartInfo, list[str]]:
            info = PartInfo(number, written.size, written.etag, written.modified)
            return info, await self._parts.put(upload, PartRow(written.name, written.offset, info))

        return await self._files.write(label, exactly(body, size), commit, part=True)

    async def copy_part(
        self, location: Location, upload: str, number: int, source: Location, byte_range: ByteRange | None = None
    ) -> PartInfo:
        reader = await self._read(source, byte_range)
        try:
            return await self.put_part(location, upload, number, reader.body, size=reader.length)
        finally:
            await reader.close()

    async def parts(
        self, location: Location, upload: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        self._find(location, upload)
        rows = self._parts.page(upload, after=after, limit=limit + 1)
        return [row.info for row in rows[:limit]], len(rows) > limit

    async def complete(
        self,
        location: Location,
        upload: str,
        parts: Sequence[tuple[int, str]],
        *,
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        label = self._find(location, upload)
        rows = self._chosen(upload, parts)
        digests = b"".join(bytes.fromhex(row.info.etag) for row in rows)
        etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(rows)}"
        spans = [FileSpan(row.file, row.start, row.info.size) for row in rows]

        async def commit(written: Written) -> tuple[ObjectInfo, list[str]]:
            info = ObjectInfo(written.size, etag, written.modified, label.content_type, label.metadata)
            made = (Row(written.name, written.offset, info), rows)
            done = await self._parts.complete(upload, label, made, mode)
            return (await self._head(location) if done.stands else info), done.left

        return await self._files.manifest(label, spans, etag, commit)

    async def abort(self, location: Location, upload: str) -> None:
        self._find(location, upload)
        await self._files.shielded(self._drop(upload))

    async def part_of(self, location: Location, number: int) -> ObjectPart | None:
        row = self._index.find(location.bucket, key_bytes(location.key))
        if row is None:
            raise StoredObjectNotFound(f"no object at {location.bucket}/{location.key}")
        if row.start != MANIFEST:
            return ObjectPart(0, row.info.size, 0, row.info.etag) if number == 1 else None
        found = part_at(self._index, row.file, number)
        return None if found is None else ObjectPart(*found, row.info.etag)

    async def uploads(
        self, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> tuple[list[Upload], bool]:
        found = self._parts.uploads(bucket, prefix=prefix, after=after, limit=limit + 1)
        return found[:limit], len(found) > limit

    async def expire(self, before: float) -> int:
        """Drop the uploads that began before `before` (seconds since 1970) and got no part since; how many."""
        dropped = 0
        while names := self._parts.abandoned(before, limit=100):
            for name in names:
                await self._files.shielded(self._drop(name))
            dropped += len(names)
        return dropped

    def _find(self, location: Location, upload: str) -> Label:
        label = self._parts.label(upload)
        if label is None or (label.bucket, label.key) != (location.bucket, key_bytes(location.key)):
            raise UploadNotFound
        return label

    def _chosen(self, upload: str, parts: Sequence[tuple[int, str]]) -> list[PartRow]:
        """The rows of the parts that make up the object. Raises InvalidPart, InvalidPartOrder, PartTooSmall."""
        numbers = [number for number, _ in parts]
        if numbers != sorted(set(numbers)):
            raise InvalidPartOrder
        there = {row.info.number: row for row in self._parts.page(upload, after=0, limit=10_000)}
        rows = []
        for number, etag in parts:
            row = there.get(number)
            if row is None or row.info.etag != etag.strip('"').lower():
                raise InvalidPart(f"part {number} was not uploaded, or its ETag is another one")
            rows.append(row)
        if not rows:
            raise InvalidPart("an upload is completed with at least one part")
        if any(row.info.size < SMALLEST_PART for row in rows[:-1]):
            raise PartTooSmall
        return rows

    async def _drop(self, upload: str) -> None:
        self._files.remove_later(await self._parts.drop(upload))
