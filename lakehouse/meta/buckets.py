# SPDX-License-Identifier: Apache-2.0
"""Table `buckets`: repositories under names of projects, and buckets of other stores.

A bucket whose repository is gone is gone too, and its name is free, whoever removed the repository.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BucketExists, BucketNotFound
from lakehouse.core.ids import BranchName, RepositoryId, RepositoryName, UserId
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database, Row

_metadata = msgspec.json.Decoder(dict[str, str])


class Home(msgspec.Struct, frozen=True):
    """The repository that a bucket is."""

    id: RepositoryId
    name: RepositoryName
    branch: BranchName
    metadata: dict[str, str] = {}


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket. `owner_name` is "" when that user is gone; `created` in milliseconds.

    Without `home` it is one of another store: `place` is its name there, and `secret` its credentials, encrypted.
    """

    id: str
    org: str
    project: str
    name: str | None
    owner: UserId
    owner_name: str
    provider: str
    created: int
    home: Home | None = None
    place: str = ""
    secret: bytes = b""
    key_id: str = ""


_COLUMNS = (
    "b.id, b.org, b.project, b.name, b.owner, u.name, b.provider, b.created, b.place, b.secret, b.key_id, "
    "r.id, r.name, r.default_branch, r.metadata"
)
_SELECT = (
    f"select {_COLUMNS} from buckets b left join users u on u.id = b.owner "
    "left join repositories r on r.id = b.repository and r.state = 'active' "
    "where (b.repository is null or r.id is not null) and "
)


def _bucket(row: Row) -> Bucket:
    home = None
    if row[11] is not None:
        home = Home(RepositoryId(row[11]), RepositoryName(row[12]), BranchName(row[13]), _metadata.decode(row[14]))
    return Bucket(
        id=row[0],
        org=row[1],
        project=row[2],
        name=row[3],
        owner=UserId(row[4]),
        owner_name=row[5] or "",
        provider=row[6],
        created=row[7],
        place=row[8],
        secret=row[9] or b"",
        key_id=row[10],
        home=home,
    )


async def by_id(db: Database, identifier: str) -> Bucket | None:
    """The bucket of this id, or None."""
    row = await db.one(f"{_SELECT} b.id = ?", (identifier,))
    return None if row is None else _bucket(row)


async def by_name(db: Database, *, org: str, project: str, name: str) -> Bucket | None:
    """The bucket of this name in a project, or else one of this name whose owner is called like the project."""
    row = await db.one(f"{_SELECT} b.org = ? and b.project = ? and b.name = ?", (org, project, name))
    if row is None:
        row = await db.one(f"{_SELECT} b.org = ? and b.name = ? and u.name = ? order by b.id", (org, name, project))
    return None if row is None else _bucket(row)


async def page(db: Database, *, after: str, limit: int, org: str | None, project: str | None) -> list[Bucket]:
    """Buckets in order of id, after `after`; of an organization and a project, or of all where that is None."""
    rows = await db.all(
        f"{_SELECT} b.id > ? and b.org = coalesce(?, b.org) and b.project = coalesce(?, b.project) "
        "order by b.id limit ?",
        (after, org, project, limit),
    )
    return [_bucket(row) for row in rows]


def insert(bucket: Bucket, repository: RepositoryId | None) -> Statement:
    """Add a bucket. Raises BucketExists when the name is taken by one that is there."""
    return Statement(
        "insert into buckets(id, repository, org, project, name, owner, provider, created, place, secret, key_id) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (org, project, name) do update set id = excluded.id, "
        "repository = excluded.repository, owner = excluded.owner, provider = excluded.provider, "
        "created = excluded.created, place = excluded.place, secret = excluded.secret, key_id = excluded.key_id "
        "where buckets.repository is not null and not exists "
        "(select 1 from repositories r where r.id = buckets.repository and r.state <> 'deleting')",
        (
            bucket.id,
            repository,
            bucket.org,
            bucket.project,
            bucket.name,
            bucket.owner,
            bucket.provider,
            bucket.created,
            bucket.place,
            bucket.secret or None,
            bucket.key_id,
        ),
        rows=1,
        otherwise=BucketExists(),
    )


def delete(identifier: str) -> list[Statement]:
    """Forget a bucket and that credentials are for it. Raises BucketNotFound."""
    return [
        Statement("delete from buckets where id = ?", (identifier,), rows=1, otherwise=BucketNotFound()),
        Statement("delete from bucket_grants where bucket = ?", (identifier,)),
    ]


async def not_under(db: Database, key_id: str, *, after: str, limit: int = 200) -> list[Bucket]:
    """Buckets of other stores whose credentials are encrypted with another key than `key_id`, in order of id."""
    where = "b.repository is null and b.key_id <> ? and b.id > ? order by b.id limit ?"
    rows = await db.all(f"{_SELECT} {where}", (key_id, after, limit))
    return [_bucket(row) for row in rows]


def replace_secret(identifier: str, *, secret: bytes, key_id: str, old: bytes) -> Statement:
    """Put a new ciphertext in place of `old`; nothing happens when that changed meanwhile."""
    return Statement(
        "update buckets set secret = ?, key_id = ? where id = ? and secret = ?", (secret, key_id, identifier, old)
    )
