# SPDX-License-Identifier: Apache-2.0
"""Who sent a request, by its headers.

In this order: bearer token, basic, then the two session cookies. The first that is present decides: when it is not
good, the request is refused, whatever the others say. Nobody is no error here: the operation's own check decides.
A cookie comes along with requests that other web sites make, so alone it authorizes writes only from our own pages.
Nothing is cached: a deleted user or key pair is void at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lakehouse.auth import sessions, tokens
from lakehouse.auth.checker import AnyUser
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import InsufficientPermissions, Unauthenticated
from lakehouse.core.ids import UserId
from lakehouse.meta import users

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lakehouse.auth.checker import Checker
    from lakehouse.auth.credentials import CredentialStore
    from lakehouse.auth.keys import KeyRing
    from lakehouse.core.clock import Clock
    from lakehouse.core.records import User
    from lakehouse.db.port import Database

COOKIES = ("internal_auth_session", "access_token")
"""Both hold the token; clients of different ages send one or the other back."""
COOKIE_AGE = 30 * 24 * 3600
"""Seconds that browsers keep the cookie."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator:
    """Turns headers into a user, about whom `checker` then knows what it will be asked."""

    def __init__(
        self,
        db: Database,
        ring: KeyRing,
        credentials: CredentialStore,
        *,
        checker: Checker | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._db = db
        self._ring = ring
        self._tokens = tokens.TokenReader(ring)
        self._credentials = credentials
        self._clock = clock
        self._checker: Checker = checker or AnyUser()

    async def authenticate(
        self,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        origin: str | None = None,
        cookie_writes: bool = True,
        peer: Callable[[], str] | None = None,
    ) -> User | None:
        """The user, or None when there is nothing to tell by. Raises Unauthenticated for material that is not good.

        `headers` by lower-case name; `peer` tells the caller's network address. `origin` is the server's own
        (`https://lake.example:8443`) as the caller reached it; without it, the Host header stands for it. The S3 side
        sets `cookie_writes` to False: there, a cookie alone authorizes only GET and HEAD.
        """
        user = await self._identify(headers, method=method, origin=origin, cookie_writes=cookie_writes)
        return None if user is None else await self._checker.prepare(user, peer=peer)

    async def admit(self, user: User | None) -> User | None:
        """A user who was known before, when asked about again: as at that time, with the rules of now."""
        return None if user is None else await self._checker.prepare(user, peer=lambda: user.peer)

    async def _identify(
        self, headers: Mapping[str, str], *, method: str, origin: str | None, cookie_writes: bool
    ) -> User | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, material = authorization.partition(" ")
            match scheme.lower():
                case "bearer":
                    return await self.user_of_token(material.strip())
                case "basic":
                    return await self._credentials.check_basic(material, token=headers.get(sessions.TOKEN_HEADER))
        cookie = headers.get("cookie")
        token = None if cookie is None else session_cookie(cookie)
        if token is None:
            return None
        if method not in SAFE_METHODS and not (cookie_writes and from_own_page(headers, origin=origin)):
            raise Unauthenticated(
                "error authenticating request: a cookie alone does not authorize a write from another site"
            )
        return await self.user_of_token(token)

    async def user_of_token(self, text: str) -> User:
        """Whose login token this is. Raises Unauthenticated, also when the user is gone or revoked older tokens."""
        claims = self._tokens.verify(text, now=self._clock())
        if claims.iss != tokens.CLIENT_ISSUER:
            return await self.user_since(UserId(claims.uid), claims.iat)
        pair = await self._credentials.lookup(claims.aud)
        if pair is None or pair.user.id != claims.uid or claims.iat < pair.user.valid_after:
            raise Unauthenticated
        return pair.user

    async def user_since(self, user: UserId, issued: int) -> User:
        """The user in whose name something was signed at `issued` (seconds). Raises Unauthenticated when the user is
        gone, or has revoked what is as old.
        """
        found = await users.by_id(self._db, user)
        if found is None or issued < found.valid_after:
            raise Unauthenticated
        return found

    async def login(self, access_key_id: str, secret_access_key: str) -> tokens.Token:
        """A token for the owner of this pair. Raises Unauthenticated, also for a narrowed pair: the token would not be
        narrowed.
        """
        user = await self._credentials.check(access_key_id, secret_access_key)
        if user.scope:
            raise Unauthenticated
        return self.issue(user)

    async def login_client(self, access_key_id: str, secret_access_key: str, *, seconds: int) -> tokens.Token:
        """A token whose audience is the pair's access key id, and which is void without it. Raises Unauthenticated."""
        user = await self._credentials.check(access_key_id, secret_access_key)
        return tokens.issue(self._ring, user, now=self._clock(), seconds=seconds, access_key_id=access_key_id)

    def issue(self, user: User, *, seconds: int | None = None) -> tokens.Token:
        """A token for a user who is known by other means.

        Raises InsufficientPermissions for one who came by a session or a narrowed key: the token would be neither.
        """
        if user.session or user.scope:
            raise InsufficientPermissions("insufficient permissions: a narrowed key makes no login tokens")
        return tokens.issue(self._ring, user, now=self._clock(), seconds=seconds)


def session_cookie(header: str) -> str | None:
    """The token in a Cookie header; None when neither cookie is there."""
    found = dict.fromkeys(COOKIES, "")
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name in found and not found[name]:
            found[name] = value.strip('"')
    return next((value for value in found.values() if value), None)


def from_own_page(headers: Mapping[str, str], *, origin: str | None = None) -> bool:
    """Whether a request comes from one of our own pages, or from a program that is no browser.

    Browsers say where a write comes from (Sec-Fetch-Site, Origin) and pages cannot forge that; other programs say
    nothing and send a cookie only when their user told them to.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    source = headers.get("origin")
    if source is None:
        return True
    if origin is not None:
        return source.lower() == origin.lower().rstrip("/")
    return urlsplit(source).netloc.lower() == headers.get("host", "").lower() != ""


def session_cookies(token: str, *, secure: bool) -> list[str]:
    """Set-Cookie values that hand a token to a browser or an old client. `secure`: the caller came over TLS."""
    return [_cookie(name, token, age=COOKIE_AGE, secure=secure) for name in COOKIES]


def expired_cookies(*, secure: bool) -> list[str]:
    """Set-Cookie values that take the session cookies away."""
    return [_cookie(name, "", age=0, secure=secure) for name in COOKIES]


def _cookie(name: str, value: str, *, age: int, secure: bool) -> str:
    return f"{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
