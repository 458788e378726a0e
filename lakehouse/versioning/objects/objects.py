# SPDX-License-Identifier: Apache-2.0
"""Objects on refs: stat, read, upload, copy, delete, user metadata.

Uploads stream to a fresh address of the store and are then staged by the same guarded statement as a link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    DataMissing,
    LakehouseError,
    LostRace,
    MissingValue,
    NotFound,
    ObjectNotFound,
    StoredObjectNotFound,
)
from lakehouse.core.ids import EntryPath
from lakehouse.core.paths import parse_path
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.entry import pack, unpack
from lakehouse.meta import staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import addresses, lookup, writing
from lakehouse.versioning.objects.copying import copy_bytes
from lakehouse.versioning.objects.staging import Linked
from lakehouse.versioning.protection import require_writable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from lakehouse.core.records import Repository
    from lakehouse.objects.port import ByteRange, ObjectInfo, ObjectReader
    from lakehouse.versioning.lake import Lake

DEFAULT_TYPE = "application/octet-stream"
MAX_DELETE = 1000


class Upload(msgspec.Struct, frozen=True):
    """What is said of an object beside its bytes. `size` in bytes when it is known beforehand."""

    path: EntryPath
    size: int | None = None
    content_type: str = DEFAULT_TYPE
    metadata: dict[str, str] = {}
    if_absent: bool = False
    force: bool = False


class Refused(msgspec.Struct, frozen=True):
    """A path of a batch that was not deleted, and why."""

    path: str
    error: LakehouseError


async def stat_object(lake: Lake, repository: str, ref: str, path: EntryPath) -> Linked:
    """The entry that `ref` shows at `path`. Raises RepositoryNotFound, NotFound, ObjectNotFound."""
    repo, entry = await lookup.entry_at_ref(lake, repository, ref, path)
    return Linked(path, entry, addresses.absolute(lake, repo, entry))


async def open_object(
    lake: Lake, repository: Repository, entry: Entry, byte_range: ByteRange | None = None
) -> ObjectReader:
    """The bytes of an entry. Raises DataMissing when the store no longer has them, RangeNotSatisfiable."""
    store, location = addresses.locate(lake, repository, entry)
    try:
        return await store.objects.get(location, byte_range)
    except StoredObjectNotFound as error:
        raise DataMissing from error


async def head_stored(lake: Lake, repository: str, ref: str, path: EntryPath) -> ObjectInfo:
    """What the store says of an object. Raises RepositoryNotFound, NotFound, ObjectNotFound, DataMissing."""
    repo, entry = await lookup.entry_at_ref(lake, repository, ref, path)
    store, location = addresses.locate(lake, repo, entry)
    try:
        return await store.objects.head(location)
    except StoredObjectNotFound as error:
        raise DataMissing from error


async def require_branch(lake: Lake, repository: str, branch: str) -> None:
    """Raises RepositoryNotFound, BranchNotFound: asked before a body is read."""
    await resolve.branch(lake, repository, branch)


async def upload_object(
    lake: Lake, repository: str, branch: str, upload: Upload, body: AsyncIterable[bytes] | bytes
) -> Linked:
    """Store and stage an object. Raises BranchNotFound, ProtectedBranch, PreconditionFailed, IncompleteBody, ..."""
    condition = writing.Condition(absent=upload.if_absent)
    place = await writing.target(lake, repository, branch, upload.path, condition=condition, force=upload.force)
    entry = await writing.write(
        lake,
        place,
        body,
        size=upload.size,
        content_type=upload.content_type,
        metadata=upload.metadata,
        condition=condition,
    )
    return Linked(upload.path, entry, addresses.absolute(lake, place.repository, entry))


async def copy_object(
    lake: Lake,
    repository: str,
    branch: str,
    path: EntryPath,
    *,
    source_ref: str | None,
    source_path: EntryPath,
    force: bool = False,
) -> Linked:
    """Copy an object's bytes to a fresh address and stage it at `path`. Raises NotFound, ProtectedBranch."""
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=force)
    _, source = await lookup.entry_at_ref(lake, repository, source_ref or branch, source_path)
    address = await copy_bytes(lake, (repo, source), repo, content_type=source.content_type)
    entry = msgspec.structs.replace(source, address=address, kind=AddressKind.RELATIVE, store="", mtime=lake.now)
    await lake.db.apply(staging.put(seen.id, path, pack(entry)))
    compact.staged(lake, repo, seen, 1)
    return Linked(path, entry, lake.place(repo).uri + address)


async def delete_object(
    lake: Lake, repository: str, branch: str, path: EntryPath, *, force: bool = False, no_tombstone: bool = False
) -> None:
    """Make a path absent; it may be so already. Raises BranchNotFound, ProtectedBranch, ReadOnlyRepository."""
    await _delete(lake, repository, branch, [path], force=force, no_tombstone=no_tombstone)


async def remove_object(
    lake: Lake, repository: str, branch: str, path: EntryPath, *, unless: Callable[[Entry], bool] | None = None
) -> None:
    """Make a path absent that shows an object. Of several at once, one does it and the others find nothing.

    `unless` may spare the object that is there at this moment, which then counts as not found. Raises ObjectNotFound,
    BranchNotFound, ProtectedBranch, ReadOnlyRepository.
    """
    while True:
        shown = await lookup.on_branch(lake, repository, branch, path)
        at = shown.branch
        if at is None or shown.packed is None or (unless is not None and unless(unpack(shown.packed))):
            raise ObjectNotFound(f"path {path.decode(errors='replace')}: not found")
        await require_writable(lake, shown.repository, at.name, force=False)
        try:
            await lake.db.apply(staging.put_over(at.id, path, staging.TOMBSTONE, version=at.version, seen=shown.staged))
        except LostRace:
            continue
        compact.staged(lake, shown.repository, at, 1)
        return


async def delete_objects(
    lake: Lake, repository: str, branch: str, paths: Sequence[str], *, force: bool = False, no_tombstone: bool = False
) -> list[Refused]:
    """Make up to 1,000 paths absent. Missing keys, empty keys and a missing branch are no error.

    Raises MissingValue for more than 1,000 paths.
    """
    if len(paths) > MAX_DELETE:
        raise MissingValue(f"request size exceeded, max paths is set to {MAX_DELETE}")
    good: list[EntryPath] = []
    refused: list[Refused] = []
    for text in paths:
        try:
            good.append(parse_path(text))
        except MissingValue:
            continue
        except LakehouseError as error:
            refused.append(Refused(text, error))
    if not good:
        return refused
    try:
        await _delete(lake, repository, branch, good, force=force, no_tombstone=no_tombstone)
    except NotFound:
        return refused
    except LakehouseError as error:
        refused.extend(Refused(path.decode(), error) for path in good)
    return refused


async def _delete(
    lake: Lake, repository: str, branch: str, paths: Sequence[EntryPath], *, force: bool, no_tombstone: bool
) -> None:
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=force)
    if no_tombstone:
        await lake.db.apply(staging.remove(seen.id, paths))
        return
    if len(paths) == 1:
        await lake.db.apply(staging.put(seen.id, paths[0], staging.TOMBSTONE))
    else:
        await lake.db.apply(*staging.put_many(seen.id, [(path, staging.TOMBSTONE) for path in paths]))
    compact.staged(lake, repo, seen, len(paths))


async def update_object_user_metadata(
    lake: Lake, repository: str, branch: str, path: EntryPath, metadata: dict[str, str]
) -> None:
    """Replace an object's user metadata. Raises ObjectNotFound, ProtectedBranch, ReadOnlyRepository."""
    while True:
        shown = await lookup.on_branch(lake, repository, branch, path)
        if shown.branch is None or shown.packed is None:
            raise ObjectNotFound(f"path {path.decode(errors='replace')}: not found")
        await require_writable(lake, shown.repository, shown.branch.name, force=False)
        packed = pack(msgspec.structs.replace(unpack(shown.packed), metadata=metadata))
        try:
            await lake.db.apply(
                staging.put_over(shown.branch.id, path, packed, version=shown.branch.version, seen=shown.staged)
            )
        except LostRace:
            continue
        return
