# SPDX-License-Identifier: Apache-2.0
"""Login and the current user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import given
from lakehouse.wire.auth import (
    BEGIN_OIDC_LOGIN,
    EXTERNAL_PRINCIPAL_LOGIN,
    GET_AUTH_CAPABILITIES,
    GET_CURRENT_USER,
    LOGIN,
    OAUTH_CALLBACK,
    STS_LOGIN,
    AuthCapabilities,
    AuthenticationToken,
    CurrentUser,
    ExternalLoginInformation,
    LoginInformation,
    OauthCallbackQuery,
    OidcLoginQuery,
    StsAuthRequest,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Auth:
    """Who is asking."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def login(self, access_key_id: str, secret_access_key: str) -> AuthenticationToken:
        """Trade a key pair for a token; make a client with `token=` to use it. Raises Unauthenticated."""
        body = LoginInformation(access_key_id, secret_access_key)
        return self._transport.call(LOGIN, AuthenticationToken, body=body)

    def get_current_user(self) -> CurrentUser:
        """The user of these credentials. Raises Unauthenticated."""
        return self._transport.call(GET_CURRENT_USER, CurrentUser)

    def get_auth_capabilities(self) -> AuthCapabilities:
        """What the user management can do."""
        return self._transport.call(GET_AUTH_CAPABILITIES, AuthCapabilities)

    def sts_login(
        self, code: str, state: str, redirect_uri: str, *, ttl_seconds: int | None = None
    ) -> AuthenticationToken:
        """Trade a code of the identity provider for a token. Raises Unauthenticated."""
        body = StsAuthRequest(code=code, state=state, redirect_uri=redirect_uri, ttl_seconds=given(ttl_seconds))
        return self._transport.call(STS_LOGIN, AuthenticationToken, body=body)

    def external_principal_login(
        self, id_token: str, *, token_expiration_duration: int | None = None
    ) -> AuthenticationToken:
        """Trade an id token of the identity provider for a token. Raises Unauthenticated, PermissionDenied."""
        body = ExternalLoginInformation(
            identity_request={"id_token": id_token}, token_expiration_duration=given(token_expiration_duration)
        )
        return self._transport.call(EXTERNAL_PRINCIPAL_LOGIN, AuthenticationToken, body=body)

    def begin_oidc_login(self, *, after: str = "/") -> None:
        """What a browser calls to log in by the identity provider; it is redirected there."""
        self._transport.send(BEGIN_OIDC_LOGIN, query=OidcLoginQuery(next=after))

    def oauth_callback(self, code: str, state: str) -> None:
        """What the identity provider redirects a browser to."""
        self._transport.send(OAUTH_CALLBACK, query=OauthCallbackQuery(code=code, state=state))
