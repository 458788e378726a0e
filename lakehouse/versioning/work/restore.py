# SPDX-License-Identifier: Apache-2.0
"""Restore: a bare repository gets the commits, branches and tags of a dump that lies in its namespace.

The records of its commits lie there already, beside its trees. Commits come first, then tags and branches, the default
branch last and together with the end of the task: until then the repository is bare, and a restore that was cut off is
begun again without harm.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import DataDamaged, NotBare, NotFound, StoredObjectNotFound
from lakehouse.core.ids import CommitId, StagingToken, is_commit_id, parse_branch_name, parse_tag_name
from lakehouse.format.commit import decode_commit
from lakehouse.format.dump import FRAME, HEAD, MOST_BYTES, DumpedRef, DumpKind, read_page, require_head
from lakehouse.meta import commits, refs, repositories
from lakehouse.versioning import resolve
from lakehouse.versioning.lake import Actor
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.work.dump import FOLDER, Dumped
from lakehouse.versioning.work.working import begin_task, find_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import TypeVar

    from lakehouse.core.records import Repository
    from lakehouse.db.statement import Statement
    from lakehouse.meta.tasks import Task
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.tasks import Handle

    T = TypeVar("T")

RESTORE = "restore"
"""The kind of these tasks."""
PREFIX = "RR"


class RestoreRequest(msgspec.Struct, frozen=True):
    """Which dump. `force`: also into a read-only repository."""

    dump: Dumped
    force: bool = False


class _Done(msgspec.Struct):
    """What a restore came to: nothing more to say."""


async def restore_refs(lake: Lake, repository: str, request: RestoreRequest, actor: Actor) -> None:
    """Restore a dump. Raises RepositoryNotFound, NotBare, ReadOnlyRepository, NotFound (the dump), DataDamaged."""
    repo = await _require_bare(lake, repository, request)
    last = await _restore(lake, repo, request.dump, actor, None)
    await lake.db.apply(*last)


async def start_restore(lake: Lake, repository: str, request: RestoreRequest, actor: Actor) -> str:
    """Begin a restore; the id of its task. Raises RepositoryNotFound, NotBare, ReadOnlyRepository."""
    repo = await _require_bare(lake, repository, request)
    return await begin_task(lake, repo, actor, restore_in_background, kind=RESTORE, prefix=PREFIX, request=request)


async def find_restore(lake: Lake, repository: str, task: str) -> Task:
    """Raises RepositoryNotFound, TaskNotFound."""
    return await find_task(lake, await resolve.repository(lake, repository), task, RESTORE)


async def restore_in_background(lake: Lake, handle: Handle) -> None:
    """The work of these tasks."""
    request = msgspec.json.decode(handle.task.request, type=RestoreRequest)
    actor = msgspec.json.decode(handle.task.actor, type=Actor)
    repo = await repositories.by_id(lake.db, handle.task.repository)
    await _require_bare(lake, repo.name, request)
    last = await _restore(lake, repo, request.dump, actor, handle)
    await lake.db.apply(*last, handle.finished(_Done()))


async def _require_bare(lake: Lake, repository: str, request: RestoreRequest) -> Repository:
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=request.force)
    if (await refs.find(lake.db, repository, repo.default_branch)).branch is not None:
        raise NotBare
    return repo


async def _restore(
    lake: Lake, repository: Repository, dump: Dumped, actor: Actor, handle: Handle | None
) -> list[Statement]:
    """Restore everything but the default branch; what remains to be stored."""
    last: list[Statement] = []
    async for records in _pages(lake, repository, dump.commits, DumpKind.COMMITS, bytes):
        found = [decode_commit(record, name="of the dump") for record in records]
        await lake.db.apply(*[commits.insert(repository.id, commit, paths) for commit, paths in found])
        _count(handle, len(found))
    async for tags in _pages(lake, repository, dump.tags, DumpKind.TAGS, DumpedRef):
        await _require_commits(lake, repository, tags)
        await lake.db.apply(*[_tag(lake, repository, tag) for tag in tags])
        _count(handle, len(tags))
    async for branches in _pages(lake, repository, dump.branches, DumpKind.BRANCHES, DumpedRef):
        await _require_commits(lake, repository, branches)
        statements: list[Statement] = []
        for branch in branches:
            made = _branch(lake, repository, branch, actor)
            if branch.name == repository.default_branch:
                last = made
            else:
                statements += made
        await lake.db.apply(*statements)
        _count(handle, len(branches))
    if not last:
        raise NotFound(f"the dump has no {repository.default_branch}, the default branch: branch not found")
    return last


def _count(handle: Handle | None, records: int) -> None:
    if handle is not None:
        handle.progress += records


def _tag(lake: Lake, repository: Repository, tag: DumpedRef) -> Statement:
    made = refs.insert_tag(repository.id, parse_tag_name(tag.name), commit_id=CommitId(tag.commit), now=lake.now)
    return msgspec.structs.replace(made, rows=None, otherwise=None)


def _branch(lake: Lake, repository: Repository, branch: DumpedRef, actor: Actor) -> list[Statement]:
    name = parse_branch_name(branch.name)
    made = refs.insert_branch(
        repository.id,
        name,
        commit_id=CommitId(branch.commit),
        token=StagingToken(random_token()),
        hidden=branch.hidden,
        now=lake.now,
    )
    logged = refs.log_by_name(
        repository.id,
        name,
        new=CommitId(branch.commit),
        operation="restore",
        actor=actor.name,
        request=actor.request,
        now=lake.now,
    )
    return [
        msgspec.structs.replace(made, rows=None, otherwise=None),
        msgspec.structs.replace(logged, sql=f"{logged.sql} on conflict(branch, seq) do nothing"),
    ]


async def _require_commits(lake: Lake, repository: Repository, listed: Sequence[DumpedRef]) -> None:
    for ref in listed:
        if not is_commit_id(ref.commit) or await commits.find(lake.db, repository.id, ref.commit) is None:
            raise DataDamaged(f"the dump has no commit {ref.commit}, which {ref.name} names")


async def _pages(
    lake: Lake, repository: Repository, dump: str, kind: DumpKind, record: type[T]
) -> AsyncIterator[list[T]]:
    """The records of a dump's file. Raises NotFound, DataDamaged, FormatUnknown."""
    place = lake.place(repository)
    if not is_commit_id(dump):
        raise NotFound(f"dump {dump!r}: not found")
    try:
        reader = await place.store.objects.get(place.locate(FOLDER + dump))
    except StoredObjectNotFound as error:
        raise NotFound(f"dump {dump}: not found in the repository's storage namespace") from error
    try:
        body = _Exact(reader.body)
        require_head(await body.take(HEAD), kind)
        while True:
            length, digest = FRAME.unpack(await body.take(FRAME.size))
            if not length:
                return
            if length > MOST_BYTES:
                raise DataDamaged("a page of the dump is not what was written")
            packed = await body.take(length)
            yield await asyncio.to_thread(read_page, packed, digest, record)
    finally:
        await reader.close()


class _Exact:
    """A body read in pieces of given lengths."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._held = bytearray()

    async def take(self, length: int) -> bytes:
        """The next `length` bytes. Raises DataDamaged when there are fewer."""
        while len(self._held) < length:
            chunk = await anext(self._body, None)
            if chunk is None:
                raise DataDamaged("the dump is cut off")
            self._held += chunk
        taken = bytes(self._held[:length])
        del self._held[:length]
        return taken
