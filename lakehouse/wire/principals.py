# SPDX-License-Identifier: Apache-2.0
"""External principals: identities of other systems that log in as a user."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import USER, Operation, need
from lakehouse.wire.paging import PageQuery, Pagination, Required

_OF_USER = "/auth/users/{userId}/external/principals"


class PrincipalQuery(msgspec.Struct, frozen=True, kw_only=True):
    principal_id: Required = msgspec.field(name="principalId")


class ExternalPrincipalCreation(msgspec.Struct, frozen=True, kw_only=True):
    settings: dict[str, Any] | UnsetType = UNSET


class ExternalPrincipal(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    user_id: str
    settings: dict[str, Any] | UnsetType = UNSET


class ExternalPrincipalList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[ExternalPrincipal]


CREATE_USER_EXTERNAL_PRINCIPAL = Operation(
    name="create_user_external_principal",
    id="createUserExternalPrincipal",
    method="POST",
    path=_OF_USER,
    tag="principals",
    summary="Let an external identity log in as a user",
    allow=need("auth:CreateUserExternalPrincipal", USER),
    query=PrincipalQuery,
    body=ExternalPrincipalCreation,
    body_required=False,
    status=201,
)
DELETE_USER_EXTERNAL_PRINCIPAL = Operation(
    name="delete_user_external_principal",
    id="deleteUserExternalPrincipal",
    method="DELETE",
    path=_OF_USER,
    tag="principals",
    summary="No longer let an external identity log in as a user",
    allow=need("auth:DeleteUserExternalPrincipal", USER),
    query=PrincipalQuery,
    status=204,
)
LIST_USER_EXTERNAL_PRINCIPALS = Operation(
    name="list_user_external_principals",
    id="listUserExternalPrincipals",
    method="GET",
    path=_OF_USER + "/ls",
    tag="principals",
    summary="List the external identities of a user",
    allow=need("auth:ReadUser", USER),
    query=PageQuery,
    result=ExternalPrincipalList,
)
GET_EXTERNAL_PRINCIPAL = Operation(
    name="get_external_principal",
    id="getExternalPrincipal",
    method="GET",
    path="/auth/external/principals",
    tag="principals",
    summary="Get the user that an external identity logs in as",
    allow=need("auth:ReadExternalPrincipal", "externalPrincipal/{principalId}"),
    query=PrincipalQuery,
    result=ExternalPrincipal,
)

OPERATIONS = (
    CREATE_USER_EXTERNAL_PRINCIPAL,
    DELETE_USER_EXTERNAL_PRINCIPAL,
    LIST_USER_EXTERNAL_PRINCIPALS,
    GET_EXTERNAL_PRINCIPAL,
)
