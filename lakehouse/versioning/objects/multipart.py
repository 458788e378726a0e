# SPDX-License-Identifier: Apache-2.0
"""Uploads in parts to a path of a branch.

The parts are kept by the store that the repository's bytes are in; a row of the database says which upload of the store
belongs to which path. So any process can take any part, and commits beside it change nothing. Completing it makes the
object in the store, and then stages the entry and takes the row away in one transaction: a completion that was cut off
between the two goes on when it is asked for again.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import msgspec

from lakehouse.core.errors import DataMissing, StorageUnavailable, StoredObjectNotFound, Unsupported, UploadNotFound
from lakehouse.core.records import AddressKind, Entry, Repository
from lakehouse.format.entry import pack
from lakehouse.meta import repositories
from lakehouse.meta import uploads as rows
from lakehouse.meta.uploads import Upload
from lakehouse.versioning.objects import addresses, writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from lakehouse.core.ids import EntryPath
    from lakehouse.objects.port import ByteRange, Location, MultipartStore, ObjectInfo, PartInfo
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.objects.writing import Condition
    from lakehouse.versioning.state.stores import Store


_SOME = 1000
"""Uploads that are given up at once."""
_ID = re.compile("[0-9a-f]{32}")


class Begun(msgspec.Struct, frozen=True):
    """An unfinished upload, and the repository that it belongs to."""

    repository: Repository
    upload: Upload


async def create(
    lake: Lake, repository: str, branch: str, path: EntryPath, *, content_type: str, metadata: dict[str, str]
) -> str:
    """Begin an upload; its id. Raises BranchNotFound, ProtectedBranch, ReadOnlyRepository, Unsupported."""
    place = await writing.target(lake, repository, branch, path)
    address = addresses.fresh(lake.clock())
    pack(Entry(address, AddressKind.RELATIVE, 0, "", 0, content_type, metadata))
    where = lake.place(place.repository)
    store_id = await _parts(where.store).create(where.locate(address), content_type=content_type)
    upload = rows.Upload(
        key=branch.encode() + b"/" + path,
        id=os.urandom(16).hex(),
        address=address,
        store_id=store_id,
        content_type=content_type,
        metadata=metadata,
        created=lake.now,
    )
    await lake.db.apply(rows.insert(place.repository.id, upload))
    return upload.id


async def find(lake: Lake, repository: Repository, identifier: str, key: bytes) -> Begun:
    """An upload by its id and the key (`branch/path`) that it was begun with; `path` alone, as lists show it, will do.

    Raises UploadNotFound.
    """
    upload = await rows.find(lake.db, repository.id, identifier) if _ID.fullmatch(identifier) else None
    if upload is None or key not in (upload.key, upload.key.partition(b"/")[2]):
        raise UploadNotFound
    return Begun(repository, upload)


async def put_part(
    lake: Lake, begun: Begun, number: int, body: AsyncIterable[bytes] | bytes, *, size: int | None
) -> PartInfo:
    """Store a part, in place of one with the same number. Raises UploadNotFound, IncompleteBody."""
    parts, location = _at_store(lake, begun)
    return await parts.put_part(location, begun.upload.store_id, number, body, size=size)


async def copy_part(
    lake: Lake, begun: Begun, number: int, source: tuple[Repository, Entry], byte_range: ByteRange | None
) -> PartInfo:
    """A part from the bytes of an object. Raises DataMissing, RangeNotSatisfiable, UploadNotFound."""
    store, at = addresses.locate(lake, *source)
    try:
        reader = await store.objects.get(at, byte_range)
    except StoredObjectNotFound as error:
        raise DataMissing from error
    try:
        return await put_part(lake, begun, number, reader.body, size=reader.length)
    finally:
        await reader.close()


async def list_parts(lake: Lake, begun: Begun, *, after: int, limit: int) -> tuple[list[PartInfo], bool]:
    """Parts with numbers above `after`; and whether more follow."""
    parts, location = _at_store(lake, begun)
    return await parts.parts(location, begun.upload.store_id, after=after, limit=limit)


async def complete(
    lake: Lake, begun: Begun, parts: Sequence[tuple[int, str]], *, condition: Condition = writing.ANYWAY
) -> Entry:
    """Make the object of these parts (number, ETag) and stage it.

    Raises InvalidPart, InvalidPartOrder, PartTooSmall, UploadNotFound, PreconditionFailed, BranchNotFound,
    ProtectedBranch, ReadOnlyRepository.
    """
    upload = begun.upload
    branch, _, path = upload.key.partition(b"/")
    place = await writing.target(
        lake, begun.repository.name, branch.decode(), cast("EntryPath", path), condition=condition
    )
    stored = await _complete(lake, begun, parts)
    checksum, _, count = stored.etag.partition("-")
    entry = Entry(
        address=upload.address,
        kind=AddressKind.RELATIVE,
        size=stored.size,
        checksum=checksum,
        mtime=int(stored.modified),
        content_type=upload.content_type,
        metadata=upload.metadata,
        parts=int(count) if count.isdigit() else 0,
    )
    await writing.stage(lake, place, entry, condition=condition, also=(rows.delete(begun.repository.id, upload),))
    return entry


async def _complete(lake: Lake, begun: Begun, parts: Sequence[tuple[int, str]]) -> ObjectInfo:
    """In the store. An object that is there already is what a completion left that was cut off."""
    at_store, location = _at_store(lake, begun)
    try:
        return await at_store.complete(location, begun.upload.store_id, parts)
    except UploadNotFound:
        try:
            return await lake.place(begun.repository).store.objects.head(location)
        except StoredObjectNotFound:
            raise UploadNotFound from None


async def abort(lake: Lake, begun: Begun) -> None:
    """Give up an upload and drop its parts. Raises UploadNotFound."""
    parts, location = _at_store(lake, begun)
    with suppress(UploadNotFound):  # the row goes last, so that what is cut off in between can be given up again
        await parts.abort(location, begun.upload.store_id)
    await lake.db.apply(rows.delete(begun.repository.id, begun.upload))


async def give_up_old(lake: Lake) -> int:
    """Give up uploads that were begun longer ago than `lake.upload_validity`; how many. A repeat is harmless."""
    gone = 0
    for identifier, upload in await rows.old(lake.db, before=lake.now - lake.upload_validity, limit=_SOME):
        with suppress(UploadNotFound, StorageUnavailable):  # the next time, then
            await abort(lake, Begun(await repositories.by_id(lake.db, identifier), upload))
            gone += 1
    return gone


async def list_uploads(
    lake: Lake, repository: Repository, *, prefix: bytes, after: tuple[bytes, str], limit: int
) -> tuple[list[Upload], bool]:
    """Unfinished uploads in order of key and id, strictly after (key, id); and whether more follow."""
    found = await rows.page(lake.db, repository.id, prefix=prefix, after=after, limit=limit + 1)
    return found[:limit], len(found) > limit


def _at_store(lake: Lake, begun: Begun) -> tuple[MultipartStore, Location]:
    where = lake.place(begun.repository)
    return _parts(where.store), where.locate(begun.upload.address)


def _parts(store: Store) -> MultipartStore:
    """The store's uploads in parts. Raises Unsupported."""
    if store.uploads is None:
        raise Unsupported("the store of this repository takes no uploads in parts")
    return store.uploads
