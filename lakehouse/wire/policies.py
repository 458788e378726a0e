# SPDX-License-Identifier: Apache-2.0
"""Policies: what is allowed and what is denied, on which resources, under which conditions."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import POLICY, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination

_POLICIES = "/auth/policies"
_ONE = "/auth/policies/{policyId}"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """`resource` is an ARN, a JSON list of ARNs as text, or `*`. `condition`: operator to key to values."""

    effect: Literal["allow", "deny"]
    resource: str
    action: Annotated[list[str], msgspec.Meta(min_length=1)]
    condition: dict[str, dict[str, list[str]]] | UnsetType = UNSET


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds is the server's; what a caller sends is ignored."""

    id: str
    creation_date: int | UnsetType = UNSET
    statement: Annotated[list[Statement], msgspec.Meta(min_length=1)]


class PolicyList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Policy]


LIST_POLICIES = Operation(
    name="list_policies",
    id="listPolicies",
    method="GET",
    path=_POLICIES,
    tag="policies",
    summary="List policies in order of their names",
    allow=need("auth:ListPolicies", "*"),
    query=PageQuery,
    result=PolicyList,
)
CREATE_POLICY = Operation(
    name="create_policy",
    id="createPolicy",
    method="POST",
    path=_POLICIES,
    tag="policies",
    summary="Create a policy",
    allow=need("auth:CreatePolicy", "policy/{id}"),
    body=Policy,
    result=Policy,
    status=201,
)
GET_POLICY = Operation(
    name="get_policy",
    id="getPolicy",
    method="GET",
    path=_ONE,
    tag="policies",
    summary="Get a policy",
    allow=need("auth:ReadPolicy", POLICY),
    result=Policy,
)
UPDATE_POLICY = Operation(
    name="update_policy",
    id="updatePolicy",
    method="PUT",
    path=_ONE,
    tag="policies",
    summary="Replace the statements of a policy",
    allow=need("auth:UpdatePolicy", POLICY),
    body=Policy,
    result=Policy,
)
DELETE_POLICY = Operation(
    name="delete_policy",
    id="deletePolicy",
    method="DELETE",
    path=_ONE,
    tag="policies",
    summary="Delete a policy, and take it from everybody who has it",
    allow=need("auth:DeletePolicy", POLICY),
    status=204,
)

OPERATIONS = (
    LIST_POLICIES,
    CREATE_POLICY,
    GET_POLICY,
    UPDATE_POLICY,
    DELETE_POLICY,
)
