# SPDX-License-Identifier: Apache-2.0
"""Handlers: login in all its ways, and who am I."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.api import identities
from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes
from lakehouse.auth import provided
from lakehouse.auth.identity import session_cookies
from lakehouse.core.errors import InvalidArgument, Unauthenticated
from lakehouse.wire.auth import AuthCapabilities, AuthenticationToken, CurrentUser

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.auth.oidc import Identity
    from lakehouse.auth.tokens import Token
    from lakehouse.core.records import User
    from lakehouse.wire.auth import (
        ExternalLoginInformation,
        LoginInformation,
        OauthCallbackQuery,
        OidcLoginQuery,
        StsAuthRequest,
    )

STATE_COOKIE = "lakehouse_oidc_state"
_STATE = STATE_COOKIE + "={}; Path=/api/v1/oidc; Max-Age={}; HttpOnly; SameSite=Lax"


async def login(services: Services, call: Call[None, LoginInformation | None]) -> Response:
    if call.body is None:
        raise Unauthenticated
    token = await services.authenticator.login(call.body.access_key_id, call.body.secret_access_key)
    headers = list(JSON_HEADERS) + _cookies(token, call)
    return Response(200, headers, json_bytes(_told(token)))


async def get_current_user(services: Services, call: Call[None, None]) -> CurrentUser:
    return CurrentUser(identities.user(call.known_user))


async def get_auth_capabilities(services: Services, call: Call[None, None]) -> AuthCapabilities:
    return AuthCapabilities(invite_user=False)


async def sts_login(services: Services, call: Call[None, StsAuthRequest]) -> AuthenticationToken:
    body = call.body
    seconds = _seconds(body.ttl_seconds)
    identity = await services.provider.exchange(body.code, redirect_uri=body.redirect_uri)
    user = await _enter(services, identity)
    return _told(services.authenticator.issue(user, seconds=seconds))


async def external_principal_login(
    services: Services, call: Call[None, ExternalLoginInformation]
) -> AuthenticationToken:
    seconds = _seconds(call.body.token_expiration_duration)
    text = call.body.identity_request.get("id_token")
    if not isinstance(text, str):
        raise InvalidArgument("identityRequest: the member id_token is missing: invalid value: validation error")
    user = await provided.user_of(services.directory, await services.provider.verify(text))
    return _told(services.authenticator.issue(user, seconds=seconds))


async def begin_oidc_login(services: Services, call: Call[OidcLoginQuery, None]) -> Response:
    begun = await services.provider.begin(
        redirect_uri=f"{call.endpoint}/api/v1/oidc/callback", after=_own_path(call.query.next)
    )
    return _redirect(begun.url, [(b"set-cookie", _state(begun.cookie, call, age=600))])


async def oauth_callback(services: Services, call: Call[OauthCallbackQuery, None]) -> Response:
    query = call.query
    cookie = _cookie(call)
    if query.error or not cookie:
        raise Unauthenticated
    identity, after = await services.provider.finish(code=query.code, state=query.state, cookie=cookie)
    token = services.authenticator.issue(await _enter(services, identity))
    return _redirect(after, [*_cookies(token, call), (b"set-cookie", _state("", call, age=0))])


async def _enter(services: Services, identity: Identity) -> User:
    return await provided.log_in(services.directory, identity, user_claim=services.provider.settings.user_claim)


def _told(token: Token) -> AuthenticationToken:
    return AuthenticationToken(token=token.text, token_expiration=token.expires)


def _seconds(asked: Any) -> int | None:
    if asked is UNSET:
        return None
    if asked <= 0:
        raise InvalidArgument("the lifetime must be more than 0 seconds: invalid value: validation error")
    return int(asked)


def _own_path(text: str) -> str:
    """A path of this server: whatever a browser could take for another place becomes `/`."""
    plain = text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"


def _redirect(url: str, headers: list[tuple[bytes, bytes]]) -> Response:
    return Response(302, [(b"location", url.encode()), (b"cache-control", b"no-store"), *headers])


def _cookies(token: Token, call: Call[Any, Any]) -> list[tuple[bytes, bytes]]:
    return [(b"set-cookie", one.encode()) for one in session_cookies(token.text, secure=_secure(call))]


def _state(value: str, call: Call[Any, Any], *, age: int) -> bytes:
    return (_STATE.format(value, age) + ("; Secure" if _secure(call) else "")).encode()


def _secure(call: Call[Any, Any]) -> bool:
    return call.endpoint.startswith("https://")


def _cookie(call: Call[Any, Any]) -> str:
    for part in (call.header(b"cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == STATE_COOKIE:
            return value
    return ""
