# SPDX-License-Identifier: Apache-2.0
"""Tables `policies`, `user_policies` and `group_policies`, and the number that tells when any of it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import PolicyId
from lakehouse.core.records import Policy, PolicyStatement
from lakehouse.db.statement import Statement
from lakehouse.meta import installation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import GroupId, UserId
    from lakehouse.db.port import Database, Row

_VERSION = "auth_version"
_COLUMNS = "policies.id, policies.name, policies.created, policies.document, policies.acl"
_PAGE = "policies.name > ? and substr(policies.name, 1, length(?)) = ? order by policies.name limit ?"
_EFFECTIVE = (
    'policies.id in (select policy from user_policies where "user" = ? union select g.policy from group_policies g '
    'join memberships m on m."group" = g."group" where m."user" = ?)'
)
_document = msgspec.json.Decoder(tuple[PolicyStatement, ...])


def _policy(row: Row) -> Policy:
    return Policy(PolicyId(row[0]), row[1], row[2], _document.decode(row[3]), row[4])


# -- when it changed ---------------------------------------------------------------------------------------------------


async def version(db: Database) -> int:
    """Grows with every change of users, groups, policies and who has which."""
    return int(await installation.find(db, _VERSION) or 0)


def touch() -> Statement:
    """Let the version grow. First in its transaction: changes of this kind then take turns."""
    return Statement(
        "insert into installation(key, value) values (?, '1') on conflict (key) "
        "do update set value = cast(cast(installation.value as bigint) + 1 as text)",
        (_VERSION,),
    )


# -- reading -----------------------------------------------------------------------------------------------------------


async def by_name(db: Database, name: str) -> Policy | None:
    """The policy with this name, or None."""
    row = await db.one(f"select {_COLUMNS} from policies where name = ?", (name,))
    return None if row is None else _policy(row)


async def page(db: Database, *, prefix: str, after: str, limit: int) -> list[Policy]:
    """Up to `limit` policies with names that begin with `prefix` and follow `after`, by name."""
    rows = await db.all(f"select {_COLUMNS} from policies where {_PAGE}", (after, prefix, prefix, limit))
    return [_policy(row) for row in rows]


async def of_user(db: Database, user: UserId, *, prefix: str, after: str, limit: int) -> list[Policy]:
    """The same, of those that are attached to a user."""
    rows = await db.all(
        f"select {_COLUMNS} from policies join user_policies u on u.policy = policies.id "
        f'where u."user" = ? and {_PAGE}',
        (user, after, prefix, prefix, limit),
    )
    return [_policy(row) for row in rows]


async def effective(db: Database, user: UserId, *, prefix: str, after: str, limit: int) -> list[Policy]:
    """The same, of those that count for a user: attached, or a group's."""
    rows = await db.all(
        f"select {_COLUMNS} from policies where {_EFFECTIVE} and {_PAGE}", (user, user, after, prefix, prefix, limit)
    )
    return [_policy(row) for row in rows]


async def all_effective(db: Database, user: UserId) -> list[Policy]:
    """Every policy that counts for a user, in one read."""
    return [_policy(row) for row in await db.all(f"select {_COLUMNS} from policies where {_EFFECTIVE}", (user, user))]


async def of_group(db: Database, group: GroupId, *, prefix: str = "", after: str = "", limit: int) -> list[Policy]:
    """A page of the policies that are attached to a group, by name."""
    rows = await db.all(
        f"select {_COLUMNS} from policies join group_policies g on g.policy = policies.id "
        f'where g."group" = ? and {_PAGE}',
        (group, after, prefix, prefix, limit),
    )
    return [_policy(row) for row in rows]


# -- writing -----------------------------------------------------------------------------------------------------------


def document_of(statements: Sequence[PolicyStatement]) -> str:
    """Statements as they are stored."""
    return msgspec.json.encode(statements).decode()


def insert(name: str, statements: Sequence[PolicyStatement], *, created: int, otherwise: Exception) -> Statement:
    """A new policy; refuses with `otherwise` when the name is taken. `created` in seconds."""
    return Statement(
        "insert into policies(name, created, document, acl) values (?, ?, ?, '') on conflict (name) do nothing",
        (name, created, document_of(statements)),
        rows=1,
        otherwise=otherwise,
    )


def insert_missing(policies: Sequence[tuple[str, Sequence[PolicyStatement]]], *, created: int) -> Statement:
    """Policies by name, but for those that are there."""
    return Statement(
        "insert into policies(name, created, document, acl) values (?, ?, ?, '') on conflict (name) do nothing",
        many=tuple((name, created, document_of(statements)) for name, statements in policies),
    )


def replace(policy: PolicyId, statements: Sequence[PolicyStatement], *, otherwise: Exception) -> Statement:
    """New statements for a policy, which then is no ACL any more; refuses with `otherwise` when it is gone."""
    return Statement(
        "update policies set document = ?, acl = '' where id = ?",
        (document_of(statements), policy),
        rows=1,
        otherwise=otherwise,
    )


def put_acl(name: str, statements: Sequence[PolicyStatement], *, acl: str, created: int) -> Statement:
    """The policy of this name that stands for the permission `acl`, whether it was there or not."""
    return Statement(
        "insert into policies(name, created, document, acl) values (?, ?, ?, ?) "
        "on conflict (name) do update set document = excluded.document, acl = excluded.acl",
        (name, created, document_of(statements), acl),
    )


def require(policy: PolicyId, *, otherwise: Exception) -> Statement:
    """Refuse with `otherwise` when the policy is gone."""
    return Statement("select id from policies where id = ?", (policy,), rows=1, otherwise=otherwise)


def delete(policy: PolicyId, *, otherwise: Exception) -> tuple[Statement, ...]:
    """Remove a policy, from everybody who has it too; refuses with `otherwise` when it is gone."""
    return (
        Statement("delete from policies where id = ?", (policy,), rows=1, otherwise=otherwise),
        Statement("delete from user_policies where policy = ?", (policy,)),
        Statement("delete from group_policies where policy = ?", (policy,)),
    )


def attach_to_user(policy: PolicyId, user: UserId) -> Statement:
    """Give a user a policy."""
    return Statement(
        'insert into user_policies("user", policy) values (?, ?) on conflict ("user", policy) do nothing',
        (user, policy),
    )


def attach_to_named_user(policy: str, user: str) -> Statement:
    """Give a user a policy, both by name."""
    return Statement(
        'insert into user_policies("user", policy) select users.id, policies.id from users, policies '
        'where users.name = ? and policies.name = ? on conflict ("user", policy) do nothing',
        (user, policy),
    )


def detach_from_user(policy: PolicyId, user: UserId) -> Statement:
    """Take a policy from a user."""
    return Statement('delete from user_policies where "user" = ? and policy = ?', (user, policy))


def attach_to_group(policy: PolicyId, group: GroupId) -> Statement:
    """Give a group a policy."""
    return Statement(
        'insert into group_policies("group", policy) values (?, ?) on conflict ("group", policy) do nothing',
        (group, policy),
    )


def detach_from_group(policy: PolicyId, group: GroupId) -> Statement:
    """Take a policy from a group."""
    return Statement('delete from group_policies where "group" = ? and policy = ?', (group, policy))


def attach_named(pairs: Sequence[tuple[str, str]]) -> Statement:
    """Give groups policies, both by name: (group, policy)."""
    return Statement(
        'insert into group_policies("group", policy) select groups.id, policies.id from groups, policies '
        'where groups.name = ? and policies.name = ? on conflict ("group", policy) do nothing',
        many=tuple(pairs),
    )


def only_of_group(group: GroupId, policy: str) -> tuple[Statement, Statement]:
    """Let a group have the policy of this name and no other."""
    return (
        Statement('delete from group_policies where "group" = ?', (group,)),
        Statement(
            'insert into group_policies("group", policy) select ?, id from policies where name = ?', (group, policy)
        ),
    )
