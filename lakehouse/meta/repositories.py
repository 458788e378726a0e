# SPDX-License-Identifier: Apache-2.0
"""Table `repositories`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import RepositoryExists, RepositoryNotFound
from lakehouse.core.ids import BranchName, RepositoryId, RepositoryName
from lakehouse.core.paths import after_prefix
from lakehouse.core.records import Repository, RepositoryState
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.db.port import Database, Row

COLUMNS = (
    "r.id, r.name, r.storage_id, r.storage_namespace, r.default_branch, r.created, r.read_only, r.state, r.metadata, "
    "r.settings_version"
)
WIDTH = 10
FORMAT = 1
"""Version of trees, boundaries and layout that new repositories are made with."""

_metadata = msgspec.json.Decoder(dict[str, str])
_TOP = "\U0010ffff"


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
        state=RepositoryState.ACTIVE if row[7] == "active" else RepositoryState.DELETING,
        metadata={} if row[8] == "{}" else _metadata.decode(row[8]),
        settings_version=row[9],
    )


async def find(db: Database, name: str) -> Repository | None:
    """The repository of this name, whatever its state."""
    row = await db.one(f"select {COLUMNS} from repositories r where r.name = ?", (name,))
    return None if row is None else from_row(row)


async def page(db: Database, *, prefix: str, after: str, search: str, limit: int) -> list[Repository]:
    """Active repositories in order of name, after `after`, that begin with `prefix` and contain `search`."""
    end = after_prefix(prefix.encode())
    rows = await db.all(
        f"select {COLUMNS} from repositories r where r.name > ? and r.name >= ? and r.name < ? and r.state = 'active' "
        "and (? = '' or instr(r.name, ?) > 0) order by r.name limit ?",
        (after, prefix, _TOP if end is None else end.decode(errors="replace"), search, search, limit),
    )
    return [from_row(row) for row in rows]


async def namespaces_around(db: Database, spellings: Sequence[str]) -> list[Repository]:
    """Repositories whose storage namespace is one of `spellings`."""
    marks = ", ".join("?" * len(spellings))
    rows = await db.all(
        f"select {COLUMNS} from repositories r where r.storage_namespace in ({marks})", tuple(spellings)
    )
    return [from_row(row) for row in rows]


async def namespace_inside(db: Database, namespace: str) -> bool:
    """Whether a repository's storage namespace begins with `namespace`, which ends in "/"."""
    end = namespace[:-1] + "0"  # "0" follows "/"
    row = await db.one(
        "select 1 from repositories where storage_namespace >= ? and storage_namespace < ? limit 1", (namespace, end)
    )
    return row is not None


def insert(repository: Repository) -> Statement:
    """A new row; its id is the database's (RETURNING). Raises RepositoryExists."""
    return Statement(
        "insert into repositories(name, storage_id, storage_namespace, default_branch, created, read_only, state, "
        "metadata, format, settings_version) values (?, ?, ?, ?, ?, ?, 'active', '{}', ?, 0) "
        "on conflict(name) do nothing returning id",
        (
            repository.name,
            repository.storage_id,
            repository.storage_namespace,
            repository.default_branch,
            repository.created,
            int(repository.read_only),
            FORMAT,
        ),
        rows=1,
        otherwise=RepositoryExists(),
    )


def place(name: RepositoryName, namespace: str) -> Statement:
    """Set the namespace of a repository that was just made: the server's own choice holds the repository's id."""
    return Statement("update repositories set storage_namespace = ? where name = ?", (namespace, name), rows=1)


def set_state(repository: RepositoryId, state: RepositoryState) -> Statement:
    """Raises RepositoryNotFound."""
    return Statement(
        "update repositories set state = ? where id = ?",
        (state.value, repository),
        rows=1,
        otherwise=RepositoryNotFound(),
    )


def forget(repository: RepositoryId) -> Statement:
    """Remove the row. What hangs on it must be gone before."""
    return Statement("delete from repositories where id = ?", (repository,))


def set_metadata(repository: Repository, metadata: dict[str, str]) -> Statement:
    """Replace the metadata of a repository. No row changes when another call changed it since it was read."""
    return Statement(
        "update repositories set metadata = ? where id = ? and metadata = ? returning id",
        (encode_metadata(metadata), repository.id, encode_metadata(repository.metadata)),
    )


def touch_settings(repository: RepositoryId) -> Statement:
    """Tell every process that the settings of this repository changed."""
    return Statement("update repositories set settings_version = settings_version + 1 where id = ?", (repository,))


def encode_metadata(metadata: dict[str, str]) -> str:
    """Metadata as the tables hold it: JSON, keys sorted."""
    return msgspec.json.encode(metadata, order="sorted").decode()
