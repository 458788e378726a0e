# SPDX-License-Identifier: Apache-2.0
"""The port to object stores: what every adapter promises.

All adapters pass the one suite in `tests/contracts`. An adapter serves one store; a `Location` is a place in it.

- A PUT is all or nothing: readers see the old object or the whole new one, and after a crash the same holds. When
  `put` returns, the object is durable.
- Bodies are streams of chunks (256 KiB to 1 MiB), never whole objects in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import Enum
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import msgspec

from lakehouse.core.errors import ConditionUnsupported, RangeNotSatisfiable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence


class Location(msgspec.Struct, frozen=True, order=True):
    """A place in a store: bucket and key."""

    bucket: str
    key: str


class ByteRange(msgspec.Struct, frozen=True):
    """Bytes `start` to `end`, both included. `start` None: the last `end` bytes. `end` None: to the object's end."""

    start: int | None
    end: int | None


class ObjectInfo(msgspec.Struct, frozen=True):
    """What a store knows of an object. `modified` in seconds, `etag` without quotes: the MD5 in hex for what was put in
    one piece, except that Azure tells marks of its own in all answers but that of `put`.
    """

    size: int
    etag: str
    modified: float
    content_type: str = ""
    metadata: dict[str, str] = {}
    storage_class: str = ""
    """In the store's own words, where it says; only `head` and `get` tell it."""


class StoredObject(msgspec.Struct, frozen=True):
    """One line of a listing."""

    key: str
    info: ObjectInfo


class ObjectReader(msgspec.Struct):
    """An object being read: bytes `start` to `start + length` of it. `body` must be read to its end or closed."""

    info: ObjectInfo
    start: int
    length: int
    body: AsyncIterator[bytes]

    async def read(self) -> bytes:
        """All of the body at once: for nodes and other small things."""
        return b"".join([chunk async for chunk in self.body])

    async def close(self) -> None:
        """Let go of the body without reading it to its end; harmless when it was read."""
        close = getattr(self.body, "aclose", None)
        if close is not None:
            await close()


def resolve_range(byte_range: ByteRange | None, size: int) -> tuple[int, int]:
    """Start and length of a range of an object of `size` bytes. Raises RangeNotSatisfiable (RFC 9110, 14.1.2)."""
    if byte_range is None:
        return 0, size
    start, end = byte_range.start, byte_range.end
    if start is None:
        length = min(end or 0, size)
        if length <= 0:
            raise RangeNotSatisfiable(size=size)
        return size - length, length
    last = size - 1 if end is None else min(end, size - 1)
    if start < 0 or start > last:
        raise RangeNotSatisfiable(size=size)
    return start, last - start + 1


class PutMode(Enum):
    """What a PUT does when the object is there already."""

    REPLACE = "replace"
    CREATE = "create"
    """PreconditionFailed."""
    ONCE = "once"
    """Nothing when the bytes are the same, ContentDiffers when they are not."""


class Match(msgspec.Struct, frozen=True):
    """A PUT that replaces only an object with one of these ETags (`*`: whatever is there).

    StoredObjectNotFound when nothing is there, PreconditionFailed when another object is.
    """

    etags: frozenset[str]

    def meets(self, etag: str) -> bool:
        return etag in self.etags or "*" in self.etags


Mode: TypeAlias = PutMode | Match
"""What a PUT does when the object is there already. Stores that cannot compare refuse a Match: ConditionUnsupported."""


def without_match(mode: Mode) -> PutMode:
    """The mode, for stores that cannot compare. Raises ConditionUnsupported."""
    if isinstance(mode, Match):
        raise ConditionUnsupported("this store cannot replace an object on condition of its ETag")
    return mode


class ObjectPart(msgspec.Struct, frozen=True):
    """Where in an object one of its parts lies, of how many (0: it was put in one piece); and the object's ETag."""

    start: int
    size: int
    count: int
    etag: str


class StoreDescription(msgspec.Struct, frozen=True):
    """What `/config` tells of a store."""

    kind: str
    """Blockstore type on the wire: `s3`, `local`, `mem`, `gs`, `azure`."""
    scheme: str
    """Of the addresses, e.g. `s3`."""
    namespace_example: str
    presign: bool
    presign_multipart: bool
    importable: bool


class ObjectStore(Protocol):
    """Bytes by address."""

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        """Open an object. Raises StoredObjectNotFound, RangeNotSatisfiable, StorageUnavailable."""
        ...

    async def head(self, location: Location) -> ObjectInfo:
        """Raises StoredObjectNotFound, StorageUnavailable."""
        ...

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
        """Store an object. `size` when it is known beforehand: IncompleteBody when the body is another length.

        An exception of the body's iterator passes through, with nothing stored. Raises PreconditionFailed,
        ContentDiffers, StoredObjectNotFound (a Match, and nothing there), StorageFull, StorageUnavailable.
        """
        ...

    async def delete(self, locations: Sequence[Location]) -> None:
        """Remove objects; those that are absent are no error. Raises StorageUnavailable."""
        ...

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        """Up to `limit` objects in bytewise order of key, strictly after `after`; and whether more follow."""
        ...

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        """Copy bytes, type and metadata within the store. Raises StoredObjectNotFound, StorageFull."""
        ...

    def describe(self) -> StoreDescription: ...

    async def close(self) -> None: ...


class Small(msgspec.Struct, frozen=True):
    """An object that is in memory. `etag` is taken as it is: at most 48 characters that follow from the bytes."""

    location: Location
    body: bytes
    etag: str


@runtime_checkable
class BatchStore(Protocol):
    """What a store on this machine's own disk can do beside: bytes are cheap there, hashes and single calls are not."""

    async def put_batch(self, objects: Sequence[Small], *, content_type: str = "") -> None:
        """Store objects, in place of what is there; of two at one place the last. All are durable when it returns.

        Raises StorageFull, and then none is stored, and StorageUnavailable, and then none or all of them.
        """
        ...


@runtime_checkable
class CheckedStore(Protocol):
    """What a store can do beside whose lists come from an index: compare that with what there really is."""

    async def check(self, bucket: str, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Of these objects those whose bytes are not there, each with what is wrong in words. Reads no bytes."""
        ...


class PartInfo(msgspec.Struct, frozen=True):
    """A part of an unfinished upload: `number` 1 to 10,000, `etag` the MD5 of its bytes."""

    number: int
    size: int
    etag: str
    modified: float


class Upload(msgspec.Struct, frozen=True):
    """An unfinished upload. `created` in seconds."""

    key: str
    id: str
    created: float


class MultipartStore(Protocol):
    """Objects that arrive in parts: all or nothing, once completed. Wrong upload ids raise UploadNotFound."""

    async def create(
        self, location: Location, *, content_type: str = "", metadata: dict[str, str] | None = None
    ) -> str:
        """Begin an upload; its id."""
        ...

    async def put_part(
        self,
        location: Location,
        upload: str,
        number: int,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
    ) -> PartInfo:
        """Store a part, in place of one with the same number. Raises as `ObjectStore.put`, UploadNotFound."""
        ...

    async def copy_part(
        self, location: Location, upload: str, number: int, source: Location, byte_range: ByteRange | None = None
    ) -> PartInfo:
        """Store a part of the bytes of an object of this store, or of a range of them.

        Raises StoredObjectNotFound, RangeNotSatisfiable, UploadNotFound, StorageFull.
        """
        ...

    async def parts(
        self, location: Location, upload: str, *, after: int = 0, limit: int = 1000
    ) -> tuple[list[PartInfo], bool]:
        """Parts with numbers above `after`, in order; and whether more follow."""
        ...

    async def complete(
        self,
        location: Location,
        upload: str,
        parts: Sequence[tuple[int, str]],
        *,
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        """Make the object of these parts (number, ETag), in this order; the upload is gone afterwards.

        Its ETag is the MD5 of the parts' MD5s, `-`, and their number. Raises InvalidPart, InvalidPartOrder,
        PartTooSmall (less than 5 MiB and not the last), PreconditionFailed, ContentDiffers, StorageFull.
        """
        ...

    async def abort(self, location: Location, upload: str) -> None:
        """Give up an upload and drop its parts."""
        ...

    async def part_of(self, location: Location, number: int) -> ObjectPart | None:
        """A part of a finished object; None when it has fewer. One that was put in one piece is its own first part.

        Raises StoredObjectNotFound, Unsupported where the store does not tell.
        """
        ...

    async def uploads(
        self, bucket: str, *, prefix: str = "", after: tuple[str, str] = ("", ""), limit: int = 1000
    ) -> tuple[list[Upload], bool]:
        """Unfinished uploads in order of key and id, strictly after (key, id); and whether more follow."""
        ...


class Presigner(Protocol):
    """URLs that allow one method on one object for a while, to whoever holds them."""

    def presign(
        self, method: str, location: Location, *, expires: int, endpoint: str, query: Sequence[tuple[str, str]] = ()
    ) -> str:
        """A URL for GET or PUT. `expires` in seconds from now, at most 604,800; `endpoint` such as
        `http://127.0.0.1:8000` is used by stores that the server itself serves. `query` is signed too: with
        `partNumber` and `uploadId`, a PUT of one part.
        """
        ...
