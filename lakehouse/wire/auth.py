# SPDX-License-Identifier: Apache-2.0
"""Who is asking: login, the current user."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import AUTHENTICATED, NOBODY_ASKED, Operation


class LoginInformation(msgspec.Struct, frozen=True):
    access_key_id: str
    secret_access_key: str


class AuthenticationToken(msgspec.Struct, frozen=True, kw_only=True):
    """`token_expiration` in seconds."""

    token: str
    token_expiration: int | UnsetType = UNSET


class User(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds."""

    id: str
    creation_date: int
    friendly_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


class CurrentUser(msgspec.Struct, frozen=True):
    user: User


class AuthCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    invite_user: bool = False
    forgot_password: bool | UnsetType = UNSET


LOGIN = Operation(
    name="login",
    id="login",
    method="POST",
    path="/auth/login",
    tag="auth",
    summary="Trade an access key pair for a token; the answer sets the session cookies",
    allow=NOBODY_ASKED,
    body=LoginInformation,
    body_required=False,
    result=AuthenticationToken,
)
GET_CURRENT_USER = Operation(
    name="get_current_user",
    id="getCurrentUser",
    method="GET",
    path="/user",
    tag="auth",
    summary="Get the user who asks",
    allow=AUTHENTICATED,
    result=CurrentUser,
)
GET_AUTH_CAPABILITIES = Operation(
    name="get_auth_capabilities",
    id="getAuthCapabilities",
    method="GET",
    path="/auth/capabilities",
    tag="auth",
    summary="Tell what the user management can do",
    allow=NOBODY_ASKED,
    result=AuthCapabilities,
)

OPERATIONS = (LOGIN, GET_CURRENT_USER, GET_AUTH_CAPABILITIES)
