# SPDX-License-Identifier: Apache-2.0
"""Tables `datasets`, `artifacts`, `artifact_partitions` and `artifact_tags`: catalogued outputs of tasks.

A dataset is a version of a task; an artifact of it is found by its id or by a tag. The first artifact that gets a tag
keeps it. Times are microseconds; metadata and the list of partitions are JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import AlreadyExists, LostRace
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.db.port import Database, Row
    from lakehouse.db.statement import Scalar


class DatasetRow(msgspec.Struct, frozen=True):
    """A dataset; `partitions` is the JSON list of the keys that its artifacts have values for."""

    id: int
    scope: bytes
    org: str
    project: str
    domain: str
    name: str
    version: str
    uuid: str
    metadata: str
    partitions: str
    created: int


class ArtifactRow(msgspec.Struct, frozen=True):
    """An artifact; `object` is the path of its data in the cache's repository."""

    number: int
    dataset: int
    id: str
    object: str
    metadata: str
    created: int
    updated: int


_DATASET = "id, scope, org, project, domain, name, version, uuid, metadata, partitions, created"
_ARTIFACT = "number, dataset, id, object, metadata, created, updated"


async def find_dataset(db: Database, scope: bytes) -> DatasetRow | None:
    """The dataset of a scope."""
    row = await db.one(f"select {_DATASET} from datasets where scope = ?", (scope,))
    return None if row is None else DatasetRow(*row)


async def dataset(db: Database, number: int) -> DatasetRow | None:
    """The dataset with this number."""
    row = await db.one(f"select {_DATASET} from datasets where id = ?", (number,))
    return None if row is None else DatasetRow(*row)


async def datasets(
    db: Database, where: Mapping[str, str], *, ascending: bool, limit: int, offset: int
) -> list[DatasetRow]:
    """A page of datasets whose columns have these values, by the time they were made."""
    known = [name for name in ("org", "project", "domain", "name", "version") if name in where]
    condition = " and ".join([f"{name} = ?" for name in known]) or "1 = 1"
    way = "asc" if ascending else "desc"
    rows = await db.all(
        f"select {_DATASET} from datasets where {condition} order by created {way}, id {way} limit ? offset ?",
        (*(where[name] for name in known), limit, offset),
    )
    return [DatasetRow(*row) for row in rows]


def insert_dataset(row: DatasetRow) -> Statement:
    """Add a dataset; its id is the database's. Raises AlreadyExists."""
    return Statement(
        "insert into datasets(scope, org, project, domain, name, version, uuid, metadata, partitions, created) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (scope) do nothing",
        msgspec.structs.astuple(row)[1:],
        rows=1,
        otherwise=AlreadyExists("the dataset is there already: not unique"),
    )


async def by_id(db: Database, identifier: str, *, of: int | None) -> ArtifactRow | None:
    """The artifact with this id, of one dataset or, with None, the newest of any."""
    condition, params = ("", ()) if of is None else (" and dataset = ?", (of,))
    row = await db.one(
        f"select {_ARTIFACT} from artifacts where id = ?{condition} order by created desc, number desc limit 1",
        (identifier, *params),
    )
    return None if row is None else ArtifactRow(*row)


async def by_tag(db: Database, of: int, tag: str) -> ArtifactRow | None:
    """The artifact of a dataset that has this tag."""
    row = await db.one(
        f"select {_ARTIFACT} from artifacts where number = "
        "(select artifact from artifact_tags where dataset = ? and name = ?)",
        (of, tag),
    )
    return None if row is None else ArtifactRow(*row)


async def of_dataset(
    db: Database,
    of: int,
    *,
    ids: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    partitions: tuple[tuple[str, str], ...] = (),
    ascending: bool,
    limit: int,
    offset: int,
) -> list[ArtifactRow]:
    """A page of artifacts that all of the filters let pass, by the time they were made."""
    conditions = ["dataset = ?"]
    params: list[Scalar] = [of]
    for identifier in ids:
        conditions.append("id = ?")
        params.append(identifier)
    for tag in tags:
        conditions.append("number in (select artifact from artifact_tags where dataset = ? and name = ?)")
        params += [of, tag]
    for key, value in partitions:
        conditions.append("number in (select artifact from artifact_partitions where key = ? and value = ?)")
        params += [key, value]
    way = "asc" if ascending else "desc"
    rows = await db.all(
        f"select {_ARTIFACT} from artifacts where {' and '.join(conditions)} "
        f"order by created {way}, number {way} limit ? offset ?",
        (*params, limit, offset),
    )
    return [ArtifactRow(*row) for row in rows]


async def partitions_of(db: Database, artifact: int) -> dict[str, str]:
    """Key and value of each partition."""
    return dict(
        _pair(row)
        for row in await db.all(
            "select key, value from artifact_partitions where artifact = ? order by key", (artifact,)
        )
    )


async def tags_of(db: Database, artifact: int) -> list[str]:
    """The tags of an artifact."""
    return [
        row[0] for row in await db.all("select name from artifact_tags where artifact = ? order by name", (artifact,))
    ]


def insert_artifact(row: ArtifactRow, partitions: Mapping[str, str]) -> list[Statement]:
    """Add an artifact with its partitions; its number is the database's. Raises AlreadyExists."""
    added = [
        Statement(
            "insert into artifacts(dataset, id, object, metadata, created, updated) values (?, ?, ?, ?, ?, ?) "
            "on conflict (dataset, id) do nothing",
            msgspec.structs.astuple(row)[1:],
            rows=1,
            otherwise=AlreadyExists("the artifact is there already: not unique"),
        )
    ]
    if partitions:
        added.append(
            Statement(
                "insert into artifact_partitions(artifact, key, value) "
                "select number, ?, ? from artifacts where dataset = ? and id = ?",
                many=tuple((key, value, row.dataset, row.id) for key, value in sorted(partitions.items())),
            )
        )
    return added


def replace(seen: ArtifactRow, *, object: str, metadata: str, updated: int) -> Statement:  # noqa: A002
    """New data and metadata for an artifact that is as it was seen. Raises LostRace."""
    return Statement(
        "update artifacts set object = ?, metadata = ?, updated = ? where number = ? and object = ?",
        (object, metadata, updated, seen.number, seen.object),
        rows=1,
        otherwise=LostRace(),
    )


def insert_tag(of: int, tag: str, artifact: int) -> Statement:
    """Tag an artifact. Raises AlreadyExists when the dataset has the tag, whichever artifact it is on."""
    return Statement(
        "insert into artifact_tags(dataset, name, artifact) values (?, ?, ?) on conflict (dataset, name) do nothing",
        (of, tag, artifact),
        rows=1,
        otherwise=AlreadyExists("the tag is there already: not unique"),
    )


def forget(seen: ArtifactRow) -> list[Statement]:
    """Remove an artifact that is as it was seen, with its tags and partitions. Raises LostRace."""
    return [
        Statement(
            "delete from artifacts where number = ? and object = ?",
            (seen.number, seen.object),
            rows=1,
            otherwise=LostRace(),
        ),
        Statement("delete from artifact_tags where artifact = ?", (seen.number,)),
        Statement("delete from artifact_partitions where artifact = ?", (seen.number,)),
    ]


def _pair(row: Row) -> tuple[str, str]:
    return row[0], row[1]
