# SPDX-License-Identifier: Apache-2.0
"""Import: objects that are in a store already become entries of a branch, in one commit, without a copy.

First the sources become a tree of their own, beside everything else; then, in the branch's turn, that tree is put into
the head's. What stood under a destination goes, unless the import only adds. The commit, the note when the last import
was and the end of the task are one transaction: a task that is begun again commits once.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DirtyBranch, ImportUnsupported, LostRace, TaskCompleted, TaskNotFound
from lakehouse.core.ids import EMPTY_TREE, MetaRangeId
from lakehouse.core.ordered_ids import ascending_id
from lakehouse.core.paths import successor
from lakehouse.core.records import Commit
from lakehouse.format.entry import TOMBSTONE
from lakehouse.meta import repositories
from lakehouse.meta.tasks import TaskState
from lakehouse.tree.apply import apply
from lakehouse.tree.build import build
from lakehouse.tree.lookup import lookup, scan
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.commits.merge import STRATEGY_KEY, Strategy
from lakehouse.versioning.commits.train import on_clean_branch
from lakehouse.versioning.commits.watched import COMMIT, Watched
from lakehouse.versioning.lake import Actor
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.staged.changes import overlaid
from lakehouse.versioning.staged.uncommitted import is_dirty
from lakehouse.versioning.state.tasks import NewTask
from lakehouse.versioning.work.import_sources import Source, SourceKind, entries, require_importable
from lakehouse.versioning.work.working import cancel_task, find_task, start_task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from lakehouse.core.records import Repository
    from lakehouse.db.statement import Statement
    from lakehouse.meta.tasks import Task
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.commits.train import Ground
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Store
    from lakehouse.versioning.state.tasks import Handle

LAST_IMPORT = ".lakefs.last.import.timestamp"
MESSAGE = "Import objects"
IMPORT = "import"
"""The kind of these tasks."""
_PAGE = 1000


class ImportRequest(msgspec.Struct, frozen=True):
    """What to import, and what the commit shall say. `replace`: what is under a destination and not among the sources
    goes.
    """

    sources: tuple[Source, ...]
    message: str = ""
    metadata: dict[str, str] = {}
    date: int | None = None
    replace: bool = True
    force: bool = False


class Imported(msgspec.Struct, frozen=True):
    """What an import came to."""

    commit: Commit


class ImportProgress(msgspec.Struct, frozen=True):
    """How far an import is. `updated` in seconds; `imported` when it is done, `error` when it will not be."""

    updated: float
    objects: int
    done: bool
    imported: Imported | None = None
    error: str | None = None


async def start_import(lake: Lake, repository: str, branch: str, request: ImportRequest, actor: Actor) -> str:
    """Begin an import and return its id.

    Raises RepositoryNotFound, ImportUnsupported, BranchNotFound, ReadOnlyRepository, InvalidImportSource.
    """
    repo = await resolve.repository(lake, repository)
    store = lake.place(repo).store
    if not store.description.importable:
        raise ImportUnsupported
    _, seen = await resolve.branch(lake, repository, branch)
    require_not_read_only(repo, force=request.force)
    for source in request.sources:
        await require_importable(lake, store, source)
    task = ascending_id(lake.clock())
    wanted = NewTask(task, IMPORT, repo.id, seen.name, request, actor)
    await start_task(lake, wanted, import_objects)
    return task


async def import_status(lake: Lake, repository: str, branch: str, task: str) -> ImportProgress:
    """Raises RepositoryNotFound, TaskNotFound."""
    found = await _find(lake, repository, branch, task)
    return ImportProgress(
        updated=found.updated / 1000,
        objects=found.progress,
        done=found.state is TaskState.DONE,
        imported=None if found.result is None else msgspec.json.decode(found.result, type=Imported),
        error=found.error,
    )


async def cancel_import(lake: Lake, repository: str, branch: str, task: str) -> None:
    """Stop an import; nothing of it is committed. Again is no error. Raises TaskNotFound, TaskCompleted."""
    if not await cancel_task(lake, await _find(lake, repository, branch, task)):
        raise TaskCompleted("import: the task has ended already: conflict found")


async def _find(lake: Lake, repository: str, branch: str, task: str) -> Task:
    repo = await resolve.repository(lake, repository)
    found = await find_task(lake, repo, task, IMPORT)
    if found.branch != branch:
        raise TaskNotFound
    return found


async def import_objects(lake: Lake, handle: Handle) -> None:
    """The work of an import."""
    request = msgspec.json.decode(handle.task.request, type=ImportRequest)
    actor = msgspec.json.decode(handle.task.actor, type=Actor)
    repo = await repositories.by_id(lake.db, handle.task.repository)
    repo, branch = await resolve.branch(lake, repo.name, handle.task.branch)
    if await is_dirty(lake, repo, branch):
        raise DirtyBranch
    built, coming = repo.sweeping, await _built(lake, repo, request, handle)
    seen = repo

    async def put(ground: Ground) -> tuple[Commit, bytes | None]:
        nonlocal seen, built, coming
        seen = await resolve.repository(lake, repo.name)
        if seen.sweeping != built:  # nodes were deleted meanwhile: they must be stored again
            built, coming = seen.sweeping, await _built(lake, seen, request, handle)
        root, paths = await _combined(ground.tree, ground.head.root, coming, request)
        made = make(
            parents=(ground.head,),
            root=root,
            committer=actor.committer,
            message=request.message or MESSAGE,
            created=lake.now if request.date is None else request.date,
            metadata=request.metadata | {STRATEGY_KEY: Strategy.SOURCE_WINS.value},
        )
        return made, paths

    def note(made: Commit) -> list[Statement]:
        metadata = seen.metadata | {LAST_IMPORT: str(made.created)}
        return [
            repositories.set_metadata(seen, metadata, otherwise=LostRace()),
            handle.finished(Imported(made)),
        ]

    watched = Watched(lake, repo, branch.name, moments=COMMIT, actor=actor)
    await on_clean_branch(
        lake, repo.name, branch.name, put, operation="import", actor=actor, note=note, watched=watched
    )


async def _built(lake: Lake, repository: Repository, request: ImportRequest, handle: Handle) -> MetaRangeId:
    """A tree of what the sources become."""
    found = _counted(lake, lake.place(repository).store, request.sources, handle)
    return await build(lake.tree(repository), _pages(found))


async def _counted(
    lake: Lake, beside: Store, sources: Sequence[Source], handle: Handle
) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
    """What all sources become, in order of path; of two that go to one path the later source's stands."""
    handle.progress = 0
    async with aclosing(overlaid([entries(lake, beside, source) for source in reversed(sources)])) as pages:
        async for page in pages:
            handle.progress += len(page)
            yield page
            await asyncio.sleep(0)


async def _pages(
    found: AsyncGenerator[list[tuple[bytes, bytes]], None],
) -> AsyncIterator[tuple[list[bytes], list[bytes]]]:
    async with aclosing(found):
        async for page in found:
            yield [path for path, _ in page], [packed for _, packed in page]


async def _combined(
    tree: NodeStore, head: MetaRangeId, coming: MetaRangeId, request: ImportRequest
) -> tuple[MetaRangeId, bytes | None]:
    """The head's tree with the imported one put into it, and the filter over the paths that change."""
    if head == EMPTY_TREE and coming != EMPTY_TREE:
        return coming, None
    streams = [_scanned(tree, coming, b"")]
    if request.replace:
        streams += [_gone(tree, head, source) for source in request.sources]
    async with aclosing(overlaid(streams)) as changes:
        applied = await apply(tree, head, changes)
    return applied.root, applied.paths.packed()


async def _gone(tree: NodeStore, head: MetaRangeId, source: Source) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
    """Tombstones for what stands where the source goes."""
    if source.kind is SourceKind.OBJECT:
        if await lookup(tree, head, source.target) is not None:
            yield [(source.target, TOMBSTONE)]
        return
    async with aclosing(_scanned(tree, head, source.target)) as pages:
        async for page in pages:
            yield [(path, TOMBSTONE) for path, _ in page]


async def _scanned(
    tree: NodeStore, root: MetaRangeId, prefix: bytes
) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
    """A tree's entries under a prefix, in pages."""
    start = prefix
    while True:
        keys, values = await scan(tree, root, start=start, prefix=prefix, limit=_PAGE)
        if keys:
            yield list(zip(keys, values, strict=True))
            start = successor(keys[-1])
        if len(keys) < _PAGE:
            return
