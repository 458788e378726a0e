# SPDX-License-Identifier: Apache-2.0
"""The staging contract: hand out physical addresses, link what was uploaded to them.

A link that was acknowledged is in the commit that ran beside it or in the branch's uncommitted changes, never lost:
one guarded statement puts the row under whatever staging area is current. A request that carries the token of a state
that a commit has taken is refused with a fresh location (StagingMoved); one without a token never is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    LakehouseError,
    LostRace,
    MissingValue,
    PreconditionFailed,
    StagingMoved,
)
from lakehouse.core.ids import EntryPath, StagingToken
from lakehouse.core.records import AddressKind, Entry, StagingLocation
from lakehouse.format.entry import pack
from lakehouse.meta import refs, staging
from lakehouse.versioning import addresses, compact, lookup, resolve, tokens
from lakehouse.versioning.fold import fold_if_many
from lakehouse.versioning.protection import require_not_read_only, require_writable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.records import Branch, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake

PUBLISH_ABOVE = 1000
"""Rows of an atomic batch that still go in one transaction."""
_PAGE = 500
"""Addresses that are made without a pause; one that is presigned takes 15 us."""
_BREATH = 100
"""Links of a batch that are checked without a pause: under a millisecond, so that single requests get their turn."""
_TOKENS = 100
"""Tokens whose epochs a batch remembers: mostly there is one."""


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


class Linked(msgspec.Struct, frozen=True):
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
    place = lake.place(repository)
    relative = addresses.issue(lake, repository, branch, path)
    token = tokens.issue(lake.tokens, repository, branch)
    if presign is None:
        return StagingLocation(place.uri + relative, token)
    url = addresses.presigned(lake, place, relative, method="PUT", endpoint=presign.endpoint)
    return StagingLocation(place.uri + relative, token, url, lake.now + lake.presign_seconds)


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
        yield [(path, location(lake, repository, branch, path, presign)) for path in paths[at : at + _PAGE]]


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
    linked = await _accept(lake, repo, seen, link)
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


class Batch:
    """Links by the thousand: checked against one reading of the branch, staged in large transactions.

    Per item, each `add` stages what it is given and answers item by item. Atomic, rows are gathered under a private
    token and `finish` publishes all of them in one guarded change.
    """

    def __init__(self, lake: Lake, repository: Repository, branch: Branch, *, atomic: bool) -> None:
        self._lake = lake
        self._repository = repository
        self._branch = branch
        self._atomic = atomic
        self._private: StagingToken | None = None
        self._held: dict[bytes, bytes] = {}
        self._epoch: int | None = None
        self._with_token: Link | None = None
        self._epochs: dict[str, int] = {}
        self._storing: asyncio.Task[object] | None = None
        self.count = 0
        """Links of an atomic batch so far."""

    async def add(self, links: Sequence[Link]) -> list[LakehouseError | None]:
        """Take up to a thousand links; of each, in order, what is wrong with it. An atomic batch raises the first
        error, with the number of its item, counted from 0.
        """
        while True:
            try:
                return await self._add(links)
            except StagingMoved:
                if self._atomic:
                    raise
                self._epochs.clear()
                name = self._branch.name
                self._repository, self._branch = await resolve.branch(self._lake, self._repository.name, name)

    async def _add(self, links: Sequence[Link]) -> list[LakehouseError | None]:
        self._epoch = self._epoch if self._atomic else None
        answers: list[LakehouseError | None] = []
        rows: dict[bytes, bytes] = {}
        for number, link in enumerate(links):
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            try:
                rows[link.path] = await self._packed(link)
                answers.append(None)
            except LakehouseError as error:
                if self._atomic:
                    raise error.within(f"item {self.count + number}") from error.__cause__
                answers.append(error)
        if self._atomic:
            await self._hold(rows)
            self.count += len(links)
        elif rows:
            pairs = list(rows.items())
            for at in range(0, len(pairs), staging.PAGE):
                await self._lake.db.apply(
                    *self._guard(), staging.put_many(self._branch.id, pairs[at : at + staging.PAGE])
                )
            compact.staged(self._lake, self._repository, self._branch, len(pairs))
        return answers

    async def finish(self) -> None:
        """Publish an atomic batch. Raises StagingMoved when staged data left the branch since a link's token."""
        if not self._atomic:
            return
        try:
            await self._finish()
        except StagingMoved:
            lake, link = self._lake, self._with_token
            repository, branch = await resolve.branch(lake, self._repository.name, self._branch.name)
            raise StagingMoved(
                None if link is None else location(lake, repository, branch, link.path, link.presign)
            ) from None

    async def _finish(self) -> None:
        lake, branch = self._lake, self._branch
        if self._private is None:
            if self._held:
                await lake.db.apply(*self._guard(), staging.put_many(branch.id, list(self._held.items())))
                compact.staged(lake, self._repository, branch, len(self._held))
            return
        await self._flush()
        await self._stored()
        fresh = StagingToken(random_token())
        [[row], _] = await lake.db.apply(
            *staging.publish(branch.id, self._private, fresh=fresh, epoch=self._epoch, now=lake.now)
        )
        fold_if_many(lake, self._repository, branch, refs.tokens_of(row[0]))
        compact.staged(lake, self._repository, branch, self.count)

    async def abandon(self) -> None:
        """Let go of the rows of an atomic batch that failed; nothing happens when it was published after all."""
        with suppress(LakehouseError):
            await self._stored()
        if self._private is not None:
            await self._lake.db.apply(staging.abandon(self._private, now=self._lake.now))

    def _guard(self) -> list[Statement]:
        """What must still hold when links with a token are staged."""
        return [] if self._epoch is None else [staging.require_epoch(self._branch.id, self._epoch)]

    async def _packed(self, link: Link) -> bytes:
        """The entry of a link, if it may be staged."""
        require_not_read_only(self._repository, force=link.force)
        relative = addresses.issued(self._lake, self._repository, self._branch, link.path, link.physical_address)
        if relative is None:
            entry = (await _accept(self._lake, self._repository, self._branch, link)).entry
        else:
            entry = _entry(self._lake, link, relative)
        if link.token:
            self._check_token(link, link.token)
        return pack(entry)

    def _check_token(self, link: Link, token: str) -> None:
        epoch = self._epochs.get(token)
        if epoch is None:
            epoch = tokens.epoch_of(self._lake.tokens, self._repository, self._branch, token)
            if len(self._epochs) >= _TOKENS:
                self._epochs.clear()
            self._epochs[token] = epoch
        if epoch != self._branch.epoch:
            raise StagingMoved(location(self._lake, self._repository, self._branch, link.path, link.presign))
        self._epoch, self._with_token = epoch, link

    async def _hold(self, rows: dict[bytes, bytes]) -> None:
        self._held.update(rows)
        if len(self._held) > PUBLISH_ABOVE:
            if self._private is None:
                private = StagingToken(random_token())
                until = self._lake.now + self._lake.address_validity
                await self._lake.db.apply(staging.reserve(private, until=until))
                self._private = private
            await self._flush()

    async def _flush(self) -> None:
        """Store what is held, while the next items are read: one page of writes is under way at most."""
        if self._private is None or not self._held:
            return
        rows = list(self._held.items())
        self._held.clear()
        await self._stored()
        self._storing = asyncio.get_running_loop().create_task(self._store(self._private, rows))

    async def _store(self, private: StagingToken, rows: list[tuple[bytes, bytes]]) -> None:
        for at in range(0, len(rows), staging.PAGE):
            await self._lake.db.apply(*staging.put_many_under(private, rows[at : at + staging.PAGE]))

    async def _stored(self) -> None:
        """Wait for what is under way; raises what became of it."""
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing


async def open_batch(lake: Lake, repository: str, branch: str, *, atomic: bool) -> Batch:
    """Begin a batch. Raises RepositoryNotFound, BranchNotFound, ProtectedBranch. Each link says whether it is forced
    into a read-only repository.
    """
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=True)
    return Batch(lake, repo, seen, atomic=atomic)


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
    linked = await _accept(lake, repo, seen, link)
    await require_writable(lake, repo, seen.name, force=force)
    await lake.db.apply(staging.put(seen.id, link.path, pack(linked.entry)))
    compact.staged(lake, repo, seen, 1)
    return linked


async def _accept(lake: Lake, repository: Repository, branch: Branch, link: Link) -> Linked:
    address, kind, store = await addresses.accept(lake, repository, branch, link.path, link.physical_address)
    if kind is AddressKind.FULL and link.may_import is not None:
        link.may_import(address)
    return Linked(link.path, _entry(lake, link, address, kind=kind, store=store), link.physical_address)


def _entry(lake: Lake, link: Link, address: str, *, kind: AddressKind = AddressKind.RELATIVE, store: str = "") -> Entry:
    checksum = link.checksum.strip('" \t\r\n')
    if not checksum:
        raise MissingValue("checksum is required: required value: validation error")
    return Entry(
        address=address,
        kind=kind,
        size=link.size,
        checksum=checksum,
        mtime=lake.now if link.mtime is None else link.mtime,
        content_type=link.content_type,
        metadata=link.metadata,
        store=store,
    )


def _epoch(lake: Lake, repository: Repository, branch: Branch, link: Link) -> int | None:
    if not link.token:
        return None
    return tokens.epoch_of(lake.tokens, repository, branch, link.token)
