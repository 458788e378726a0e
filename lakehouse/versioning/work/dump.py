# SPDX-License-Identifier: Apache-2.0
"""Dump: the commits, branches and tags of a repository as files beside its trees, from which they can be restored.

Branches and tags are read before commits, so that every commit that they name is in the dump. A file is named by the
hash of its content: dumping the same again writes the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from typing import IO, TYPE_CHECKING

import msgspec

from lakehouse.format.commit import encode_commit
from lakehouse.format.dump import DumpedRef, DumpKind, dump_head, dump_page
from lakehouse.meta import collection, commits, repositories
from lakehouse.objects.body import CHUNK
from lakehouse.versioning import resolve
from lakehouse.versioning.objects.addresses import INTERNAL
from lakehouse.versioning.work.working import begin_task, find_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.records import Repository
    from lakehouse.meta.tasks import Task
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.tasks import Handle

FOLDER = INTERNAL + "dumps/"
MANIFEST = INTERNAL + "refs_manifest.json"
DUMP = "dump"
"""The kind of these tasks."""
PREFIX = "DR"


class Dumped(msgspec.Struct, frozen=True):
    """The ids of a dump's files: 64 hex digits each."""

    commits: str
    tags: str
    branches: str


async def dump_refs(lake: Lake, repository: str) -> Dumped:
    """Write a dump and its manifest. Raises RepositoryNotFound, StorageFull, StorageUnavailable."""
    return await _dump(lake, await resolve.repository(lake, repository), None)


async def start_dump(lake: Lake, repository: str, actor: Actor) -> str:
    """Begin a dump; the id of its task. Raises RepositoryNotFound."""
    repo = await resolve.repository(lake, repository)
    return await begin_task(lake, repo, actor, dump_in_background, kind=DUMP, prefix=PREFIX)


async def find_dump(lake: Lake, repository: str, task: str) -> Task:
    """Raises RepositoryNotFound, TaskNotFound."""
    return await find_task(lake, await resolve.repository(lake, repository), task, DUMP)


async def dump_in_background(lake: Lake, handle: Handle) -> None:
    """The work of these tasks."""
    repo = await repositories.by_id(lake.db, handle.task.repository)
    await handle.finish(await _dump(lake, repo, handle))


async def _dump(lake: Lake, repository: Repository, handle: Handle | None) -> Dumped:
    branches = [page async for page in _refs(lake, repository, branch=True)]
    tags = [page async for page in _refs(lake, repository, branch=False)]
    made = Dumped(
        branches=await _write(lake, repository, DumpKind.BRANCHES, _listed(branches), handle),
        tags=await _write(lake, repository, DumpKind.TAGS, _listed(tags), handle),
        commits=await _write(lake, repository, DumpKind.COMMITS, _commits(lake, repository), handle),
    )
    manifest = {
        "commits_meta_range_id": made.commits,
        "tags_meta_range_id": made.tags,
        "branches_meta_range_id": made.branches,
    }
    place = lake.place(repository)
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    await place.store.objects.put(place.locate(MANIFEST), text, content_type="application/json")
    return made


async def _refs(lake: Lake, repository: Repository, *, branch: bool) -> AsyncIterator[list[DumpedRef]]:
    async for page in collection.held_refs(lake.db, repository.id):
        yield [DumpedRef(ref.name, ref.commit, ref.hidden) for ref in page if ref.is_branch == branch]


async def _listed(pages: list[list[DumpedRef]]) -> AsyncIterator[list[DumpedRef]]:
    for page in pages:
        yield page


async def _commits(lake: Lake, repository: Repository) -> AsyncIterator[list[bytes]]:
    async for page in commits.pages_with_paths(lake.db, repository.id):
        yield [encode_commit(commit, paths=paths) for commit, paths in page]


async def _write(
    lake: Lake,
    repository: Repository,
    kind: DumpKind,
    pages: AsyncIterator[list[DumpedRef]] | AsyncIterator[list[bytes]],
    handle: Handle | None,
) -> str:
    """Store a file; its id. It goes through a temporary file, because its name is the hash of all of it."""
    digest = hashlib.sha256()
    place = lake.place(repository)
    with tempfile.TemporaryFile() as held:

        def add(piece: bytes) -> None:
            digest.update(piece)
            held.write(piece)

        add(dump_head(kind))
        async for page in pages:
            if page:
                await asyncio.to_thread(add, dump_page(page))
            if handle is not None:
                handle.progress += len(page)
        add(dump_page(()))
        size = held.tell()
        held.seek(0)
        await place.store.objects.put(place.locate(FOLDER + digest.hexdigest()), _body(held), size=size)
    return digest.hexdigest()


async def _body(held: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(held.read, CHUNK):
        yield chunk
