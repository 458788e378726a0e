# SPDX-License-Identifier: Apache-2.0
"""Tables `groups` and `memberships`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import GroupId
from lakehouse.core.records import Group, User
from lakehouse.db.statement import Statement
from lakehouse.meta import users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import UserId
    from lakehouse.db.port import Database, Row

_COLUMNS = "groups.id, groups.name, groups.description, groups.created"
_PAGE = "groups.name > ? and substr(groups.name, 1, length(?)) = ? order by groups.name limit ?"


def _group(row: Row) -> Group:
    return Group(GroupId(row[0]), row[1], row[2], row[3])


async def by_name(db: Database, name: str) -> Group | None:
    """The group with this name, or None."""
    row = await db.one(f"select {_COLUMNS} from groups where name = ?", (name,))
    return None if row is None else _group(row)


async def page(db: Database, *, prefix: str, after: str, limit: int) -> list[Group]:
    """Up to `limit` groups with names that begin with `prefix` and follow `after`, by name."""
    rows = await db.all(f"select {_COLUMNS} from groups where {_PAGE}", (after, prefix, prefix, limit))
    return [_group(row) for row in rows]


async def of_user(db: Database, user: UserId, *, prefix: str, after: str, limit: int) -> list[Group]:
    """The same, of the groups that a user is in."""
    rows = await db.all(
        f'select {_COLUMNS} from groups join memberships m on m."group" = groups.id where m."user" = ? and {_PAGE}',
        (user, after, prefix, prefix, limit),
    )
    return [_group(row) for row in rows]


async def members(db: Database, group: GroupId, *, prefix: str, after: str, limit: int) -> list[User]:
    """The same, of the users who are in a group."""
    rows = await db.all(
        f'select {users.COLUMNS} from users join memberships m on m."user" = users.id where m."group" = ? '
        "and users.name > ? and substr(users.name, 1, length(?)) = ? order by users.name limit ?",
        (group, after, prefix, prefix, limit),
    )
    return [users.user_of(row) for row in rows]


def insert(name: str, *, description: str, created: int, otherwise: Exception) -> Statement:
    """A new group (RETURNING its id); refuses with `otherwise` when the name is taken. `created` in seconds."""
    return Statement(
        "insert into groups(name, description, created) values (?, ?, ?) on conflict (name) do nothing returning id",
        (name, description, created),
        rows=1,
        otherwise=otherwise,
    )


def insert_missing(names: Sequence[tuple[str, str]], *, created: int) -> Statement:
    """Groups by name and description, but for those that are there."""
    return Statement(
        "insert into groups(name, description, created) values (?, ?, ?) on conflict (name) do nothing",
        many=tuple((name, description, created) for name, description in names),
    )


def require(group: GroupId, *, otherwise: Exception) -> Statement:
    """Refuse with `otherwise` when the group is gone."""
    return Statement("select id from groups where id = ?", (group,), rows=1, otherwise=otherwise)


def delete(group: GroupId, *, otherwise: Exception) -> tuple[Statement, ...]:
    """Remove a group, what it had and who was in it; refuses with `otherwise` when it is gone."""
    return (
        Statement("delete from groups where id = ?", (group,), rows=1, otherwise=otherwise),
        Statement('delete from memberships where "group" = ?', (group,)),
        Statement('delete from group_policies where "group" = ?', (group,)),
    )


def add_member(group: GroupId, user: UserId) -> Statement:
    """Make a user a member, on an administrator's word."""
    return Statement(
        'insert into memberships("user", "group", source) values (?, ?, \'\') '
        'on conflict ("user", "group") do update set source = \'\'',
        (user, group),
    )


def add_to_named(group: str, user: UserId) -> Statement:
    """Make a user a member of the group of this name, if there is one."""
    return Statement(
        'insert into memberships("user", "group", source) select ?, id, \'\' from groups where name = ? '
        'on conflict ("user", "group") do nothing',
        (user, group),
    )


def add_everybody(group: str) -> Statement:
    """Make all users members of the group of this name."""
    return Statement(
        'insert into memberships("user", "group", source) select users.id, groups.id, \'\' from users, groups '
        'where groups.name = ? on conflict ("user", "group") do nothing',
        (group,),
    )


def remove_member(group: GroupId, user: UserId) -> Statement:
    """Take a user out of a group."""
    return Statement('delete from memberships where "user" = ? and "group" = ?', (user, group))


def provided(user: UserId, names: Sequence[str], *, source: str) -> tuple[Statement, ...]:
    """Make the memberships that `source` keeps be exactly the groups of these names that exist.

    Memberships of other sources stay.
    """
    return (
        Statement('delete from memberships where "user" = ? and source = ?', (user, source)),
        Statement(
            'insert into memberships("user", "group", source) select ?, id, ? from groups where name = ? '
            'on conflict ("user", "group") do nothing',
            many=tuple((user, source, name) for name in names),
        ),
    )


async def names_from(db: Database, user: UserId, *, source: str) -> list[str]:
    """The groups that a user is in by the word of `source`."""
    rows = await db.all(
        'select groups.name from groups join memberships m on m."group" = groups.id '
        'where m."user" = ? and m.source = ?',
        (user, source),
    )
    return [row[0] for row in rows]


async def existing(db: Database, names: Sequence[str], user: UserId, *, source: str) -> set[str]:
    """Those of `names` that are groups in which the user is not by another's word than that of `source`."""
    found = set()
    for name in names:
        row = await db.one(
            "select 1 from groups where name = ? and not exists (select 1 from memberships m "
            'where m."group" = groups.id and m."user" = ? and m.source <> ?)',
            (name, user, source),
        )
        if row is not None:
            found.add(name)
    return found
