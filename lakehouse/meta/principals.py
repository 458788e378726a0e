# SPDX-License-Identifier: Apache-2.0
"""Table `principals`: identities of other systems, each of which logs in as one user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.records import ExternalPrincipal
from lakehouse.db.statement import Statement
from lakehouse.meta.users import COLUMNS, user_of

if TYPE_CHECKING:
    from lakehouse.core.ids import UserId
    from lakehouse.core.records import User
    from lakehouse.db.port import Database, Row

_SELECT = (
    "select principals.name, users.name, principals.created, principals.settings "
    'from principals join users on users.id = principals."user" '
)
_settings = msgspec.json.Decoder(dict[str, object])


def _principal(row: Row) -> ExternalPrincipal:
    return ExternalPrincipal(row[0], row[1], row[2], _settings.decode(row[3]))


async def find(db: Database, name: str) -> ExternalPrincipal | None:
    """The principal with this name, or None."""
    row = await db.one(_SELECT + "where principals.name = ?", (name,))
    return None if row is None else _principal(row)


async def user_behind(db: Database, name: str) -> User | None:
    """The user that a principal logs in as, or None."""
    row = await db.one(
        f'select {COLUMNS} from users join principals on principals."user" = users.id where principals.name = ?',
        (name,),
    )
    return None if row is None else user_of(row)


async def of_user(db: Database, user: UserId, *, prefix: str, after: str, limit: int) -> list[ExternalPrincipal]:
    """Up to `limit` principals of a user with names that begin with `prefix` and follow `after`, by name."""
    rows = await db.all(
        _SELECT + "where users.id = ? and principals.name > ? and substr(principals.name, 1, length(?)) = ? "
        "order by principals.name limit ?",
        (user, after, prefix, prefix, limit),
    )
    return [_principal(row) for row in rows]


def insert(name: str, user: UserId, *, created: int, settings: dict[str, object], otherwise: Exception) -> Statement:
    """A new principal; refuses with `otherwise` when the name is taken. `created` in seconds."""
    return Statement(
        'insert into principals(name, "user", created, settings) values (?, ?, ?, ?) on conflict (name) do nothing',
        (name, user, created, msgspec.json.encode(settings).decode()),
        rows=1,
        otherwise=otherwise,
    )


def delete(name: str, user: UserId, *, otherwise: Exception) -> Statement:
    """Remove a principal of this user; refuses with `otherwise` when there is none."""
    return Statement('delete from principals where name = ? and "user" = ?', (name, user), rows=1, otherwise=otherwise)


def insert_for_named(name: str, user: str, *, created: int, otherwise: Exception) -> Statement:
    """A new principal of the user of this name; refuses with `otherwise` when the principal is taken."""
    return Statement(
        "insert into principals(name, \"user\", created, settings) select ?, id, ?, '{}' from users where name = ? "
        "on conflict (name) do nothing",
        (name, created, user),
        rows=1,
        otherwise=otherwise,
    )
