# SPDX-License-Identifier: Apache-2.0
"""Handlers: login and who am I."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import identities
from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes
from lakehouse.auth.identity import session_cookies
from lakehouse.core.errors import Unauthenticated
from lakehouse.wire.auth import AuthCapabilities, AuthenticationToken, CurrentUser

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.auth import LoginInformation


async def login(services: Services, call: Call[None, LoginInformation | None]) -> Response:
    if call.body is None:
        raise Unauthenticated
    token = await services.authenticator.login(call.body.access_key_id, call.body.secret_access_key)
    headers = list(JSON_HEADERS)
    cookies = session_cookies(token.text, secure=call.endpoint.startswith("https://"))
    headers += [(b"set-cookie", cookie.encode()) for cookie in cookies]
    return Response(200, headers, json_bytes(AuthenticationToken(token=token.text, token_expiration=token.expires)))


async def get_current_user(services: Services, call: Call[None, None]) -> CurrentUser:
    return CurrentUser(identities.user(call.known_user))


async def get_auth_capabilities(services: Services, call: Call[None, None]) -> AuthCapabilities:
    return AuthCapabilities(invite_user=False)
