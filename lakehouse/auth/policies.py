# SPDX-License-Identifier: Apache-2.0
"""Policies, and who has them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lakehouse.auth.directory import Directory, Window, page_of
from lakehouse.auth.rules import check_statements
from lakehouse.core.errors import GroupNotFound, PolicyExists, PolicyNotFound, UserNotFound
from lakehouse.core.ids import parse_policy_name
from lakehouse.meta import groups, policies, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.records import Page, Policy, PolicyStatement


async def list_policies(directory: Directory, window: Window) -> Page[Policy]:
    """Policies in order of their names."""
    fetch = partial(policies.page, directory.db, prefix=window.prefix, after=window.after)
    return await page_of(lambda limit: fetch(limit=limit), window)


async def create_policy(directory: Directory, name: str, statements: Sequence[PolicyStatement]) -> Policy:
    """A policy that nobody has yet. Raises InvalidName, InvalidPolicy, PolicyExists."""
    parse_policy_name(name)
    check_statements(statements)
    await directory.change(policies.insert(name, statements, created=directory.now, otherwise=PolicyExists()))
    return await directory.policy(name)


async def update_policy(directory: Directory, name: str, statements: Sequence[PolicyStatement]) -> Policy:
    """Other statements for everybody who has the policy. Raises InvalidPolicy, PolicyNotFound."""
    check_statements(statements)
    policy = await directory.policy(name)
    await directory.change(policies.replace(policy.id, statements, otherwise=PolicyNotFound()))
    return await directory.policy(name)


async def delete_policy(directory: Directory, name: str) -> None:
    """Remove a policy; whoever has it loses what it allowed, and what it denied is denied no more.

    Raises PolicyNotFound.
    """
    policy = await directory.policy(name)
    await directory.change(*policies.delete(policy.id, otherwise=PolicyNotFound()))


async def attach_to_user(directory: Directory, policy_name: str, user_name: str) -> None:
    """Give a user a policy; a repeat is harmless. Raises UserNotFound, PolicyNotFound."""
    user, policy = await directory.user(user_name), await directory.policy(policy_name)
    await directory.change(
        users.require(user.id, otherwise=UserNotFound()),
        policies.require(policy.id, otherwise=PolicyNotFound()),
        policies.attach_to_user(policy.id, user.id),
    )


async def detach_from_user(directory: Directory, policy_name: str, user_name: str) -> None:
    """Take a policy from a user; a repeat is harmless. Raises UserNotFound, PolicyNotFound."""
    user, policy = await directory.user(user_name), await directory.policy(policy_name)
    await directory.change(policies.detach_from_user(policy.id, user.id))


async def attach_to_group(directory: Directory, policy_name: str, group_name: str) -> None:
    """Give a group a policy; a repeat is harmless. Raises GroupNotFound, PolicyNotFound."""
    group, policy = await directory.group(group_name), await directory.policy(policy_name)
    await directory.change(
        groups.require(group.id, otherwise=GroupNotFound()),
        policies.require(policy.id, otherwise=PolicyNotFound()),
        policies.attach_to_group(policy.id, group.id),
    )


async def detach_from_group(directory: Directory, policy_name: str, group_name: str) -> None:
    """Take a policy from a group; a repeat is harmless. Raises GroupNotFound, PolicyNotFound."""
    group, policy = await directory.group(group_name), await directory.policy(policy_name)
    await directory.change(policies.detach_from_group(policy.id, group.id))
