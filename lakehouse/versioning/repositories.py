# SPDX-License-Identifier: Apache-2.0
"""Repositories: create, find, list, delete, metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    InvalidArgument,
    NamespaceInUse,
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
from lakehouse.meta import commits, refs, repositories, settings, staging
from lakehouse.objects.port import PutMode
from lakehouse.versioning import resolve
from lakehouse.versioning.addresses import INTERNAL, spellings_around
from lakehouse.versioning.commit import make
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.stores import Place

MARKER = INTERNAL + "repository"
"""Says which repository a namespace belongs to. It stays when the repository is deleted, as its data does."""
_FOREIGN_MARKERS = ("_lakefs/dummy", "dummy")


class RepositoryRequest(msgspec.Struct, frozen=True):
    """What a new repository shall be. Without `storage_namespace` the server chooses one."""

    name: str
    storage_namespace: str | None = None
    default_branch: str = "main"
    storage_id: str = ""
    read_only: bool = False
    bare: bool = False


async def create_repository(lake: Lake, request: RepositoryRequest) -> Repository:
    """Make a repository with an initial commit on its default branch (none of both when bare).

    Raises InvalidName, RepositoryExists, UnknownStorage, InvalidAddress, NamespaceInUse.
    """
    name = parse_repository_name(request.name)
    branch = parse_branch_name(request.default_branch, argument="default branch")
    if await repositories.find(lake.db, name) is not None:
        raise RepositoryExists
    store = lake.stores.by_id(request.storage_id)
    if request.storage_namespace is not None:
        place = lake.stores.place(request.storage_namespace)
        if place.store is not store:
            raise InvalidArgument(
                f"{request.storage_namespace} is not in this storage: invalid value: validation error"
            )
        await _require_unused(lake, place, shared=request.bare or request.read_only)
    draft = Repository(
        id=RepositoryId(0),
        name=name,
        storage_id=store.id,
        storage_namespace=request.storage_namespace or "",
        default_branch=branch,
        created=lake.now,
        read_only=request.read_only,
    )
    made = await _insert(lake, draft)
    if not request.bare:
        await _first_commit(lake, made)
    await lake.db.apply(repositories.set_state(made.id, RepositoryState.ACTIVE))
    return made


async def _insert(lake: Lake, draft: Repository) -> Repository:
    """The row and its namespace; the repository shows only when both are there."""
    [[row]] = await lake.db.apply(repositories.insert(draft))
    made = msgspec.structs.replace(draft, id=RepositoryId(row[0]))
    try:
        if not made.storage_namespace:
            example = lake.stores.default.description.namespace_example
            root = example[: example.index("/", example.index("://") + 3)]
            made = msgspec.structs.replace(made, storage_namespace=f"{root}/{made.name}/{made.id}/")
            await lake.db.apply(repositories.place(made.name, made.storage_namespace))
        place = lake.place(made)
        await place.store.objects.put(
            place.locate(MARKER),
            msgspec.json.encode({"repository": made.id, "name": made.name}),
            content_type="application/json",
            mode=PutMode.REPLACE,
        )
    except BaseException:
        await lake.db.apply(repositories.forget(made.id))
        raise
    return made


async def _first_commit(lake: Lake, repository: Repository) -> None:
    first = make(
        parents=(),
        root=EMPTY_TREE,
        committer="",
        message="Repository created",
        created=repository.created,
        metadata={},
    )
    await lake.db.apply(
        commits.insert(repository.id, first, None),
        refs.insert_branch(
            repository.id,
            repository.default_branch,
            commit_id=first.id,
            token=StagingToken(random_token()),
            hidden=False,
            now=lake.now,
        ),
    )


async def _require_unused(lake: Lake, place: Place, *, shared: bool) -> None:
    """Raises NamespaceInUse when another repository is, or was, in or around the namespace."""
    if shared:
        return
    uri = place.uri
    taken = bool(await repositories.namespaces_around(lake.db, spellings_around(uri)))
    if not taken and not await repositories.namespace_inside(lake.db, uri):
        for marker in (MARKER, *_FOREIGN_MARKERS):
            try:
                await place.store.objects.head(place.locate(marker))
            except StoredObjectNotFound:
                continue
            taken = True
            break
        else:
            return
    raise NamespaceInUse(
        f"failed to create repository: found lakeFS objects in the storage namespace({uri.rstrip('/')}): "
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
    tokens = await refs.tokens_of_repository(lake.db, found.id)
    await lake.db.apply(*staging.drop(tokens, now=lake.now), *refs.forget_all(found.id, now=lake.now))
    while (await lake.db.apply(commits.forget_some(found.id)))[0]:
        pass
    await lake.db.apply(settings.forget_all(found.id), repositories.forget(found.id))


async def update_metadata(
    lake: Lake, name: str, *, put: dict[str, str] | None = None, remove: list[str] | None = None, force: bool = False
) -> None:
    """Merge keys into a repository's metadata, or remove some. Raises RepositoryNotFound, ReadOnlyRepository."""
    while True:
        found = await resolve.repository(lake, name)
        require_not_read_only(found, force=force)
        new = {key: value for key, value in found.metadata.items() if key not in (remove or ())} | (put or {})
        if new == found.metadata or (await lake.db.apply(repositories.set_metadata(found, new)))[0]:
            return
