# SPDX-License-Identifier: Apache-2.0
"""Groups of users, their policies, and the one-word permissions (ACL) that stand for sets of policies."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import GROUP, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination
from lakehouse.wire.policies import PolicyList

_GROUPS = "/auth/groups"
_ONE = "/auth/groups/{groupId}"
_MEMBER = _ONE + "/members/{userId}"
_POLICY = _ONE + "/policies/{policyId}"
_ACL = _ONE + "/acl"
_ACL_POLICY = "policy/ACL(_-_){groupId}"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds."""

    id: str
    creation_date: int
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class GroupCreation(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    description: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        """A name with "%" is refused before anybody is asked who they are."""
        if not self.id or "%" in self.id:
            raise ValueError("id: must not be empty or contain '%'")


class GroupList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Group]


class ACL(msgspec.Struct, frozen=True):
    """`permission` is Read, Write, Super or Admin, or "" for a group without any policy."""

    permission: str


class ErrorNoACL(msgspec.Struct, frozen=True, kw_only=True):
    """The group has policies that no single word stands for."""

    message: str
    no_acl: bool | UnsetType = UNSET


LIST_GROUPS = Operation(
    name="list_groups",
    id="listGroups",
    method="GET",
    path=_GROUPS,
    tag="groups",
    summary="List groups in order of their names",
    allow=need("auth:ListGroups", "*"),
    query=PageQuery,
    result=GroupList,
)
CREATE_GROUP = Operation(
    name="create_group",
    id="createGroup",
    method="POST",
    path=_GROUPS,
    tag="groups",
    summary="Create a group",
    allow=need("auth:CreateGroup", "group/{id}"),
    body=GroupCreation,
    result=Group,
    status=201,
)
GET_GROUP = Operation(
    name="get_group",
    id="getGroup",
    method="GET",
    path=_ONE,
    tag="groups",
    summary="Get a group",
    allow=need("auth:ReadGroup", GROUP),
    result=Group,
)
DELETE_GROUP = Operation(
    name="delete_group",
    id="deleteGroup",
    method="DELETE",
    path=_ONE,
    tag="groups",
    summary="Delete a group; its members stay",
    allow=need("auth:DeleteGroup", GROUP),
    status=204,
)
ADD_GROUP_MEMBERSHIP = Operation(
    name="add_group_membership",
    id="addGroupMembership",
    method="PUT",
    path=_MEMBER,
    tag="groups",
    summary="Make a user a member of a group",
    allow=need("auth:AddGroupMember", GROUP),
    status=201,
)
DELETE_GROUP_MEMBERSHIP = Operation(
    name="delete_group_membership",
    id="deleteGroupMembership",
    method="DELETE",
    path=_MEMBER,
    tag="groups",
    summary="Take a user out of a group",
    allow=need("auth:RemoveGroupMember", GROUP),
    status=204,
)
LIST_GROUP_POLICIES = Operation(
    name="list_group_policies",
    id="listGroupPolicies",
    method="GET",
    path=_ONE + "/policies",
    tag="groups",
    summary="List a group's policies",
    allow=need("auth:ReadGroup", GROUP),
    query=PageQuery,
    result=PolicyList,
)
ATTACH_POLICY_TO_GROUP = Operation(
    name="attach_policy_to_group",
    id="attachPolicyToGroup",
    method="PUT",
    path=_POLICY,
    tag="groups",
    summary="Give a group a policy",
    allow=need("auth:AttachPolicy", GROUP),
    status=201,
)
DETACH_POLICY_FROM_GROUP = Operation(
    name="detach_policy_from_group",
    id="detachPolicyFromGroup",
    method="DELETE",
    path=_POLICY,
    tag="groups",
    summary="Take a policy from a group",
    allow=need("auth:DetachPolicy", GROUP),
    status=204,
)
SET_GROUP_ACL = Operation(
    name="set_group_acl",
    id="setGroupACL",
    method="POST",
    path=_ACL,
    tag="groups",
    summary="Replace a group's policies by a one-word permission",
    allow=need("auth:ReadGroup", GROUP)
    + need("auth:AttachPolicy", _ACL_POLICY)
    + need("auth:UpdatePolicy", _ACL_POLICY),
    body=ACL,
    status=201,
)
GET_GROUP_ACL = Operation(
    name="get_group_acl",
    id="getGroupACL",
    method="GET",
    path=_ACL,
    tag="groups",
    summary="Get the one-word permission that stands for a group's policies",
    allow=need("auth:ReadGroup", GROUP) + need("auth:ReadPolicy", _ACL_POLICY),
    result=ACL,
    also={404: ErrorNoACL},
)

OPERATIONS = (
    LIST_GROUPS,
    CREATE_GROUP,
    GET_GROUP,
    DELETE_GROUP,
    ADD_GROUP_MEMBERSHIP,
    DELETE_GROUP_MEMBERSHIP,
    LIST_GROUP_POLICIES,
    ATTACH_POLICY_TO_GROUP,
    DETACH_POLICY_FROM_GROUP,
    SET_GROUP_ACL,
    GET_GROUP_ACL,
)
