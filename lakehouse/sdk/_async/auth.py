# SPDX-License-Identifier: Apache-2.0
"""Login and the current user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.auth import (
    GET_AUTH_CAPABILITIES,
    GET_CURRENT_USER,
    LOGIN,
    AuthCapabilities,
    AuthenticationToken,
    CurrentUser,
    LoginInformation,
)

if TYPE_CHECKING:
    from lakehouse.sdk._async.transport import Transport


class Auth:
    """Who is asking."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def login(self, access_key_id: str, secret_access_key: str) -> AuthenticationToken:
        """Trade a key pair for a token; make a client with `token=` to use it. Raises Unauthenticated."""
        body = LoginInformation(access_key_id, secret_access_key)
        return await self._transport.call(LOGIN, AuthenticationToken, body=body)

    async def get_current_user(self) -> CurrentUser:
        """The user of these credentials. Raises Unauthenticated."""
        return await self._transport.call(GET_CURRENT_USER, CurrentUser)

    async def get_auth_capabilities(self) -> AuthCapabilities:
        """What the user management can do."""
        return await self._transport.call(GET_AUTH_CAPABILITIES, AuthCapabilities)
