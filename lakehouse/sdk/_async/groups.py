# SPDX-License-Identifier: Apache-2.0
"""Groups, their policies and one-word permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.sdk.requests import given
from lakehouse.wire.groups import (
    ACL,
    ADD_GROUP_MEMBERSHIP,
    ATTACH_POLICY_TO_GROUP,
    CREATE_GROUP,
    DELETE_GROUP,
    DELETE_GROUP_MEMBERSHIP,
    DETACH_POLICY_FROM_GROUP,
    GET_GROUP,
    GET_GROUP_ACL,
    LIST_GROUP_POLICIES,
    LIST_GROUPS,
    SET_GROUP_ACL,
    Group,
    GroupCreation,
    GroupList,
)
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, PageQuery
from lakehouse.wire.policies import PolicyList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport


class Groups:
    """Groups, by name. Their members are listed by `users`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_groups(self, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT) -> GroupList:
        """One page of groups, in order of their names."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_GROUPS, GroupList, query=query)

    def each_group(self, *, prefix: str = "") -> AsyncIterator[Group]:
        """All groups."""

        async def fetch(after: str) -> GroupList:
            return await self.list_groups(prefix=prefix, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def create_group(self, group: str, *, description: str | None = None) -> Group:
        """Create a group of nobody. Raises GroupExists, InvalidName."""
        body = GroupCreation(id=group, description=given(description))
        return await self._transport.call(CREATE_GROUP, Group, body=body)

    async def get_group(self, group: str) -> Group:
        """A group. Raises GroupNotFound."""
        return await self._transport.call(GET_GROUP, Group, {"groupId": group})

    async def delete_group(self, group: str) -> None:
        """Delete a group; its members stay. Raises GroupNotFound."""
        await self._transport.send(DELETE_GROUP, {"groupId": group})

    async def add_group_membership(self, group: str, user: str) -> None:
        """Make a user a member. Raises GroupNotFound, UserNotFound."""
        await self._transport.send(ADD_GROUP_MEMBERSHIP, {"groupId": group, "userId": user})

    async def delete_group_membership(self, group: str, user: str) -> None:
        """Take a user out of a group. Raises GroupNotFound, UserNotFound."""
        await self._transport.send(DELETE_GROUP_MEMBERSHIP, {"groupId": group, "userId": user})

    async def list_group_policies(
        self, group: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> PolicyList:
        """One page of a group's policies. Raises GroupNotFound."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_GROUP_POLICIES, PolicyList, {"groupId": group}, query=query)

    async def attach_policy_to_group(self, group: str, policy: str) -> None:
        """Give a group a policy. Raises GroupNotFound, PolicyNotFound."""
        await self._transport.send(ATTACH_POLICY_TO_GROUP, {"groupId": group, "policyId": policy})

    async def detach_policy_from_group(self, group: str, policy: str) -> None:
        """Take a policy from a group. Raises GroupNotFound, PolicyNotFound."""
        await self._transport.send(DETACH_POLICY_FROM_GROUP, {"groupId": group, "policyId": policy})

    async def set_group_acl(self, group: str, permission: str) -> None:
        """Replace a group's policies by a permission: Read, Write, Super or Admin. Raises GroupNotFound."""
        await self._transport.send(SET_GROUP_ACL, {"groupId": group}, body=ACL(permission))

    async def get_group_acl(self, group: str) -> ACL:
        """The permission that stands for a group's policies. Raises GroupNotFound, NoAcl."""
        return await self._transport.call(GET_GROUP_ACL, ACL, {"groupId": group})
