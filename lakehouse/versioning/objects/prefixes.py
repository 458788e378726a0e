# SPDX-License-Identifier: Apache-2.0
"""Copying and moving all objects under a prefix: entries are written, bytes stay where they are.

Atomic at any size: what the branch shows is sealed, so that it is one moment; the new rows go, page by page, under a
token that no branch shows, and one guarded change of the token list publishes them. What is written to the branch
meanwhile is newer than that and lies over them. A copy that is cut off leaves its rows to the sweeper.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    BranchNotFound,
    InvalidArgument,
    InvalidPath,
    LostRace,
    MissingValue,
    ObjectNotFound,
    PreconditionFailed,
)
from lakehouse.core.ids import MetaRangeId, StagingToken
from lakehouse.core.paths import MAX_PATH
from lakehouse.format.entry import total_size
from lakehouse.meta import refs, staging
from lakehouse.tree.stats import Count
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.protection import require_writable
from lakehouse.versioning.staged import shown
from lakehouse.versioning.staged.fold import DEADLINE, fold_if_many

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.staged.changes import Row

    Allow = Callable[[bytes, bytes], object]
    """Of the path that is read and the one that is written; raises for what the caller may not do."""


class PrefixRequest(msgspec.Struct, frozen=True):
    """All paths that begin with `source` shall be at `destination` instead: `a/` to `b/` makes `a/x` `b/x`.

    `source_ref` None is the branch itself, as it is shown. Without `overwrite` no object may be where one is written.
    `force` writes to a read-only repository.
    """

    source: bytes
    destination: bytes
    source_ref: str | None = None
    overwrite: bool = False
    force: bool = False


class _Moment(msgspec.Struct, frozen=True):
    """What a ref shows, held still."""

    root: MetaRangeId
    tokens: tuple[StagingToken, ...] = ()


async def copy_prefix(lake: Lake, repository: str, branch: str, request: PrefixRequest, *, allow: Allow) -> Count:
    """Show the objects under one prefix, of any ref, under another prefix of a branch too. What was copied.

    Atomic. Entries are copied as they are, time of change included, and share their bytes with the originals. Raises
    BranchNotFound, NotFound, ObjectNotFound when nothing is there to copy, PreconditionFailed, InvalidPath,
    ProtectedBranch, ReadOnlyRepository, and what `allow` raises.
    """
    return await _transfer(lake, repository, branch, request, allow, move=False)


async def move_prefix(lake: Lake, repository: str, branch: str, request: PrefixRequest, *, allow: Allow) -> Count:
    """As `copy_prefix` within a branch, and the objects are gone from where they were, in the same moment.

    What others write under the source while it runs stays there. Raises as `copy_prefix`, and InvalidArgument when
    both prefixes are the same.
    """
    if request.source == request.destination:
        raise InvalidArgument("the source and the destination of a move are the same prefix: validation error")
    return await _transfer(lake, repository, branch, request, allow, move=True)


async def _transfer(
    lake: Lake, repository: str, branch: str, request: PrefixRequest, allow: Allow, *, move: bool
) -> Count:
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=request.force)
    async with lake.turn(seen.id) as turn:
        while True:
            await lake.db.apply(refs.seal(seen.id, StagingToken(random_token())))
            repo, current = await resolve.branch(lake, repository, branch)
            if current.id != seen.id:
                raise BranchNotFound
            try:
                return await _Transfer(lake, repo, current, request, allow).run(move=move)
            except LostRace:
                await turn.insist()


class _Transfer:
    """One try, on the branch as it was after its staging area was sealed."""

    def __init__(self, lake: Lake, repository: Repository, branch: Branch, request: PrefixRequest, allow: Allow):
        self._lake = lake
        self._repository = repository
        self._branch = branch
        self._request = request
        self._allow = allow
        self._tree = lake.tree(repository)
        self._here = _Moment(branch.tree, branch.sealed)
        self._private = StagingToken(random_token())
        self._objects = 0
        self._bytes = 0

    async def run(self, *, move: bool) -> Count:
        """Write all rows and publish them. Raises LostRace when the branch changed so that it must be done again."""
        lake = self._lake
        source = await self._source()
        await lake.db.apply(staging.reserve(self._private, until=lake.now + DEADLINE))
        try:
            if move:  # all of them first: where the prefixes overlap, what arrives lies over what left
                await self._remove(source)
            await self._add(source, move=move)
            await self._publish()
        except Exception:
            await lake.db.apply(staging.abandon(self._private, now=lake.now))
            raise
        return Count(self._objects, self._bytes)

    async def _source(self) -> _Moment:
        wanted = self._request.source_ref
        if wanted is None:
            return self._here
        found = await resolve.ref(self._lake, self._repository.name, wanted)
        if found.staging is None:
            return _Moment(found.root)
        if found.staging.id == self._branch.id:
            return self._here
        return _Moment(found.staging.tree, (found.staging.staging_token, *found.staging.sealed))

    def _pages(self, source: _Moment) -> AsyncGenerator[list[Row], None]:
        return shown.pages(self._lake.db, self._tree, source.root, source.tokens, prefix=self._request.source)

    async def _remove(self, source: _Moment) -> None:
        async with aclosing(self._pages(source)) as pages:
            async for page in pages:
                await self._write([(path, staging.TOMBSTONE) for path, _ in page])

    async def _add(self, source: _Moment, *, move: bool) -> None:
        async with aclosing(self._pages(source)) as pages:
            async for page in pages:
                rows = [(self._target(path), packed) for path, packed in page]
                for (path, _), (target, _) in zip(page, rows, strict=True):
                    self._allow(path, target)
                if not self._request.overwrite:
                    await self._require_free(
                        [target for target, _ in rows], leaving=self._request.source if move else None
                    )
                await self._write(rows)
                self._objects += len(rows)
                self._bytes += total_size([packed for _, packed in rows])
        if not self._objects:
            prefix = self._request.source.decode(errors="replace")
            raise ObjectNotFound(f"no path begins with {prefix!r}: not found")

    def _target(self, path: bytes) -> bytes:
        target = self._request.destination + path[len(self._request.source) :]
        text = path.decode(errors="replace")
        if not target:
            raise MissingValue(f"the new path of {text} would be empty: missing path: required value: validation error")
        if len(target) > MAX_PATH:
            raise InvalidPath(f"the new path of {text} would be longer than {MAX_PATH} bytes: validation error")
        return target

    async def _require_free(self, targets: list[bytes], *, leaving: bytes | None) -> None:
        """Raises PreconditionFailed where something is shown; but not where it begins with `leaving`."""
        here = await shown.many(self._lake.db, self._tree, self._here.root, self._here.tokens, targets)
        for target, packed in zip(targets, here, strict=True):
            if packed is not None and (leaving is None or not target.startswith(leaving)):
                raise PreconditionFailed(
                    f"path {target.decode(errors='replace')} already exists: Precondition failed "
                    "(nothing was changed; `overwrite` replaces it)"
                )

    async def _write(self, rows: list[Row]) -> None:
        for at in range(0, len(rows), staging.PAGE):
            await self._lake.db.apply(*staging.put_many_under(self._private, rows[at : at + staging.PAGE]))
        await asyncio.sleep(0)

    async def _publish(self) -> None:
        destination = None if self._request.overwrite else self._request.destination
        [[row], *_] = await self._lake.db.apply(
            *staging.publish_beneath(self._branch, self._private, free=destination, now=self._lake.now)
        )
        fold_if_many(self._lake, self._repository, self._branch, refs.tokens_of(row[0]))
        compact.staged(self._lake, self._repository, self._branch, self._objects)
