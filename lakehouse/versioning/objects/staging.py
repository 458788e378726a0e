# SPDX-License-Identifier: Apache-2.0
"""The staging contract: hand out physical addresses, link what was uploaded to them.

A link that was acknowledged is in the commit that ran beside it or in the branch's uncommitted changes, never lost:
one guarded statement puts the row under whatever staging area is current. A request that carries the token of a state
that a commit has taken is refused with a fresh location (StagingMoved); one without a token never is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import LostRace, MissingValue, PreconditionFailed, StagingMoved
from lakehouse.core.ids import EntryPath
from lakehouse.core.records import AddressKind, Entry
from lakehouse.core.staging_location import StagingLocation
from lakehouse.format.entry import pack
from lakehouse.meta import staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import addresses, lookup, tokens
from lakehouse.versioning.protection import require_writable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake

_PAGE = 500
"""Addresses that are made without a pause; one that is presigned takes 15 us."""
_QUOTES = '" \t\r\n'


class Link(msgspec.Struct, frozen=True):
    """A request to link an uploaded object to a path. `size` in bytes, `mtime` in seconds (None: now).

    `force` (write to a read-only repository) and `presign` (for the location of a StagingMoved) are those of an item of
    a batch. `may_import` is asked about an address outside of every repository, and raises if the caller may not.
    """

    path: EntryPath
    physical_address: str
    checksum: str
    size: int
    token: str | None = None
    content_type: str = ""
    metadata: dict[str, str] = {}
    mtime: int | None = None
    force: bool = False
    presign: Presign | None = None
    may_import: Callable[[str], object] | None = None


class Linked(msgspec.Struct, frozen=True, gc=False):
    """An entry that was staged, with its address as a full URI."""

    path: EntryPath
    entry: Entry
    uri: str


class Presign(msgspec.Struct, frozen=True):
    """The wish for presigned URLs, for callers that reach the server at `endpoint`."""

    endpoint: str


def location(
    lake: Lake, repository: Repository, branch: Branch, path: EntryPath, presign: Presign | None
) -> StagingLocation:
    """A fresh location for `path`. Reads and writes nothing. Raises Unsupported when the store cannot presign."""
    return _located(lake, repository, branch, [addresses.issue(lake, repository, branch, path)], presign)[0]


def _located(
    lake: Lake, repository: Repository, branch: Branch, relatives: list[str], presign: Presign | None
) -> list[StagingLocation]:
    """The locations of addresses that were issued."""
    place = lake.place(repository)
    token = tokens.issue(lake.tokens, repository, branch)
    if presign is None:
        return [StagingLocation(place.uri + relative, token) for relative in relatives]
    expires = lake.now + lake.presign_seconds
    endpoint = presign.endpoint
    return [
        StagingLocation(
            place.uri + relative,
            token,
            addresses.presigned(lake, place, relative, method="PUT", endpoint=endpoint),
            expires,
        )
        for relative in relatives
    ]


async def get_physical_address(
    lake: Lake, repository: str, branch: str, path: EntryPath, *, presign: Presign | None = None
) -> StagingLocation:
    """Where to upload the object that will be linked to `path`. Raises RepositoryNotFound, BranchNotFound."""
    repo, seen = await resolve.branch(lake, repository, branch)
    return location(lake, repo, seen, path, presign)


async def get_physical_addresses(
    lake: Lake, repository: str, branch: str, paths: Sequence[EntryPath], *, presign: Presign | None = None
) -> AsyncIterator[list[tuple[EntryPath, StagingLocation]]]:
    """Pages of the paths in order, each path with its location; others may run between two pages.

    Raises RepositoryNotFound, BranchNotFound; and Unsupported at once when the store cannot presign.
    """
    repo, seen = await resolve.branch(lake, repository, branch)
    if paths:
        location(lake, repo, seen, paths[0], presign)
    return _locations(lake, repo, seen, paths, presign)


async def _locations(
    lake: Lake, repository: Repository, branch: Branch, paths: Sequence[EntryPath], presign: Presign | None
) -> AsyncIterator[list[tuple[EntryPath, StagingLocation]]]:
    for at in range(0, len(paths), _PAGE):
        if at:
            await asyncio.sleep(0)
        part = paths[at : at + _PAGE]
        relatives = addresses.issue_page(lake, repository, branch, part)
        yield list(zip(part, _located(lake, repository, branch, relatives, presign), strict=True))


async def link_physical_address(
    lake: Lake,
    repository: str,
    branch: str,
    link: Link,
    *,
    force: bool = False,
    if_absent: bool = False,
    presign: Presign | None = None,
) -> Linked:
    """Stage the object. `presign` is for the location of a StagingMoved.

    Raises InvalidAddress, LinkAddressInvalid, LinkAddressExpired, InvalidToken, MissingValue, StagingMoved,
    PreconditionFailed (with `if_absent`), ProtectedBranch, ReadOnlyRepository.
    """
    repo, seen = await resolve.branch(lake, repository, branch)
    linked = await accept(lake, repo, seen, link)
    await require_writable(lake, repo, seen.name, force=force)
    epoch = _epoch(lake, repo, seen, link)
    packed = pack(linked.entry)
    try:
        if epoch is not None and epoch != seen.epoch:
            raise StagingMoved
        if if_absent:
            await put_if_absent(lake, repository, branch, link.path, packed, epoch=epoch)
        elif epoch is None:
            await lake.db.apply(staging.put(seen.id, link.path, packed))
        else:
            await lake.db.apply(staging.put_at_epoch(seen.id, link.path, packed, epoch))
        compact.staged(lake, repo, seen, 1)
    except StagingMoved:
        repo, seen = await resolve.branch(lake, repository, branch)
        raise StagingMoved(location(lake, repo, seen, link.path, presign)) from None
    return linked


async def put_if_absent(
    lake: Lake, repository: str, branch: str, path: EntryPath, packed: bytes, *, epoch: int | None = None
) -> None:
    """Stage an entry where the branch shows none, atomically. Raises PreconditionFailed, StagingMoved for `epoch`."""
    while True:
        shown = await lookup.on_branch(lake, repository, branch, path)
        if shown.packed is not None or shown.branch is None:
            raise PreconditionFailed("path already exists: Precondition failed")
        at = shown.branch
        if epoch is not None and epoch != at.epoch:
            raise StagingMoved
        try:
            await lake.db.apply(staging.put_over(at.id, path, packed, version=at.version, seen=shown.staged))
        except LostRace:
            continue
        return


async def stage_object(lake: Lake, repository: str, branch: str, link: Link, *, force: bool = False) -> Linked:
    """Stage an object that is already in a store. Raises as `link_physical_address`, but knows no token."""
    repo, seen = await resolve.branch(lake, repository, branch)
    linked = await accept(lake, repo, seen, link)
    await require_writable(lake, repo, seen.name, force=force)
    await lake.db.apply(staging.put(seen.id, link.path, pack(linked.entry)))
    compact.staged(lake, repo, seen, 1)
    return linked


async def accept(lake: Lake, repository: Repository, branch: Branch, link: Link) -> Linked:
    """What a link stages, if its address may be linked. Raises InvalidAddress, LinkAddressInvalid, LinkAddressExpired,
    MissingValue, and what `may_import` raises.
    """
    address, kind, store = await addresses.accept(lake, repository, branch, link.path, link.physical_address)
    if kind is AddressKind.FULL and link.may_import is not None:
        link.may_import(address)
    checksum = unquoted(link.checksum)
    if not checksum:
        raise MissingValue("checksum is required: required value: validation error")
    entry = Entry(
        address=address,
        kind=kind,
        size=link.size,
        checksum=checksum,
        mtime=lake.now if link.mtime is None else link.mtime,
        content_type=link.content_type,
        metadata=link.metadata,
        store=store,
    )
    return Linked(link.path, entry, link.physical_address)


def unquoted(checksum: str) -> str:
    """A checksum as it is kept; clients send ETags, which have quotes."""
    return checksum.strip(_QUOTES)


def _epoch(lake: Lake, repository: Repository, branch: Branch, link: Link) -> int | None:
    if not link.token:
        return None
    return tokens.epoch_of(lake.tokens, repository, branch, link.token)
