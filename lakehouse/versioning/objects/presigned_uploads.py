# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts to physical addresses: begin, hand out URLs, put together, stage.

The upload itself is the store's; nothing of it is kept here. Its address is signed for one path of one branch, and
every step checks that, so an upload can only become the object that it was begun for.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    DataMissing,
    InvalidAddress,
    InvalidArgument,
    LinkAddressExpired,
    LinkAddressInvalid,
    MissingValue,
    StoredObjectNotFound,
    Unsupported,
    UploadNotFound,
)
from lakehouse.core.ids import EntryPath
from lakehouse.core.records import AddressKind, Branch, Entry, Repository
from lakehouse.format.entry import pack
from lakehouse.meta import staging
from lakehouse.objects.address import parse_address
from lakehouse.objects.port import ByteRange, Location, MultipartStore, ObjectStore, Presigner
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import addresses, lookup
from lakehouse.versioning.objects.staging import Linked
from lakehouse.versioning.protection import require_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.objects.port import ObjectInfo
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place

MAX_PARTS = 10_000
_PAGE = 500
"""URLs that are signed before others get their turn."""


class Begun(msgspec.Struct, frozen=True):
    """An upload that has begun: its id, its address as a URI, and URLs for the first parts."""

    id: str
    uri: str
    urls: list[str]


class Target(msgspec.Struct, frozen=True):
    """Which upload a request is about: the branch's path, the address as it was handed out, the id."""

    path: EntryPath
    uri: str
    upload: str


class Source(msgspec.Struct, frozen=True):
    """Bytes of an object of a repository."""

    repository: str
    ref: str
    path: EntryPath
    byte_range: ByteRange | None = None


class _Found(msgspec.Struct, frozen=True):
    """An upload's place and the store's ends."""

    repository: Repository
    branch: Branch
    relative: str
    location: Location
    objects: ObjectStore
    uploads: MultipartStore
    presigner: Presigner


async def create(lake: Lake, repository: str, branch: str, path: EntryPath, *, parts: int, endpoint: str) -> Begun:
    """Begin an upload; with URLs for parts 1 to `parts`. `endpoint` is how the caller reaches the server.

    Raises InvalidArgument for a number outside of 0 to 10,000, RepositoryNotFound, BranchNotFound, Unsupported.
    """
    if not 0 <= parts <= MAX_PARTS:
        raise InvalidArgument(f"parts can be between 0 and {MAX_PARTS}: invalid value: validation error")
    repo, seen = await resolve.branch(lake, repository, branch)
    place = lake.place(repo)
    uploads, presigner = _able(place)
    relative = addresses.issue(lake, repo, seen, path)
    location = place.locate(relative)
    upload = await uploads.create(location)
    urls = []
    for number in range(1, parts + 1):
        urls.append(_url(lake, presigner, location, upload, number, endpoint=endpoint))
        if number % _PAGE == 0:
            await asyncio.sleep(0)
    return Begun(upload, place.uri + relative, urls)


async def part_url(lake: Lake, repository: str, branch: str, target: Target, number: int, *, endpoint: str) -> str:
    """A URL to PUT one part to. Raises as `complete`."""
    found = await _find(lake, repository, branch, target)
    return _url(lake, found.presigner, found.location, target.upload, _numbered(number), endpoint=endpoint)


async def copy_part(lake: Lake, repository: str, branch: str, target: Target, number: int, source: Source) -> str:
    """Take a part from an object; its ETag. Raises as `complete`, and ObjectNotFound, DataMissing,
    RangeNotSatisfiable.
    """
    found = await _find(lake, repository, branch, target)
    number = _numbered(number)
    record, entry = await lookup.entry_at_ref(lake, source.repository, source.ref, source.path)
    store, location = addresses.locate(lake, record, entry)
    try:
        if store.uploads is found.uploads:
            part = await found.uploads.copy_part(found.location, target.upload, number, location, source.byte_range)
        else:
            reader = await store.objects.get(location, source.byte_range)
            try:
                part = await found.uploads.put_part(
                    found.location, target.upload, number, reader.body, size=reader.length
                )
            finally:
                await reader.close()
    except StoredObjectNotFound as error:
        raise DataMissing from error
    return part.etag


async def complete(
    lake: Lake,
    repository: str,
    branch: str,
    target: Target,
    parts: Sequence[tuple[int, str]],
    *,
    content_type: str = "",
    metadata: dict[str, str] | None = None,
) -> Linked:
    """Put the parts (number, ETag) together and stage the object. May be repeated: what was put together before is
    staged again.

    Raises Unsupported, MissingValue, InvalidAddress, LinkAddressInvalid, LinkAddressExpired, ProtectedBranch,
    UploadNotFound, InvalidPart, InvalidPartOrder, PartTooSmall.
    """
    if not parts:
        raise MissingValue("parts are required: required value: validation error")
    found = await _find(lake, repository, branch, target)
    await require_writable(lake, found.repository, found.branch.name, force=False)
    info = await _put_together(found, target.upload, parts)
    entry = Entry(
        address=found.relative,
        kind=AddressKind.RELATIVE,
        size=info.size,
        checksum=info.etag,
        mtime=lake.now,
        content_type=content_type,
        metadata=dict(metadata or {}),
    )
    await lake.db.apply(staging.put(found.branch.id, target.path, pack(entry)))
    return Linked(target.path, entry, found.relative)


async def abort(lake: Lake, repository: str, branch: str, target: Target) -> None:
    """Give up an upload, also one whose address has expired. Raises as `complete`."""
    found = await _find(lake, repository, branch, target, expired=True)
    await found.uploads.abort(found.location, target.upload)


async def _find(lake: Lake, repository: str, branch: str, target: Target, *, expired: bool = False) -> _Found:
    """The upload's place, when its address is this path's own. `expired`: an old address will do."""
    repo, seen = await resolve.branch(lake, repository, branch)
    place = lake.place(repo)
    uploads, presigner = _able(place)
    if not target.uri:
        raise MissingValue("physical_address is required: required value: validation error")
    relative = _relative(place, target.uri)
    try:
        addresses.verify(lake, repo, seen, target.path, relative)
    except LinkAddressExpired:
        if not expired:
            raise
    return _Found(repo, seen, relative, place.locate(relative), place.store.objects, uploads, presigner)


def _relative(place: Place, uri: str) -> str:
    parsed = parse_address(uri)
    own = parse_address(place.uri)
    if (parsed.scheme, parsed.bucket) != (own.scheme, own.bucket) or not parsed.key.startswith(own.key):
        raise InvalidAddress(f"invalid address: it is not below the storage namespace {place.uri}")
    relative = parsed.key[len(own.key) :]
    if not relative.startswith(addresses.DATA):
        raise LinkAddressInvalid("address is inside the repository but not under data/: link address invalid")
    return relative


async def _put_together(found: _Found, upload: str, parts: Sequence[tuple[int, str]]) -> ObjectInfo:
    """Complete the upload; when a caller who never heard of it did that before, what came of it."""
    try:
        return await found.uploads.complete(found.location, upload, parts)
    except UploadNotFound:
        try:
            there = await found.objects.head(found.location)
        except StoredObjectNotFound:
            there = None
        if there is None or there.etag != _composite([etag for _, etag in parts]):
            raise
        return there


def _composite(etags: Sequence[str]) -> str | None:
    """The ETag of an object of these parts; None when they are not MD5s."""
    try:
        digests = [bytes.fromhex(etag.strip('"')) for etag in etags]
    except ValueError:
        return None
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def _able(place: Place) -> tuple[MultipartStore, Presigner]:
    store = place.store
    if store.uploads is None or store.presigner is None or not store.description.presign_multipart:
        raise Unsupported("presigned multipart uploads are not supported by this storage: Not Implemented")
    return store.uploads, store.presigner


def _url(lake: Lake, presigner: Presigner, location: Location, upload: str, number: int, *, endpoint: str) -> str:
    query = (("partNumber", str(number)), ("uploadId", upload))
    return presigner.presign("PUT", location, expires=lake.presign_seconds, endpoint=endpoint, query=query)


def _numbered(number: int) -> int:
    if not 1 <= number <= MAX_PARTS:
        raise InvalidArgument(
            f"part number {number}: can be between 1 and {MAX_PARTS}: invalid value: validation error"
        )
    return number
