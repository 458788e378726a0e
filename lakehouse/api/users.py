# SPDX-License-Identifier: Apache-2.0
"""Handlers: users, their key pairs, and what they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import identities
from lakehouse.auth import groups, policies, users
from lakehouse.core.errors import Unsupported
from lakehouse.wire.setup import CredentialsWithSecret
from lakehouse.wire.users import Credentials, CredentialsList

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.auth import User
    from lakehouse.wire.groups import GroupList
    from lakehouse.wire.paging import PageQuery
    from lakehouse.wire.policies import PolicyList
    from lakehouse.wire.users import UserCreation, UserList, UserPoliciesQuery


async def list_users(services: Services, call: Call[PageQuery, None]) -> UserList:
    return identities.user_list(await users.list_users(services.directory, identities.window(call.query)))


async def create_user(services: Services, call: Call[None, UserCreation]) -> User:
    body = call.body
    if body.invite_user is True:
        raise Unsupported("invite user: Not Implemented")
    made = await users.create_user(
        services.directory,
        body.id,
        email="" if body.email is UNSET else body.email,
        friendly_name="" if body.friendly_name is UNSET else body.friendly_name,
    )
    return identities.user(made)


async def get_user(services: Services, call: Call[None, None]) -> User:
    return identities.user(await services.directory.user(call.path["userId"]))


async def delete_user(services: Services, call: Call[None, None]) -> None:
    await users.delete_user(services.directory, call.path["userId"])


async def list_user_credentials(services: Services, call: Call[PageQuery, None]) -> CredentialsList:
    page = await users.list_credentials(services.directory, call.path["userId"], identities.window(call.query))
    results = [Credentials(access_key_id=one.access_key_id, creation_date=one.created) for one in page.items]
    last = results[-1].access_key_id if results else ""
    return CredentialsList(identities.pagination(page, last=last), results)


async def create_credentials(services: Services, call: Call[None, None]) -> CredentialsWithSecret:
    made = await users.create_credentials(services.directory, call.path["userId"])
    return CredentialsWithSecret(
        access_key_id=made.access_key_id, secret_access_key=made.secret_access_key, creation_date=made.created
    )


async def get_credentials(services: Services, call: Call[None, None]) -> Credentials:
    found = await users.get_credentials(services.directory, call.path["userId"], call.path["accessKeyId"])
    return Credentials(access_key_id=found.access_key_id, creation_date=found.created)


async def delete_credentials(services: Services, call: Call[None, None]) -> None:
    await users.delete_credentials(services.directory, call.path["userId"], call.path["accessKeyId"])


async def list_user_groups(services: Services, call: Call[PageQuery, None]) -> GroupList:
    page = await users.list_groups(services.directory, call.path["userId"], identities.window(call.query))
    return identities.group_list(page)


async def list_user_policies(services: Services, call: Call[UserPoliciesQuery, None]) -> PolicyList:
    page = await users.list_policies(
        services.directory, call.path["userId"], identities.window(call.query), effective=call.query.effective
    )
    return identities.policy_list(page)


async def attach_policy_to_user(services: Services, call: Call[None, None]) -> None:
    await policies.attach_to_user(services.directory, call.path["policyId"], call.path["userId"])


async def detach_policy_from_user(services: Services, call: Call[None, None]) -> None:
    await policies.detach_from_user(services.directory, call.path["policyId"], call.path["userId"])


async def list_group_members(services: Services, call: Call[PageQuery, None]) -> UserList:
    page = await groups.list_members(services.directory, call.path["groupId"], identities.window(call.query))
    return identities.user_list(page)
