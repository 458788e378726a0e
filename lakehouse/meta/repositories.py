# SPDX-License-Identifier: Apache-2.0
"""Table `repositories`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import LostRace, NamespaceInUse, RepositoryExists, RepositoryNotFound
from lakehouse.core.ids import BranchName, RepositoryId, RepositoryName
from lakehouse.core.records import Repository, RepositoryState
from lakehouse.db.statement import Lock, Scope, Statement, exclusive, shared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.db.port import Database, Row

COLUMNS = (
    "r.id, r.name, r.storage_id, r.storage_namespace, r.default_branch, r.created, r.read_only, r.state, r.metadata, "
    "r.settings_version, coalesce(r.sweeping, 0)"
)
WIDTH = 11
FORMAT = 1
"""Version of trees, boundaries and layout that new repositories are made with."""

_metadata = msgspec.json.Decoder(dict[str, str])
TOP = "\U0010ffff"
"""The last character: `prefix + TOP` is behind every name that begins with `prefix`."""
_NAMESPACES = (Lock(Scope.NAMESPACES, 0, exclusive=True),)
"""Two repositories in one namespace are two rows: no guard on one row sees the other's."""


def from_row(row: Row) -> Repository:
    """The record of the first `WIDTH` columns."""
    return Repository(
        id=RepositoryId(row[0]),
        name=RepositoryName(row[1]),
        storage_id=row[2],
        storage_namespace=row[3],
        default_branch=BranchName(row[4]),
        created=row[5],
        read_only=bool(row[6]),
        state=RepositoryState.ACTIVE if row[7] == "active" else RepositoryState(row[7]),
        metadata={} if row[8] == "{}" else _metadata.decode(row[8]),
        settings_version=row[9],
        sweeping=row[10],
    )


async def find(db: Database, name: str) -> Repository | None:
    """The repository of this name, also one that is being deleted."""
    found = await find_any(db, name)
    return None if found is None or found.state is RepositoryState.CREATING else found


async def find_any(db: Database, name: str) -> Repository | None:
    """As `find`, also one whose creation is not finished, or was cut off."""
    row = await db.one(f"select {COLUMNS} from repositories r where r.name = ?", (name,))
    return None if row is None else from_row(row)


async def by_id(db: Database, repository: RepositoryId) -> Repository:
    """The repository of this id. Raises RepositoryNotFound."""
    row = await db.one(f"select {COLUMNS} from repositories r where r.id = ?", (repository,))
    if row is None:
        raise RepositoryNotFound
    return from_row(row)


async def page(db: Database, *, prefix: str, after: str, search: str, limit: int) -> list[Repository]:
    """Active repositories in order of name, after `after`, that begin with `prefix` and contain `search`."""
    rows = await db.all(
        f"select {COLUMNS} from repositories r where r.name {'>=' if prefix > after else '>'} ? and r.name < ? "
        "and r.state = 'active' "
        "and (? = '' or replace(r.name, ?, '') <> r.name) order by r.name limit ?",
        (max(prefix, after), prefix + TOP, search, search, limit),
    )
    return [from_row(row) for row in rows]


async def namespaces_around(db: Database, spellings: Sequence[str]) -> list[Repository]:
    """Repositories whose storage namespace is one of `spellings`."""
    marks = ", ".join("?" * len(spellings))
    rows = await db.all(
        f"select {COLUMNS} from repositories r where r.storage_namespace in ({marks}) and r.state <> 'creating'",
        tuple(spellings),
    )
    return [from_row(row) for row in rows]


async def namespace_inside(db: Database, namespace: str) -> bool:
    """Whether a repository's storage namespace begins with `namespace`, which ends in "/"."""
    row = await db.one(
        "select 1 from repositories where storage_namespace >= ? and storage_namespace < ? and state <> 'creating' "
        "limit 1",
        (namespace, _behind(namespace)),
    )
    return row is not None


async def namespaces_in(db: Database, namespace: str) -> list[Repository]:
    """Repositories whose storage namespace begins with `namespace`, which ends in "/"."""
    rows = await db.all(
        f"select {COLUMNS} from repositories r where r.storage_namespace >= ? and r.storage_namespace < ? "
        "and r.state <> 'creating'",
        (namespace, _behind(namespace)),
    )
    return [from_row(row) for row in rows]


async def namespace_begins(db: Database, prefix: str) -> bool:
    """Whether a repository's storage namespace begins with `prefix`, any text."""
    row = await db.one(
        "select 1 from repositories where storage_namespace >= ? and storage_namespace < ? and state <> 'creating' "
        "limit 1",
        (prefix, prefix + TOP),
    )
    return row is not None


def _behind(namespace: str) -> str:
    return namespace[:-1] + "0"  # "0" follows "/"


def reserve(repository: Repository) -> Statement:
    """Take the name, with an id of the database's (RETURNING); nobody sees the repository yet.

    A row whose creation was cut off, or runs still, is taken over: of several who create, one will `activate` it.
    Raises RepositoryExists.
    """
    return Statement(
        "insert into repositories(name, storage_id, storage_namespace, default_branch, created, read_only, state, "
        "metadata, format, settings_version) values (?, ?, ?, ?, ?, ?, 'creating', ?, ?, 0) "
        "on conflict(name) do update set storage_id = excluded.storage_id, created = excluded.created, "
        "storage_namespace = excluded.storage_namespace, default_branch = excluded.default_branch, "
        "read_only = excluded.read_only, metadata = excluded.metadata "
        "where repositories.state = 'creating' returning id",
        (
            repository.name,
            repository.storage_id,
            repository.storage_namespace,
            repository.default_branch,
            repository.created,
            int(repository.read_only),
            encode_metadata(repository.metadata),
            FORMAT,
        ),
        rows=1,
        otherwise=RepositoryExists(),
    )


def activate(repository: Repository) -> Statement:
    """Show a reserved repository, with its namespace. Raises RepositoryExists when another creation was faster."""
    return Statement(
        "update repositories set state = 'active', storage_namespace = ? where id = ? and state = 'creating' "
        "and storage_id = ? and storage_namespace in ('', ?) and default_branch = ? and read_only = ? and created = ? "
        "and metadata = ?",
        (
            repository.storage_namespace,
            repository.id,
            repository.storage_id,
            repository.storage_namespace,
            repository.default_branch,
            int(repository.read_only),
            repository.created,
            encode_metadata(repository.metadata),
        ),
        rows=1,
        otherwise=RepositoryExists(),
        locks=_NAMESPACES,
    )


def require_alone(repository: Repository, spellings: Sequence[str], namespace: str) -> Statement:
    """Change nothing; raises NamespaceInUse when another repository's namespace is one of `spellings` or lies inside
    of `namespace`, which ends in "/".
    """
    marks = ", ".join("?" * len(spellings))
    return Statement(
        "update repositories set state = state where id = ? and not exists (select 1 from repositories o "
        "where o.id <> ? and o.state <> 'creating' and (o.storage_namespace in "
        f"({marks}) or (o.storage_namespace >= ? and o.storage_namespace < ?)))",
        (repository.id, repository.id, *spellings, namespace, _behind(namespace)),
        rows=1,
        otherwise=NamespaceInUse(),
        locks=_NAMESPACES,
    )


def forget_unfinished(repository: RepositoryId) -> Statement:
    """Remove a row that was never shown; returns a row if it did."""
    return Statement("delete from repositories where id = ? and state = 'creating' returning id", (repository,))


def set_state(repository: RepositoryId, state: RepositoryState) -> Statement:
    """Raises RepositoryNotFound."""
    return Statement(
        "update repositories set state = ? where id = ?",
        (state.value, repository),
        rows=1,
        otherwise=RepositoryNotFound(),
        locks=exclusive(Scope.REPOSITORY, repository),
    )


def forget(repository: RepositoryId) -> Statement:
    """Remove the row. What hangs on it must be gone before."""
    return Statement("delete from repositories where id = ?", (repository,))


def set_metadata(repository: Repository, metadata: dict[str, str], *, otherwise: Exception | None = None) -> Statement:
    """Replace the metadata of a repository. No row changes, or `otherwise` is raised, when another call changed it
    since it was read.
    """
    return Statement(
        "update repositories set metadata = ? where id = ? and metadata = ? returning id",
        (encode_metadata(metadata), repository.id, encode_metadata(repository.metadata)),
        rows=None if otherwise is None else 1,
        otherwise=otherwise,
    )


def touch_settings(repository: RepositoryId) -> Statement:
    """Tell every process that the settings of this repository changed."""
    return Statement("update repositories set settings_version = settings_version + 1 where id = ?", (repository,))


def require_unswept(repository: Repository) -> Statement:
    """Change nothing; raises LostRace when nodes were deleted since the repository was read, or are now."""
    return Statement(
        "select 1 from repositories where id = ? and coalesce(sweeping, 0) = ? and coalesce(sweeping, 0) % 2 = 0",
        (repository.id, repository.sweeping),
        rows=1,
        otherwise=LostRace(),
        locks=shared(Scope.REPOSITORY, repository.id),
    )


def step_sweeping(repository: RepositoryId, *, seen: int) -> Statement:
    """Begin to delete nodes when `seen` is even, have done so when it is odd. Raises LostRace when it is not that."""
    return Statement(
        "update repositories set sweeping = ? where id = ? and coalesce(sweeping, 0) = ?",
        (seen + 1, repository, seen),
        rows=1,
        otherwise=LostRace(),
        locks=exclusive(Scope.REPOSITORY, repository),
    )


def encode_metadata(metadata: dict[str, str]) -> str:
    """Metadata as the tables hold it: JSON, keys sorted."""
    return msgspec.json.encode(metadata, order="sorted").decode()
