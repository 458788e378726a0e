# SPDX-License-Identifier: Apache-2.0
"""Login tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.

The algorithm is pinned: what the token's own header asks for is compared, never obeyed. The header names the key
(`kid`). Written out here because it is forty lines and a few microseconds a token; the usual package takes 55 us, and
20 MiB and 0.1 s to import. The tests hold it to that package.
"""

from __future__ import annotations

import hmac
import secrets

import msgspec

from lakehouse.auth.keys import JWT, KeyRing
from lakehouse.core.errors import Unauthenticated
from lakehouse.core.records import User  # noqa: TC001
from lakehouse.core.signing import decode, encode

LIFETIME = 7 * 24 * 3600
"""Seconds that a token is good for."""
ALGORITHM = "HS256"
AUDIENCE = "login"
ISSUER = "auth"


class Header(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JOSE header. A token with any critical extension is refused: none is understood here."""

    alg: str
    kid: str
    typ: str = ""
    crit: msgspec.Raw | None = None


class Claims(msgspec.Struct, frozen=True):
    """What a token says. `iat` and `exp` in seconds; `uid` is the user, names are for people and other programs."""

    iss: str
    aud: str
    sub: str
    identity: str
    uid: int
    jti: str
    iat: int
    exp: int


class Token(msgspec.Struct, frozen=True):
    """A token as it is sent; `expires` in seconds since 1970."""

    text: str
    expires: int


_HEADER = msgspec.json.Decoder(Header)
_CLAIMS = msgspec.json.Decoder(Claims)


def issue(keys: KeyRing, user: User, *, now: float) -> Token:
    """A token for `user`, good for `LIFETIME` from now."""
    key_id, key = keys.derive(JWT)
    issued = int(now)
    claims = Claims(
        iss=ISSUER,
        aud=AUDIENCE,
        sub=user.name,
        identity=user.name,
        uid=user.id,
        jti=secrets.token_urlsafe(16),
        iat=issued,
        exp=issued + LIFETIME,
    )
    signed = f"{_part(Header(ALGORITHM, key_id, 'JWT'))}.{_part(claims)}"
    return Token(f"{signed}.{encode(_mac(key, signed))}", claims.exp)


def verify(keys: KeyRing, text: str, *, now: float) -> Claims:
    """The claims of a token that is ours and in force. Raises Unauthenticated, without saying what is wrong with it."""
    signed, _, signature = text.rpartition(".")
    head, _, body = signed.partition(".")
    try:
        header = _HEADER.decode(decode(head) or b"")
        key = keys.find(header.kid, JWT)
        if header.alg != ALGORITHM or header.crit is not None or key is None:
            raise Unauthenticated
        if not hmac.compare_digest(_mac(key, signed), decode(signature) or b""):
            raise Unauthenticated
        claims = _CLAIMS.decode(decode(body) or b"")
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise Unauthenticated from error
    if claims.aud != AUDIENCE or claims.iss != ISSUER or claims.exp <= now:
        raise Unauthenticated
    return claims


def _part(value: Header | Claims) -> str:
    return encode(msgspec.json.encode(value))


def _mac(key: bytes, signed: str) -> bytes:
    return hmac.digest(key, signed.encode(), "sha256")
