# SPDX-License-Identifier: Apache-2.0
"""Handlers: groups, who is in them, and what they may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import identities
from lakehouse.auth import acl, groups, policies
from lakehouse.wire.groups import ACL

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.groups import Group, GroupCreation, GroupList
    from lakehouse.wire.paging import PageQuery
    from lakehouse.wire.policies import PolicyList


async def list_groups(services: Services, call: Call[PageQuery, None]) -> GroupList:
    return identities.group_list(await groups.list_groups(services.directory, identities.window(call.query)))


async def create_group(services: Services, call: Call[None, GroupCreation]) -> Group:
    description = "" if call.body.description is UNSET else call.body.description
    return identities.group(await groups.create_group(services.directory, call.body.id, description=description))


async def get_group(services: Services, call: Call[None, None]) -> Group:
    return identities.group(await services.directory.group(call.path["groupId"]))


async def delete_group(services: Services, call: Call[None, None]) -> None:
    await groups.delete_group(services.directory, call.path["groupId"])


async def add_group_membership(services: Services, call: Call[None, None]) -> None:
    await groups.add_member(services.directory, call.path["groupId"], call.path["userId"])


async def delete_group_membership(services: Services, call: Call[None, None]) -> None:
    await groups.remove_member(services.directory, call.path["groupId"], call.path["userId"])


async def list_group_policies(services: Services, call: Call[PageQuery, None]) -> PolicyList:
    page = await groups.list_policies(services.directory, call.path["groupId"], identities.window(call.query))
    return identities.policy_list(page)


async def attach_policy_to_group(services: Services, call: Call[None, None]) -> None:
    await policies.attach_to_group(services.directory, call.path["policyId"], call.path["groupId"])


async def detach_policy_from_group(services: Services, call: Call[None, None]) -> None:
    await policies.detach_from_group(services.directory, call.path["policyId"], call.path["groupId"])


async def set_group_acl(services: Services, call: Call[None, ACL]) -> None:
    await acl.put(services.directory, call.path["groupId"], call.body.permission)


async def get_group_acl(services: Services, call: Call[None, None]) -> ACL:
    return ACL(await acl.get(services.directory, call.path["groupId"]))
