# SPDX-License-Identifier: Apache-2.0
"""Users, their access key pairs, and what they belong to."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.auth import User
from lakehouse.wire.groups import GroupList
from lakehouse.wire.operation import GROUP, USER, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination
from lakehouse.wire.policies import PolicyList
from lakehouse.wire.setup import CredentialsWithSecret

_USERS = "/auth/users"
_ONE = "/auth/users/{userId}"
_CREDENTIALS = _ONE + "/credentials"
_POLICY = _ONE + "/policies/{policyId}"


class UserCreation(msgspec.Struct, frozen=True, kw_only=True):
    """`email` and `friendly_name` are ours. Nobody is invited by mail: `invite_user` is refused."""

    id: str
    invite_user: bool | UnsetType = UNSET
    email: str | UnsetType = UNSET
    friendly_name: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        """A name with "%" is refused before anybody is asked who they are."""
        if not self.id or "%" in self.id:
            raise ValueError("id: must not be empty or contain '%'")


class UserList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[User]


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair without its secret. `creation_date` in seconds."""

    access_key_id: str
    creation_date: int


class CredentialsList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Credentials]


class UserPoliciesQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`effective`: also the policies of the user's groups."""

    effective: bool = False


LIST_USERS = Operation(
    name="list_users",
    id="listUsers",
    method="GET",
    path=_USERS,
    tag="users",
    summary="List users in order of their names",
    allow=need("auth:ListUsers", "*"),
    query=PageQuery,
    result=UserList,
)
CREATE_USER = Operation(
    name="create_user",
    id="createUser",
    method="POST",
    path=_USERS,
    tag="users",
    summary="Create a user",
    allow=need("auth:CreateUser", "user/{id}"),
    body=UserCreation,
    result=User,
    status=201,
)
GET_USER = Operation(
    name="get_user",
    id="getUser",
    method="GET",
    path=_ONE,
    tag="users",
    summary="Get a user",
    allow=need("auth:ReadUser", USER),
    result=User,
)
DELETE_USER = Operation(
    name="delete_user",
    id="deleteUser",
    method="DELETE",
    path=_ONE,
    tag="users",
    summary="Delete a user, with all key pairs and memberships",
    allow=need("auth:DeleteUser", USER),
    status=204,
)
LIST_USER_CREDENTIALS = Operation(
    name="list_user_credentials",
    id="listUserCredentials",
    method="GET",
    path=_CREDENTIALS,
    tag="users",
    summary="List a user's access keys",
    allow=need("auth:ListCredentials", USER),
    query=PageQuery,
    result=CredentialsList,
)
CREATE_CREDENTIALS = Operation(
    name="create_credentials",
    id="createCredentials",
    method="POST",
    path=_CREDENTIALS,
    tag="users",
    summary="Make a new access key pair; its secret is told once",
    allow=need("auth:CreateCredentials", USER),
    result=CredentialsWithSecret,
    status=201,
)
GET_CREDENTIALS = Operation(
    name="get_credentials",
    id="getCredentials",
    method="GET",
    path=_CREDENTIALS + "/{accessKeyId}",
    tag="users",
    summary="Get an access key, without its secret",
    allow=need("auth:ReadCredentials", USER),
    result=Credentials,
)
DELETE_CREDENTIALS = Operation(
    name="delete_credentials",
    id="deleteCredentials",
    method="DELETE",
    path=_CREDENTIALS + "/{accessKeyId}",
    tag="users",
    summary="Delete an access key pair",
    allow=need("auth:DeleteCredentials", USER),
    status=204,
)
LIST_USER_GROUPS = Operation(
    name="list_user_groups",
    id="listUserGroups",
    method="GET",
    path=_ONE + "/groups",
    tag="users",
    summary="List a user's groups",
    allow=need("auth:ReadUser", USER),
    query=PageQuery,
    result=GroupList,
)
LIST_USER_POLICIES = Operation(
    name="list_user_policies",
    id="listUserPolicies",
    method="GET",
    path=_ONE + "/policies",
    tag="users",
    summary="List a user's policies",
    allow=need("auth:ReadUser", USER),
    query=UserPoliciesQuery,
    result=PolicyList,
)
ATTACH_POLICY_TO_USER = Operation(
    name="attach_policy_to_user",
    id="attachPolicyToUser",
    method="PUT",
    path=_POLICY,
    tag="users",
    summary="Give a user a policy",
    allow=need("auth:AttachPolicy", USER),
    status=201,
)
DETACH_POLICY_FROM_USER = Operation(
    name="detach_policy_from_user",
    id="detachPolicyFromUser",
    method="DELETE",
    path=_POLICY,
    tag="users",
    summary="Take a policy from a user",
    allow=need("auth:DetachPolicy", USER),
    status=204,
)
LIST_GROUP_MEMBERS = Operation(
    name="list_group_members",
    id="listGroupMembers",
    method="GET",
    path="/auth/groups/{groupId}/members",
    tag="users",
    summary="List the members of a group",
    allow=need("auth:ReadGroup", GROUP),
    query=PageQuery,
    result=UserList,
)

OPERATIONS = (
    LIST_USERS,
    CREATE_USER,
    GET_USER,
    DELETE_USER,
    LIST_USER_CREDENTIALS,
    CREATE_CREDENTIALS,
    GET_CREDENTIALS,
    DELETE_CREDENTIALS,
    LIST_USER_GROUPS,
    LIST_USER_POLICIES,
    ATTACH_POLICY_TO_USER,
    DETACH_POLICY_FROM_USER,
    LIST_GROUP_MEMBERS,
)
