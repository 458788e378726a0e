# SPDX-License-Identifier: Apache-2.0
"""Tables `bucket_keys` and `bucket_grants`: lasting credentials under names, and the buckets that they are for.

What the keys may do, and their secret, is in `credentials`: where that row is gone, the credentials are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BucketCredentialsExist, CredentialsNotFound
from lakehouse.core.ids import UserId
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database, Row


class BucketKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials. `created` in milliseconds."""

    id: str
    owner: UserId
    name: str | None
    read_only: bool
    access_key_id: str
    created: int


_SELECT = (
    "select k.id, k.owner, k.name, k.read_only, k.access_key_id, k.created from bucket_keys k "
    "join credentials c on c.access_key_id = k.access_key_id where "
)


def _keys(row: Row) -> BucketKeys:
    return BucketKeys(
        id=row[0], owner=UserId(row[1]), name=row[2], read_only=bool(row[3]), access_key_id=row[4], created=row[5]
    )


async def find(db: Database, owner: UserId, id_or_name: str) -> BucketKeys | None:
    """A user's credentials of this id, or else of this name."""
    rows = await db.all(f"{_SELECT} k.owner = ? and (k.id = ? or k.name = ?)", (owner, id_or_name, id_or_name))
    found = [_keys(row) for row in rows]
    return next((one for one in found if one.id == id_or_name), found[0] if found else None)


async def page(db: Database, owner: UserId, *, after: str, limit: int) -> list[BucketKeys]:
    """A user's credentials in order of id, after `after`."""
    rows = await db.all(f"{_SELECT} k.owner = ? and k.id > ? order by k.id limit ?", (owner, after, limit))
    return [_keys(row) for row in rows]


async def for_bucket(db: Database, bucket: str) -> list[BucketKeys]:
    """All credentials that are for a bucket."""
    rows = await db.all(f"{_SELECT} k.id in (select keys from bucket_grants where bucket = ?) order by k.id", (bucket,))
    return [_keys(row) for row in rows]


async def buckets_of(db: Database, identifier: str) -> list[str]:
    """The ids of the buckets that credentials are for, in the order in which they were named."""
    rows = await db.all("select bucket from bucket_grants where keys = ? order by position", (identifier,))
    return [row[0] for row in rows]


def insert(keys: BucketKeys, buckets: list[str]) -> list[Statement]:
    """Add credentials. Raises BucketCredentialsExist when the owner has some of this name."""
    return [
        Statement(
            "delete from bucket_keys where owner = ? and name = ? and not exists "
            "(select 1 from credentials c where c.access_key_id = bucket_keys.access_key_id)",
            (keys.owner, keys.name),
        ),
        Statement(
            "insert into bucket_keys(id, owner, name, read_only, access_key_id, created) values (?, ?, ?, ?, ?, ?) "
            "on conflict (owner, name) do nothing",
            (keys.id, keys.owner, keys.name, int(keys.read_only), keys.access_key_id, keys.created),
            rows=1,
            otherwise=BucketCredentialsExist(),
        ),
        Statement(
            "insert into bucket_grants(keys, position, bucket) values (?, ?, ?)",
            many=tuple((keys.id, position, bucket) for position, bucket in enumerate(buckets)),
        ),
    ]


def delete(identifier: str) -> list[Statement]:
    """Forget credentials. Raises CredentialsNotFound."""
    return [
        Statement("delete from bucket_keys where id = ?", (identifier,), rows=1, otherwise=CredentialsNotFound()),
        Statement("delete from bucket_grants where keys = ?", (identifier,)),
    ]
