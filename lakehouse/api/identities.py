# SPDX-License-Identifier: Apache-2.0
"""Users, groups and policies as they go over the wire. Their lists say `max_per_page` 0, as clients know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.auth.directory import Window
from lakehouse.core import records
from lakehouse.wire.auth import User
from lakehouse.wire.groups import Group, GroupList
from lakehouse.wire.paging import Pagination
from lakehouse.wire.policies import Policy, PolicyList, Statement
from lakehouse.wire.users import UserList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.wire.paging import PageQuery


def window(query: PageQuery) -> Window:
    """The part of a list that a request asks for."""
    return Window(query.prefix, query.after, query.limit)


def pagination(page: records.Page[Any], *, last: str) -> Pagination:
    """The description of a page whose last item has the key `last`."""
    return Pagination(page.has_more, last if page.has_more else "", len(page.items), max_per_page=0)


def user(record: records.User) -> User:
    """A user; whoever has no friendly name goes by the user name."""
    return User(
        id=record.name,
        creation_date=record.created,
        friendly_name=record.friendly_name or record.name,
        email=record.email or UNSET,
    )


def user_list(page: records.Page[records.User]) -> UserList:
    """A page of users."""
    return UserList(_pages(page), [user(one) for one in page.items])


def group(record: records.Group) -> Group:
    """A group; its name is its id."""
    return Group(
        id=record.name, name=record.name, creation_date=record.created, description=record.description or UNSET
    )


def group_list(page: records.Page[records.Group]) -> GroupList:
    """A page of groups."""
    return GroupList(_pages(page), [group(one) for one in page.items])


def policy(record: records.Policy) -> Policy:
    """A policy with its statements as they were written."""
    return Policy(
        id=record.name,
        creation_date=record.created,
        statement=[
            Statement(
                effect=one.effect.value,
                resource=one.resource,
                action=list(one.action),
                condition=one.condition or UNSET,
            )
            for one in record.statements
        ],
    )


def policy_list(page: records.Page[records.Policy]) -> PolicyList:
    """A page of policies."""
    return PolicyList(_pages(page), [policy(one) for one in page.items])


def statements(sent: Sequence[Statement]) -> tuple[records.PolicyStatement, ...]:
    """Statements as the engine has them."""
    return tuple(
        records.PolicyStatement(
            records.Effect(one.effect),
            tuple(one.action),
            one.resource,
            {} if one.condition is UNSET else one.condition,
        )
        for one in sent
    )


def _pages(page: records.Page[Any]) -> Pagination:
    return pagination(page, last=page.items[-1].name if page.items else "")
