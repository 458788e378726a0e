# SPDX-License-Identifier: Apache-2.0
"""Who is asking: login, the current user."""

from __future__ import annotations

from typing import Any

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


class StsAuthRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A code that the identity provider has given to a program; `redirect_uri` is what it was asked for with."""

    code: str
    state: str
    redirect_uri: str
    ttl_seconds: int | UnsetType = UNSET


class ExternalLoginInformation(msgspec.Struct, frozen=True, kw_only=True):
    """`identityRequest` holds the member `id_token`: a token that the identity provider has issued for this server."""

    token_expiration_duration: int | UnsetType = UNSET
    identity_request: dict[str, Any] = msgspec.field(name="identityRequest")


class OidcLoginQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`next` is the path of this server where the login ends."""

    next: str = "/"


class OauthCallbackQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the identity provider sends the browser back with."""

    code: str = ""
    state: str = ""
    error: str = ""
    error_description: str = ""


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

STS_LOGIN = Operation(
    name="sts_login",
    id="stsLogin",
    method="POST",
    path="/sts/login",
    tag="auth",
    summary="Trade a code of the identity provider for a token",
    allow=NOBODY_ASKED,
    body=StsAuthRequest,
    result=AuthenticationToken,
)
EXTERNAL_PRINCIPAL_LOGIN = Operation(
    name="external_principal_login",
    id="externalPrincipalLogin",
    method="POST",
    path="/auth/external/principal/login",
    tag="auth",
    summary="Trade an identity of another system for a token",
    allow=NOBODY_ASKED,
    body=ExternalLoginInformation,
    result=AuthenticationToken,
)
BEGIN_OIDC_LOGIN = Operation(
    name="begin_oidc_login",
    id="beginOidcLogin",
    method="GET",
    path="/oidc/login",
    tag="auth",
    summary="Send the browser to the identity provider",
    allow=NOBODY_ASKED,
    query=OidcLoginQuery,
    status=302,
)
OAUTH_CALLBACK = Operation(
    name="oauth_callback",
    id="oauthCallback",
    method="GET",
    path="/oidc/callback",
    tag="auth",
    summary="Finish a login by the identity provider; the answer sets the session cookies",
    allow=NOBODY_ASKED,
    query=OauthCallbackQuery,
    status=302,
)

OPERATIONS = (
    LOGIN,
    GET_CURRENT_USER,
    GET_AUTH_CAPABILITIES,
    STS_LOGIN,
    EXTERNAL_PRINCIPAL_LOGIN,
    BEGIN_OIDC_LOGIN,
    OAUTH_CALLBACK,
)
