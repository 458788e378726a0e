# SPDX-License-Identifier: Apache-2.0
"""Groups and who is in them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lakehouse.auth.directory import Directory, Window, page_of
from lakehouse.core.errors import GroupExists, GroupNotFound, UserNotFound
from lakehouse.core.ids import GroupId, parse_group_name
from lakehouse.core.records import Group, Page, Policy, User
from lakehouse.meta import groups, policies, users

if TYPE_CHECKING:
    from lakehouse.db.statement import Statement


async def list_groups(directory: Directory, window: Window) -> Page[Group]:
    """Groups in order of their names."""
    fetch = partial(groups.page, directory.db, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def create_group(directory: Directory, name: str, *, description: str = "") -> Group:
    """A group of nobody that may do nothing. Raises InvalidName, GroupExists."""
    parse_group_name(name)
    created = directory.now
    [[row]] = await directory.change(
        groups.insert(name, description=description, created=created, otherwise=GroupExists())
    )
    return Group(GroupId(row[0]), name, description, created)


async def delete_group(directory: Directory, name: str) -> None:
    """Remove a group; its members lose what it gave them. Raises GroupNotFound."""
    group = await directory.group(name)
    await directory.change(*groups.delete(group.id, otherwise=GroupNotFound()))


async def list_members(directory: Directory, name: str, window: Window) -> Page[User]:
    """The users in a group. Raises GroupNotFound."""
    group = await directory.group(name)
    fetch = partial(groups.members, directory.db, group.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def list_policies(directory: Directory, name: str, window: Window) -> Page[Policy]:
    """The policies of a group. Raises GroupNotFound."""
    group = await directory.group(name)
    fetch = partial(policies.of_group, directory.db, group.id, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def add_member(directory: Directory, name: str, user_name: str) -> None:
    """Make a user a member; a repeat is harmless. Raises GroupNotFound, UserNotFound."""
    group, user, *still_there = await _both(directory, name, user_name)
    await directory.change(*still_there, groups.add_member(group.id, user.id))


async def remove_member(directory: Directory, name: str, user_name: str) -> None:
    """Take a user out of a group; a repeat is harmless. Raises GroupNotFound, UserNotFound."""
    group, user, *_ = await _both(directory, name, user_name)
    await directory.change(groups.remove_member(group.id, user.id))


async def _both(directory: Directory, name: str, user_name: str) -> tuple[Group, User, Statement, Statement]:
    group, user = await directory.group(name), await directory.user(user_name)
    return (
        group,
        user,
        groups.require(group.id, otherwise=GroupNotFound()),
        users.require(user.id, otherwise=UserNotFound()),
    )
