# SPDX-License-Identifier: Apache-2.0
"""Access key pairs as they are stored: the secret only as ciphertext, with the id of the key that it needs.

What a pair is narrowed to comes with its user, so that nobody who looks a pair up can forget it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import User
from lakehouse.db.statement import Statement
from lakehouse.meta.users import COLUMNS, user_of

if TYPE_CHECKING:
    from lakehouse.core.ids import UserId
    from lakehouse.db.port import Database, Row


class Stored(msgspec.Struct, frozen=True):
    """A row: `secret` is encrypted with the master key `key_id`; `created` in seconds."""

    access_key_id: str
    secret: bytes
    key_id: str
    created: int
    user: User


_SELECT = (
    f"select access_key_id, secret, key_id, credentials.created, credentials.scope, {COLUMNS} "
    'from credentials join users on users.id = credentials."user" '
)
_BY_ACCESS_KEY = _SELECT + "where access_key_id = ?"


@lru_cache(maxsize=1024)
def _stored(row: Row) -> Stored:
    user = user_of(row[5:])
    return Stored(row[0], row[1], row[2], row[3], msgspec.structs.replace(user, scope=row[4]) if row[4] else user)


async def by_access_key(db: Database, access_key_id: str) -> Stored | None:
    """The pair with this id and whose it is, in one read; None when there is none."""
    row = await db.one(_BY_ACCESS_KEY, (access_key_id,))
    return None if row is None else _stored(row)


async def of_user(db: Database, user: UserId, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Stored]:
    """Up to `limit` pairs of a user with ids that begin with `prefix` and follow `after`, by id."""
    rows = await db.all(
        _SELECT + "where users.id = ? and access_key_id > ? and substr(access_key_id, 1, length(?)) = ? "
        "order by access_key_id limit ?",
        (user, after, prefix, prefix, limit),
    )
    return [_stored(row) for row in rows]


async def not_under(db: Database, key_id: str, *, limit: int = 1000) -> list[Stored]:
    """Pairs whose secret is encrypted with another key than `key_id`."""
    rows = await db.all(_SELECT + "where key_id <> ? order by access_key_id limit ?", (key_id, limit))
    return [_stored(row) for row in rows]


def insert(row: Stored, *, otherwise: Exception) -> Statement:
    """A new pair; refuses with `otherwise` when the id is taken."""
    return Statement(
        'insert into credentials(access_key_id, "user", secret, key_id, created, scope) values (?, ?, ?, ?, ?, ?) '
        "on conflict (access_key_id) do nothing",
        (row.access_key_id, row.user.id, row.secret, row.key_id, row.created, row.user.scope),
        rows=1,
        otherwise=otherwise,
    )


def delete(access_key_id: str, user: UserId, *, otherwise: Exception) -> Statement:
    """Remove a pair of this user; refuses with `otherwise` when there is none."""
    return Statement(
        'delete from credentials where access_key_id = ? and "user" = ?',
        (access_key_id, user),
        rows=1,
        otherwise=otherwise,
    )


def set_scope(access_key_id: str, user: UserId, scope: str, *, otherwise: Exception) -> Statement:
    """Narrow a pair of this user; refuses with `otherwise` when there is none."""
    return Statement(
        'update credentials set scope = ? where access_key_id = ? and "user" = ?',
        (scope, access_key_id, user),
        rows=1,
        otherwise=otherwise,
    )


def replace_secrets(rows: list[Stored], *, old: list[bytes]) -> Statement:
    """Put new ciphertexts in place of `old`; a pair that changed meanwhile is left alone."""
    return Statement(
        "update credentials set secret = ?, key_id = ? where access_key_id = ? and secret = ?",
        many=tuple((row.secret, row.key_id, row.access_key_id, was) for row, was in zip(rows, old, strict=True)),
    )
