# SPDX-License-Identifier: Apache-2.0
"""Users and their access key pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.sdk.requests import given
from lakehouse.wire.auth import User
from lakehouse.wire.groups import Group, GroupList
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, PageQuery
from lakehouse.wire.policies import PolicyList
from lakehouse.wire.setup import CredentialsWithSecret
from lakehouse.wire.users import (
    ATTACH_POLICY_TO_USER,
    CREATE_CREDENTIALS,
    CREATE_USER,
    DELETE_CREDENTIALS,
    DELETE_USER,
    DETACH_POLICY_FROM_USER,
    GET_CREDENTIALS,
    GET_USER,
    LIST_GROUP_MEMBERS,
    LIST_USER_CREDENTIALS,
    LIST_USER_GROUPS,
    LIST_USER_POLICIES,
    LIST_USERS,
    Credentials,
    CredentialsList,
    UserCreation,
    UserList,
    UserPoliciesQuery,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport


class Users:
    """Users, by name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_users(self, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT) -> UserList:
        """One page of users, in order of their names."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_USERS, UserList, query=query)

    def each_user(self, *, prefix: str = "") -> AsyncIterator[User]:
        """All users."""

        async def fetch(after: str) -> UserList:
            return await self.list_users(prefix=prefix, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def create_user(self, user: str, *, email: str | None = None, friendly_name: str | None = None) -> User:
        """Create a user who can do nothing yet. Raises UserExists, InvalidName."""
        body = UserCreation(id=user, email=given(email), friendly_name=given(friendly_name))
        return await self._transport.call(CREATE_USER, User, body=body)

    async def get_user(self, user: str) -> User:
        """A user. Raises UserNotFound."""
        return await self._transport.call(GET_USER, User, {"userId": user})

    async def delete_user(self, user: str) -> None:
        """Delete a user; keys and tokens are void at once. Raises UserNotFound."""
        await self._transport.send(DELETE_USER, {"userId": user})

    async def list_user_credentials(
        self, user: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> CredentialsList:
        """One page of a user's access keys, without secrets. Raises UserNotFound."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_USER_CREDENTIALS, CredentialsList, {"userId": user}, query=query)

    async def create_credentials(self, user: str) -> CredentialsWithSecret:
        """Make a new pair beside those that the user has. Its secret is never told again. Raises UserNotFound."""
        return await self._transport.call(CREATE_CREDENTIALS, CredentialsWithSecret, {"userId": user})

    async def get_credentials(self, user: str, access_key_id: str) -> Credentials:
        """An access key, without its secret. Raises CredentialsNotFound."""
        path = {"userId": user, "accessKeyId": access_key_id}
        return await self._transport.call(GET_CREDENTIALS, Credentials, path)

    async def delete_credentials(self, user: str, access_key_id: str) -> None:
        """Make a pair void, at once. Raises CredentialsNotFound."""
        await self._transport.send(DELETE_CREDENTIALS, {"userId": user, "accessKeyId": access_key_id})

    async def list_user_groups(
        self, user: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> GroupList:
        """One page of the groups that a user is in. Raises UserNotFound."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_USER_GROUPS, GroupList, {"userId": user}, query=query)

    def each_user_group(self, user: str) -> AsyncIterator[Group]:
        """All groups that a user is in."""

        async def fetch(after: str) -> GroupList:
            return await self.list_user_groups(user, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def list_user_policies(
        self,
        user: str,
        *,
        effective: bool = False,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
    ) -> PolicyList:
        """One page of a user's own policies, or with `effective` of all that count. Raises UserNotFound."""
        query = UserPoliciesQuery(prefix=prefix, after=after, amount=amount, effective=effective)
        return await self._transport.call(LIST_USER_POLICIES, PolicyList, {"userId": user}, query=query)

    async def attach_policy_to_user(self, user: str, policy: str) -> None:
        """Give a user a policy. Raises UserNotFound, PolicyNotFound."""
        await self._transport.send(ATTACH_POLICY_TO_USER, {"userId": user, "policyId": policy})

    async def detach_policy_from_user(self, user: str, policy: str) -> None:
        """Take a policy from a user. Raises UserNotFound, PolicyNotFound."""
        await self._transport.send(DETACH_POLICY_FROM_USER, {"userId": user, "policyId": policy})

    async def list_group_members(
        self, group: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> UserList:
        """One page of the users in a group. Raises GroupNotFound."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_GROUP_MEMBERS, UserList, {"groupId": group}, query=query)

    def each_group_member(self, group: str) -> AsyncIterator[User]:
        """All users in a group."""

        async def fetch(after: str) -> UserList:
            return await self.list_group_members(group, after=after, amount=MAX_PER_PAGE)

        return each(fetch)
