# SPDX-License-Identifier: Apache-2.0
"""Login by an OpenID Connect provider (OpenID Connect Core 1.0, code flow with PKCE, RFC 7636).

Nothing of a login is stored between its two steps: what the second must know travels in a signed cookie, so that only
the browser that began a login can finish it. An id token is believed when the provider's published key signed it, for
us, for this login, and it is in force; the algorithm is one of a short list of asymmetric ones.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import jwt
import msgspec

from lakehouse.core.clock import Clock, system_clock
from lakehouse.core.errors import Unauthenticated, Unavailable, Unsupported
from lakehouse.core.signing import Signer, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LOGIN_SECONDS = 600
"""How long a login may take."""
LEEWAY = 60
"""Seconds that the provider's clock may differ from ours."""
_KEPT = 3600.0
_AGAIN = 10.0
"""Seconds for which an unknown key is not asked for again."""


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A provider and what its claims mean here. `group_names`: from a group of the claim to one of ours."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    user_claim: str = "email"
    groups_claim: str = "groups"
    group_names: dict[str, str] = {}
    default_groups: tuple[str, ...] = ()


class Fetch(Protocol):
    """How the provider is reached: no redirects, and only to addresses that the operator allows."""

    async def get(self, url: str) -> bytes:
        """The body of a 200. Raises Unavailable."""
        ...

    async def post_form(self, url: str, form: Mapping[str, str], *, user: str, password: str) -> tuple[int, bytes]:
        """Status and body of what a form is answered with. Raises Unavailable."""
        ...


class Begun(msgspec.Struct, frozen=True):
    """Where to send the browser, and what it must bring back."""

    url: str
    cookie: str


class Identity(msgspec.Struct, frozen=True):
    """Who the provider says it is. `groups` None: it says nothing of groups."""

    issuer: str
    subject: str
    claims: dict[str, Any]
    groups: tuple[str, ...] | None

    @property
    def principal(self) -> str:
        """The name of the external principal that stands for it."""
        return f"{self.issuer}#{self.subject}"


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """A login between its two steps."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    after: str
    expires: int


class _Discovery(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


_tokens = msgspec.json.Decoder(dict[str, Any])
_discovery = msgspec.json.Decoder(_Discovery)
_pending = msgspec.msgpack.Decoder(Pending)


class Provider:
    """One provider: its addresses and keys, remembered for an hour."""

    def __init__(self, settings: OidcSettings, fetch: Fetch, signer: Signer, *, clock: Clock = system_clock) -> None:
        self.settings = settings
        self._fetch = fetch
        self._signer = signer
        self._clock = clock
        self._found: tuple[float, _Discovery] | None = None
        self._keys: tuple[float, dict[str, jwt.PyJWK]] = (float("-inf"), {})

    @property
    def configured(self) -> bool:
        """Whether there is a provider at all."""
        return bool(self.settings.issuer and self.settings.client_id)

    async def begin(self, *, redirect_uri: str, after: str) -> Begun:
        """The first step of a login, which ends at the path `after`. Raises Unsupported, Unavailable."""
        found = await self._discover()
        pending = Pending(
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(48),
            redirect_uri,
            after,
            int(self._clock()) + LOGIN_SECONDS,
        )
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.settings.scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": encode(hashlib.sha256(pending.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        packed = encode(msgspec.msgpack.encode(pending))
        joint = "&" if "?" in found.authorization_endpoint else "?"
        url = f"{found.authorization_endpoint}{joint}{urlencode(query)}"
        return Begun(url, f"{packed}.{self._signer.sign(('oidc', packed))}")

    async def finish(self, *, code: str, state: str, cookie: str) -> tuple[Identity, str]:
        """The second step: who it is, and the path that the login was to end at.

        Raises Unauthenticated unless this browser began this login, Unavailable when the provider cannot be asked.
        """
        packed, _, signature = cookie.partition(".")
        raw = decode(packed)
        if not code or raw is None or not self._signer.verify(("oidc", packed), signature):
            raise Unauthenticated
        pending = _pending.decode(raw)
        if pending.expires < self._clock() or not secrets.compare_digest(pending.state, state):
            raise Unauthenticated
        form = {"code_verifier": pending.verifier}
        identity = await self.exchange(code, redirect_uri=pending.redirect_uri, nonce=pending.nonce, form=form)
        return identity, pending.after

    async def exchange(
        self, code: str, *, redirect_uri: str, nonce: str | None = None, form: Mapping[str, str] | None = None
    ) -> Identity:
        """Who a code stands for. Without a `nonce` the caller has seen to it that the code is their own.

        Raises Unauthenticated, Unavailable.
        """
        found = await self._discover()
        wanted = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, **(form or {})}
        status, body = await self._fetch.post_form(
            found.token_endpoint, wanted, user=self.settings.client_id, password=self.settings.client_secret
        )
        if status >= 500:
            raise Unavailable("the identity provider cannot be asked now; try again")
        try:
            answer = _tokens.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unauthenticated from error
        text = answer.get("id_token")
        if status != 200 or not isinstance(text, str):
            raise Unauthenticated
        return await self.verify(text, nonce=nonce)

    async def verify(self, text: str, *, nonce: str | None = None) -> Identity:
        """Whose id token this is. Raises Unauthenticated, without saying what is wrong, Unsupported, Unavailable."""
        found = await self._discover()
        try:
            header = jwt.get_unverified_header(text)
            key = await self._key(found, str(header.get("kid", "")))
            if header.get("alg") not in ALGORITHMS or key is None:
                raise Unauthenticated
            claims = jwt.decode(
                text,
                key,
                algorithms=[header["alg"]],
                audience=self.settings.client_id,
                issuer=found.issuer,
                options={"require": ["exp", "iat", "sub", "aud", "iss"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, UnicodeError, TypeError) as error:
            raise Unauthenticated from error
        self._require_in_force(claims, nonce)
        return self._identity(found, claims)

    def _require_in_force(self, claims: dict[str, Any], nonce: str | None) -> None:
        now = self._clock()
        expires, issued = claims["exp"], claims["iat"]
        if not isinstance(expires, int | float) or not isinstance(issued, int | float):
            raise Unauthenticated
        if expires + LEEWAY <= now or issued - LEEWAY > now:
            raise Unauthenticated
        if nonce is not None and claims.get("nonce") != nonce:
            raise Unauthenticated
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (several or "azp" in claims) and claims.get("azp") != self.settings.client_id:
            raise Unauthenticated

    def _identity(self, found: _Discovery, claims: dict[str, Any]) -> Identity:
        said = claims.get(self.settings.groups_claim)
        groups: tuple[str, ...] | None = None
        if isinstance(said, str):
            said = [said]
        if isinstance(said, list):
            names = [self.settings.group_names.get(name, name) for name in said if isinstance(name, str)]
            groups = tuple(dict.fromkeys([*names, *self.settings.default_groups]))
        elif self.settings.default_groups:
            groups = self.settings.default_groups
        return Identity(found.issuer, str(claims["sub"]), claims, groups)

    # -- what the provider publishes -----------------------------------------------------------------------------------

    async def _discover(self) -> _Discovery:
        if not self.configured:
            raise Unsupported("OpenID Connect is not configured here: Not Implemented")
        if self._found is not None and self._found[0] + _KEPT > self._clock():
            return self._found[1]
        issuer = self.settings.issuer
        body = await self._fetch.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        try:
            found = _discovery.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("the identity provider's description cannot be read") from error
        if found.issuer.rstrip("/") != issuer.rstrip("/"):
            raise Unavailable("the identity provider's description is of another issuer")
        self._found = (self._clock(), found)
        return found

    async def _key(self, found: _Discovery, key_id: str) -> jwt.PyJWK | None:
        """The provider's key of this id. One that is not known is looked for again: keys are rotated."""
        asked, known = self._keys
        now = self._clock()
        stale = now - asked >= _KEPT or (key_id not in known and now - asked >= _AGAIN)
        if stale:
            known = _key_set(await self._fetch.get(found.jwks_uri))
            self._keys = (now, known)
        if not key_id and len(known) == 1:
            return next(iter(known.values()))
        return known.get(key_id)


def _key_set(body: bytes) -> dict[str, jwt.PyJWK]:
    """The asymmetric keys of a JWK set by id."""
    try:
        listed = _tokens.decode(body)["keys"]
        found = {}
        for one in listed:
            if one.get("kty") in ("RSA", "EC", "OKP") and one.get("use", "sig") == "sig":
                found[str(one.get("kid", ""))] = jwt.PyJWK.from_dict(one)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise Unavailable("the identity provider's keys cannot be read") from error
    return found
