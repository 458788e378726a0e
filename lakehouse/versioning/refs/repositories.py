# SPDX-License-Identifier: Apache-2.0
"""Repositories: create, find, list, delete, metadata."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core import marks
from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    InvalidArgument,
    LakehouseError,
    LostRace,
    NamespaceInUse,
    PreconditionFailed,
    RepositoryExists,
    RepositoryNotFound,
    StoredObjectNotFound,
)
from lakehouse.core.ids import (
    EMPTY_TREE,
    RepositoryId,
    StagingToken,
    parse_branch_name,
    parse_repository_name,
)
from lakehouse.core.records import Page, Repository, RepositoryState
from lakehouse.meta import (
    action_runs,
    collection,
    commits,
    pulls,
    refs,
    repositories,
    settings,
    staging,
    tasks,
    uploads,
)
from lakehouse.objects.port import PutMode
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import make
from lakehouse.versioning.commits.record import keep_record
from lakehouse.versioning.objects.addresses import INTERNAL, spellings_around
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakehouse.core.records import Commit
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place, Store

MARKER = INTERNAL + "repository"
"""Says which repository a namespace belongs to. It stays when the repository is deleted, as its data does."""
_FOREIGN_MARKERS = ("_lakefs/dummy", "dummy")


class _Marker(msgspec.Struct):
    repository: int


_marker = msgspec.json.Decoder(_Marker)


class RepositoryRequest(msgspec.Struct, frozen=True):
    """What a new repository shall be. Without `storage_namespace` the server chooses one."""

    name: str
    storage_namespace: str | None = None
    default_branch: str = "main"
    storage_id: str = ""
    read_only: bool = False
    bare: bool = False
    metadata: dict[str, str] = {}


Also: TypeAlias = "Callable[[Repository], Sequence[Statement]]"
"""What else becomes visible in the transaction that makes a repository visible; a refusal takes that back too."""


def nothing_else(_: Repository) -> Sequence[Statement]:
    """The repository alone."""
    return ()


async def create_repository(lake: Lake, request: RepositoryRequest, *, also: Also = nothing_else) -> Repository:
    """Make a repository with an initial commit on its default branch (none of both when bare), and what is `also`.

    Raises InvalidName, InvalidArgument (a reserved key of the metadata), RepositoryExists, UnknownStorage,
    InvalidAddress, NamespaceInUse.
    """
    name = parse_repository_name(request.name)
    branch = parse_branch_name(request.default_branch, argument="default branch")
    marks.check_marks(request.metadata)
    there = await repositories.find_any(lake.db, name)
    if there is not None and there.state is not RepositoryState.CREATING:
        raise RepositoryExists
    store = lake.stores.by_id(request.storage_id)
    if request.storage_namespace is not None:
        place = lake.stores.place(request.storage_namespace, request.storage_id)
        if place.store is not store:
            raise InvalidArgument(
                f"{request.storage_namespace} is not in this storage: invalid value: validation error"
            )
        if not request.bare and not request.read_only:
            await _require_unused(lake, place, unfinished=there)
    draft = Repository(
        id=RepositoryId(0),
        name=name,
        storage_id=store.id,
        storage_namespace=request.storage_namespace or "",
        default_branch=branch,
        created=lake.now,
        read_only=request.read_only,
        metadata=request.metadata,
    )
    return await _make(lake, draft, request, store, also=also)


async def _make(lake: Lake, draft: Repository, request: RepositoryRequest, store: Store, *, also: Also) -> Repository:
    """The row, which takes the name; the marker in the store; then, in one transaction, all that shows.

    A crash leaves a row that nobody sees and that the next creation of this name takes over.
    """
    [[row]] = await lake.db.apply(repositories.reserve(draft))
    made = msgspec.structs.replace(draft, id=RepositoryId(row[0]))
    if not made.storage_namespace:
        made = msgspec.structs.replace(made, storage_namespace=f"{store.root}{made.name}/{made.id}/")
    marked = False
    try:
        place = lake.place(made)
        marked = await _mark(made, place, shared=request.bare or request.read_only)
        alone = []
        if request.storage_namespace is not None and not (request.bare or request.read_only):
            alone.append(repositories.require_alone(made, spellings_around(place.uri), place.uri))
        first = [] if request.bare else _first_commit(made, now=lake.now)
        await lake.db.apply(*alone, repositories.activate(made), *first, *also(made))
    except LakehouseError:
        if (await lake.db.apply(repositories.forget_unfinished(made.id)))[0] and marked:
            await place.store.objects.delete([place.locate(MARKER)])
        raise
    if not request.bare:
        keep_record(lake, made, _initial(made), None)
    return made


async def _mark(repository: Repository, place: Place, *, shared: bool) -> bool:
    """Put the marker; whether it was not there. A repository that shares another's namespace leaves that one's."""
    try:
        await place.store.objects.put(
            place.locate(MARKER),
            msgspec.json.encode({"repository": repository.id, "name": repository.name}),
            content_type="application/json",
            mode=PutMode.CREATE,
        )
    except PreconditionFailed:
        if shared or await marked_by(place) == repository.id:
            return False
        raise _in_use(place) from None
    return True


async def marked_by(place: Place) -> int | None:
    """The id of the repository that a namespace's marker names; 0 for another program's, None without one."""
    try:
        marker = await place.store.objects.get(place.locate(MARKER))
    except StoredObjectNotFound:
        return None
    try:
        return _marker.decode(await marker.read()).repository
    except msgspec.MsgspecError:
        return 0


def _initial(repository: Repository) -> Commit:
    return make(
        parents=(),
        root=EMPTY_TREE,
        committer="",
        message="Repository created",
        created=repository.created,
        metadata={},
    )


def _first_commit(repository: Repository, *, now: int) -> list[Statement]:
    first = _initial(repository)
    branch = repository.default_branch
    return [
        commits.insert(repository.id, first, None),
        refs.insert_branch(
            repository.id, branch, commit_id=first.id, token=StagingToken(random_token()), hidden=False, now=now
        ),
        refs.log_by_name(repository.id, branch, new=first.id, operation="create", actor="", request="", now=now),
    ]


async def _require_unused(lake: Lake, place: Place, *, unfinished: Repository | None) -> None:
    """Raises NamespaceInUse when another repository is, or was, in or around the namespace.

    The marker of `unfinished`, whose creation was cut off, is no hindrance: it will be taken over.
    """
    uri = place.uri
    if uri == place.store.root or await repositories.namespaces_around(lake.db, spellings_around(uri)):
        raise _in_use(place)
    if await repositories.namespace_inside(lake.db, uri):
        raise _in_use(place)
    if await marked_by(place) not in (None, None if unfinished is None else unfinished.id):
        raise _in_use(place)
    for marker in _FOREIGN_MARKERS:
        with suppress(StoredObjectNotFound):
            await place.store.objects.head(place.locate(marker))
            raise _in_use(place)


def _in_use(place: Place) -> NamespaceInUse:
    return NamespaceInUse(
        f"failed to create repository: found lakeFS objects in the storage namespace({place.uri.rstrip('/')}): "
        "storage namespace already in use"
    )


async def get_repository(lake: Lake, name: str) -> Repository:
    """Raises RepositoryNotFound, RepositoryInDeletion."""
    return await resolve.repository(lake, name)


async def list_repositories(lake: Lake, *, prefix: str, after: str, search: str, amount: int) -> Page[Repository]:
    """Repositories in order of name."""
    found = await repositories.page(lake.db, prefix=prefix, after=after, search=search, limit=amount + 1)
    return Page(tuple(found[:amount]), len(found) > amount)


async def delete_repository(lake: Lake, name: str, *, force: bool) -> None:
    """Remove a repository's metadata; its objects stay where they are. Raises RepositoryNotFound, ReadOnlyRepository.

    The repository answers RepositoryInDeletion meanwhile; a delete that was cut off goes on when it is asked again.
    """
    found = await repositories.find(lake.db, name)
    if found is None:
        raise RepositoryNotFound
    require_not_read_only(found, force=force)
    await lake.db.apply(repositories.set_state(found.id, RepositoryState.DELETING))
    await _forget_refs(lake, found.id)
    while (await lake.db.apply(commits.forget_some(found.id)))[0]:
        pass
    await lake.db.apply(
        settings.forget_all(found.id),
        *pulls.forget_all(found.id),
        *action_runs.forget_all(found.id),
        *collection.forget_all(found.id),
        tasks.forget_all(found.id),
        uploads.forget_all(found.id),
        repositories.forget(found.id),
    )


async def _forget_refs(lake: Lake, repository: RepositoryId) -> None:
    """Remove branches and tags, some at a time, each as it was seen: an operation that runs beside it may seal."""
    while True:
        found, tokens = await refs.some(lake.db, repository)
        if not found:
            return
        try:
            await lake.db.apply(*staging.drop(tokens, now=lake.now), *refs.forget_some(found))
        except LostRace:
            continue


async def update_metadata(
    lake: Lake, name: str, *, put: dict[str, str] | None = None, remove: list[str] | None = None, force: bool = False
) -> None:
    """Merge keys into a repository's metadata, or remove some. Raises RepositoryNotFound, ReadOnlyRepository,
    InvalidArgument (a reserved key).
    """
    marks.check_marks(put or {})
    while True:
        found = await resolve.repository(lake, name)
        require_not_read_only(found, force=force)
        new = {key: value for key, value in found.metadata.items() if key not in (remove or ())} | (put or {})
        if new == found.metadata or (await lake.db.apply(repositories.set_metadata(found, new)))[0]:
            return
