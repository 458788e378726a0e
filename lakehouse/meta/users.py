# SPDX-License-Identifier: Apache-2.0
"""Users. Ids are never used again; a name is one column and may go to somebody else later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import UserId
from lakehouse.core.records import User
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.db.port import Database, Row

_OWNED = ("credentials", "memberships", "user_policies", "principals")
"""Tables whose rows belong to a user."""
COLUMNS = "users.id, users.name, users.created, users.email, users.friendly_name, users.valid_after"


def user_of(row: Row) -> User:
    """A record from the columns `COLUMNS`, in their order."""
    return User(
        id=UserId(row[0]),
        name=row[1],
        created=row[2],
        email=row[3] or "",
        friendly_name=row[4] or "",
        valid_after=row[5] or 0,
    )


async def by_id(db: Database, user: UserId) -> User | None:
    """The user with this id, or None."""
    row = await db.one(f"select {COLUMNS} from users where id = ?", (user,))
    return None if row is None else user_of(row)


async def by_name(db: Database, name: str) -> User | None:
    """The user with this name, or None."""
    row = await db.one(f"select {COLUMNS} from users where name = ?", (name,))
    return None if row is None else user_of(row)


async def page(db: Database, *, prefix: str = "", after: str = "", limit: int) -> list[User]:
    """Up to `limit` users with names that begin with `prefix` and follow `after`, by name."""
    rows = await db.all(
        f"select {COLUMNS} from users where name > ? and substr(name, 1, length(?)) = ? order by name limit ?",
        (after, prefix, prefix, limit),
    )
    return [user_of(row) for row in rows]


def insert_unless(key: str, value: str, *, name: str, created: int, otherwise: Exception) -> Statement:
    """A user, or the one that has this name already; refuses while the installation's `key` has `value`.

    Returns the id (RETURNING). `created` in seconds.
    """
    return Statement(
        "insert into users(name, email, friendly_name, created, valid_after) select ?, '', '', ?, 0 "
        "where not exists (select 1 from installation where key = ? and value = ?) "
        "on conflict (name) do update set name = excluded.name returning id",
        (name, created, key, value),
        rows=1,
        otherwise=otherwise,
    )


def describe(user: UserId, *, email: str, friendly_name: str, otherwise: Exception) -> Statement:
    """Set what people see of a user; refuses with `otherwise` when the user is gone."""
    return Statement(
        "update users set email = ?, friendly_name = ? where id = ?",
        (email, friendly_name, user),
        rows=1,
        otherwise=otherwise,
    )


def delete_without_keys(user: UserId) -> Statement:
    """Remove a user who has no access key."""
    return Statement(
        'delete from users where id = ? and not exists (select 1 from credentials where credentials."user" = users.id)',
        (user,),
    )


def keep_only(user: UserId) -> tuple[Statement, ...]:
    """Remove all other users, and everybody's keys and rights."""
    return (
        *(Statement(f"delete from {table}") for table in _OWNED),
        Statement("delete from users where id <> ?", (user,)),
    )


def insert(name: str, *, email: str, friendly_name: str, created: int, otherwise: Exception) -> Statement:
    """A new user (RETURNING the id); refuses with `otherwise` when the name is taken. `created` in seconds."""
    return Statement(
        "insert into users(name, email, friendly_name, created, valid_after) values (?, ?, ?, ?, 0) "
        "on conflict (name) do nothing returning id",
        (name, email, friendly_name, created),
        rows=1,
        otherwise=otherwise,
    )


def require(user: UserId, *, otherwise: Exception) -> Statement:
    """Refuse with `otherwise` when the user is gone."""
    return Statement("select id from users where id = ?", (user,), rows=1, otherwise=otherwise)


def delete(user: UserId, *, otherwise: Exception) -> tuple[Statement, ...]:
    """Remove a user with all keys, memberships, policies and principals; refuses with `otherwise` when gone."""
    return (
        Statement("delete from users where id = ?", (user,), rows=1, otherwise=otherwise),
        *(Statement(f'delete from {table} where "user" = ?', (user,)) for table in _OWNED),
    )


def revoke_tokens(user: UserId, *, before: int) -> Statement:
    """Void the tokens that this user was given before the second `before`."""
    return Statement("update users set valid_after = ? where id = ?", (before, user))
