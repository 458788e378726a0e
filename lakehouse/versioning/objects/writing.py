# SPDX-License-Identifier: Apache-2.0
"""Writing one object to a branch under a condition: what has to be there, or must not be, when it is staged.

The condition is looked at twice: before the bytes are taken, so that a hopeless upload is not stored, and again in the
guarded statement that stages the entry, so that of many writers with the same condition exactly one succeeds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    FailedPrecondition,
    LostRace,
    NotFound,
    ObjectNotFound,
    PreconditionFailed,
    StorageUnavailable,
)
from lakehouse.core.ids import EntryPath
from lakehouse.core.records import AddressKind, Branch, Entry, Repository
from lakehouse.format.entry import pack, unpack
from lakehouse.meta import staging
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import addresses, lookup
from lakehouse.versioning.objects.copying import copy_bytes
from lakehouse.versioning.protection import require_not_read_only, require_writable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake


class Condition(msgspec.Struct, frozen=True):
    """What a path has to show: nothing (`absent`), or an object with one of these ETags (`match`; `*`: any object)."""

    absent: bool = False
    match: frozenset[str] | None = None

    @property
    def none(self) -> bool:
        """Whether there is no condition."""
        return not self.absent and self.match is None

    def check(self, packed: bytes | None) -> None:
        """Raises PreconditionFailed, ObjectNotFound (an ETag is asked for where there is no object)."""
        if self.absent and packed is not None:
            raise PreconditionFailed("path already exists: Precondition failed")
        if self.match is None:
            return
        if packed is None:
            raise ObjectNotFound("no object at this path has the ETag that was asked for: not found")
        if "*" not in self.match and unpack(packed).etag not in self.match:
            raise PreconditionFailed


ANYWAY = Condition()


class Target(msgspec.Struct, frozen=True):
    """A path of a branch that may be written."""

    repository: Repository
    branch: Branch
    path: EntryPath


async def target(
    lake: Lake, repository: str, branch: str, path: EntryPath, *, condition: Condition = ANYWAY, force: bool = False
) -> Target:
    """Where to write. Raises RepositoryNotFound, ReadOnlyRepository, BranchNotFound, ProtectedBranch,
    PreconditionFailed, ObjectNotFound.
    """
    shown = await lookup.on_branch(lake, repository, branch, path)
    seen = shown.branch
    if seen is None:
        raise ObjectNotFound
    require_not_read_only(shown.repository, force=force)
    condition.check(shown.packed)
    await require_writable(lake, shown.repository, seen.name, force=force)
    return Target(shown.repository, seen, path)


async def write(
    lake: Lake,
    place: Target,
    body: AsyncIterable[bytes] | bytes,
    *,
    size: int | None,
    content_type: str,
    metadata: dict[str, str],
    condition: Condition = ANYWAY,
) -> Entry:
    """Stream a body to a fresh address and stage it. Raises PreconditionFailed, IncompleteBody, StorageFull."""
    where = lake.place(place.repository)
    address = addresses.fresh(lake.clock())
    made = Entry(address, AddressKind.RELATIVE, 0, "", 0, content_type, metadata)
    pack(made)  # what cannot be kept is refused before the bytes are
    stored = await where.store.objects.put(where.locate(address), body, size=size, content_type=content_type)
    entry = msgspec.structs.replace(made, size=stored.size, checksum=stored.etag, mtime=lake.now)
    await _stage_or_drop(lake, place, entry, condition=condition)
    return entry


async def copy(
    lake: Lake,
    source: tuple[Repository, Entry],
    place: Target,
    *,
    change: Callable[[Entry], Entry] = lambda entry: entry,
    condition: Condition = ANYWAY,
) -> Entry:
    """Copy an object's bytes, also from another repository, to a fresh address and stage them. `change` is applied to
    the new entry before. Raises DataMissing, PreconditionFailed.
    """
    address = await copy_bytes(lake, source, place.repository)
    moved = msgspec.structs.replace(source[1], address=address, kind=AddressKind.RELATIVE, store="", mtime=lake.now)
    entry = change(moved)
    await _stage_or_drop(lake, place, entry, condition=condition)
    return entry


async def _stage_or_drop(lake: Lake, place: Target, entry: Entry, *, condition: Condition) -> None:
    """Stage an entry; where it is refused, its bytes, which nobody else knows of, go at once."""
    try:
        await stage(lake, place, entry, condition=condition)
    except (FailedPrecondition, NotFound):
        where = lake.place(place.repository)
        with suppress(StorageUnavailable):
            await where.store.objects.delete([where.locate(entry.address)])
        raise


async def stage(
    lake: Lake, place: Target, entry: Entry, *, condition: Condition = ANYWAY, also: tuple[Statement, ...] = ()
) -> None:
    """Stage an entry, and carry out `also` in the same transaction. Raises PreconditionFailed, ObjectNotFound."""
    packed = pack(entry)
    if condition.none:
        await lake.db.apply(staging.put(place.branch.id, place.path, packed), *also)
        compact.staged(lake, place.repository, place.branch, 1)
        return
    while True:
        shown = await lookup.on_branch(lake, place.repository.name, place.branch.name, place.path)
        condition.check(shown.packed)
        at = shown.branch
        if at is None or at.id != place.branch.id:
            raise PreconditionFailed
        over = staging.put_over(at.id, place.path, packed, version=at.version, seen=shown.staged)
        try:
            await lake.db.apply(over, *also)
        except LostRace:
            continue
        compact.staged(lake, place.repository, place.branch, 1)
        return


async def change_metadata(
    lake: Lake, repository: str, branch: str, path: EntryPath, change: Callable[[dict[str, str]], dict[str, str]]
) -> None:
    """Replace an object's metadata by what `change` makes of it, atomically. Raises ObjectNotFound, ProtectedBranch."""
    while True:
        shown = await lookup.on_branch(lake, repository, branch, path)
        at = shown.branch
        if at is None or shown.packed is None:
            raise ObjectNotFound(f"path {path.decode(errors='replace')}: not found")
        await require_writable(lake, shown.repository, at.name, force=False)
        entry = unpack(shown.packed)
        packed = pack(msgspec.structs.replace(entry, metadata=change(entry.metadata)))
        try:
            await lake.db.apply(staging.put_over(at.id, path, packed, version=at.version, seen=shown.staged))
        except LostRace:
            continue
        compact.staged(lake, shown.repository, at, 1)
        return
