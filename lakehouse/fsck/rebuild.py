# SPDX-License-Identifier: Apache-2.0
"""A repository made again from its storage alone, when the database is lost and there is no backup.

Each commit lies beside its tree, as a record whose id is checked. Names of branches and tags are those of the last
dump, if there is one; every commit that has no child and no name gets a branch of its own, `recovered-` and its first
digits. What was uncommitted is lost. Nothing in the storage is changed, and a rebuild that was cut off is begun again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import DataDamaged, FormatUnknown, NotBare, NotFound, StoredObjectNotFound
from lakehouse.core.ids import CommitId, StagingToken, parse_branch_name
from lakehouse.format.commit import decode_commit
from lakehouse.fsck.check import RECORDS
from lakehouse.fsck.objects import listed_keys
from lakehouse.meta import collection, commits, refs, repositories
from lakehouse.versioning.lake import Actor
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.work.dump import MANIFEST, Dumped
from lakehouse.versioning.work.restore import RestoreRequest, restore_refs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.ids import BranchName
    from lakehouse.core.records import Commit, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place

    Record = tuple[Commit, bytes | None]

_TOGETHER = 64
"""Records read at the same time, and stored in one transaction."""
_ACTOR = Actor(committer="", name="shell")


class _Manifest(msgspec.Struct):
    """The ids of the last dump."""

    commits_meta_range_id: str
    tags_meta_range_id: str
    branches_meta_range_id: str


class Rebuilt(msgspec.Struct):
    """What was found. `recovered`: branches that were made for commits without a name."""

    repository: str
    commits: int = 0
    branches: list[str] = []
    tags: list[str] = []
    recovered: list[str] = []
    damaged: list[str] = []


async def rebuild(
    lake: Lake, name: str, namespace: str, *, default_branch: str = "main", storage_id: str = ""
) -> Rebuilt:
    """Make the repository `name` of what lies in `namespace`.

    Raises NotBare when there is one of this name that has branches, NotFound when no commit lies there, InvalidName,
    InvalidAddress, UnknownStorage, StorageUnavailable.
    """
    repository = await _bare(lake, name, namespace, default_branch=default_branch, storage_id=storage_id)
    place = lake.place(repository)
    report = Rebuilt(name)
    heads, parents = set[bytes](), set[bytes]()
    newest: Commit | None = None
    async for records in _records(place, report):
        await lake.db.apply(*[commits.insert(repository.id, commit, paths) for commit, paths in records])
        report.commits += len(records)
        for commit, _ in records:
            heads.add(bytes.fromhex(commit.id))
            parents.update(bytes.fromhex(parent) for parent in commit.parents)
            newest = commit if newest is None or _age(commit) > _age(newest) else newest
    if newest is None:
        raise NotFound(f"{namespace}: no commit lies below {RECORDS}")
    heads -= parents
    dump = await _last_dump(place)
    if dump is not None:
        await restore_refs(lake, name, RestoreRequest(dump, force=True), _ACTOR)
    named = [ref async for page in collection.held_refs(lake.db, repository.id) for ref in page]
    heads -= {bytes.fromhex(ref.commit) for ref in named}
    report.branches = sorted(ref.name for ref in named if ref.is_branch)
    report.tags = sorted(ref.name for ref in named if not ref.is_branch)
    await _name_heads(lake, repository, heads, report, default=newest.id if dump is None else None)
    return report


def _age(commit: Commit) -> tuple[int, int]:
    """By time; of the same second, a child after its parents."""
    return commit.created, commit.generation


async def _bare(lake: Lake, name: str, namespace: str, *, default_branch: str, storage_id: str) -> Repository:
    found = await repositories.find(lake.db, name)
    if found is None:
        request = RepositoryRequest(name, namespace, default_branch, storage_id, bare=True)
        return await create_repository(lake, request)
    if (await refs.find(lake.db, name, found.default_branch)).branch is not None:
        raise NotBare(f"the repository {name} is there and has branches: nothing was done")
    return found


async def _records(place: Place, report: Rebuilt) -> AsyncIterator[list[Record]]:
    """The records of all commits, some at a time; what cannot be read is noted."""
    ids: list[str] = []
    async for name in listed_keys(place.store.objects, place.bucket, place.prefix + RECORDS):
        ids.append(name)
        if len(ids) == _TOGETHER:
            yield await _read(place, ids, report)
            ids = []
    if ids:
        yield await _read(place, ids, report)


async def _read(place: Place, ids: list[str], report: Rebuilt) -> list[Record]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(place, name, report)) for name in ids]
    return [record for task in tasks if (record := task.result()) is not None]


async def _one(place: Place, name: str, report: Rebuilt) -> Record | None:
    try:
        body = await (await place.store.objects.get(place.locate(RECORDS + name))).read()
        commit, paths = decode_commit(body, name=name)
    except (DataDamaged, FormatUnknown, StoredObjectNotFound) as error:
        report.damaged.append(error.message)
        return None
    if commit.id != name:
        report.damaged.append(f"commit record {name}: holds the commit {commit.id}")
        return None
    return commit, paths


async def _last_dump(place: Place) -> Dumped | None:
    try:
        text = await (await place.store.objects.get(place.locate(MANIFEST))).read()
        found = msgspec.json.decode(text, type=_Manifest)
    except (StoredObjectNotFound, msgspec.MsgspecError):
        return None
    return Dumped(found.commits_meta_range_id, found.tags_meta_range_id, found.branches_meta_range_id)


async def _name_heads(
    lake: Lake, repository: Repository, heads: set[bytes], report: Rebuilt, *, default: CommitId | None
) -> None:
    """Branches for commits without name; the default one last, because a repository with it is bare no more."""
    for head in sorted(heads):
        commit = CommitId(head.hex())
        if commit == default:
            continue
        name = parse_branch_name(f"recovered-{commit[:12]}")
        await lake.db.apply(*_branch(lake, repository, name, commit))
        report.recovered.append(name)
    if default is not None:
        await lake.db.apply(*_branch(lake, repository, parse_branch_name(repository.default_branch), default))
        report.branches = [repository.default_branch]


def _branch(lake: Lake, repository: Repository, name: BranchName, commit: CommitId) -> list[Statement]:
    made = refs.insert_branch(
        repository.id, name, commit_id=commit, token=StagingToken(random_token()), hidden=False, now=lake.now
    )
    logged = refs.log_by_name(
        repository.id, name, new=commit, operation="rebuild", actor=_ACTOR.name, request="", now=lake.now
    )
    return [
        msgspec.structs.replace(made, rows=None, otherwise=None),
        msgspec.structs.replace(logged, sql=f"{logged.sql} on conflict(branch, seq) do nothing"),
    ]
