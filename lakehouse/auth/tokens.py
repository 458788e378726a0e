# SPDX-License-Identifier: Apache-2.0
"""Login tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA256.

The algorithm is pinned: what the token's own header asks for is compared, never obeyed. The header names the key
(`kid`), so that two keys can be live.
"""

from __future__ import annotations

import hashlib
import secrets

import jwt
import msgspec
from jwt.types import Options  # noqa: TC002

from lakehouse.auth.keys import JWT, KeyRing
from lakehouse.core.errors import Unauthenticated
from lakehouse.core.records import User  # noqa: TC001

LIFETIME = 7 * 24 * 3600
"""Seconds that a token is good for."""
ALGORITHM = "HS256"
AUDIENCE = "login"
ISSUER = "auth"
CLIENT_ISSUER = "iam"
"""Issuer of tokens that were given for an access key pair to a client which wants to be named as their audience."""
_REMEMBERED = 1000
_OPTIONS: Options = {
    "require": ["exp", "iat", "sub", "aud", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_aud": False,  # it depends on the issuer, and is looked at below
}


class Claims(msgspec.Struct, frozen=True):
    """What a token says. `iat` and `exp` in seconds; `uid` is the user, names are for people and other programs. `aud`
    is the access key id where `iss` is CLIENT_ISSUER.
    """

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


def issue(
    keys: KeyRing, user: User, *, now: float, seconds: int | None = None, access_key_id: str | None = None
) -> Token:
    """A token for `user`, good for `seconds` from now, or `LIFETIME` if that is less or nothing is said.

    `access_key_id`: the pair that it is given for, and without which it is void.
    """
    key_id, key = keys.derive(JWT)
    issued = max(int(now), user.valid_after)
    claims = Claims(
        iss=ISSUER if access_key_id is None else CLIENT_ISSUER,
        aud=AUDIENCE if access_key_id is None else access_key_id,
        sub=user.name,
        identity=user.name,
        uid=user.id,
        jti=secrets.token_urlsafe(16),
        iat=issued,
        exp=issued + (LIFETIME if seconds is None else min(seconds, LIFETIME)),
    )
    text = jwt.encode(msgspec.structs.asdict(claims), key, algorithm=ALGORITHM, headers={"kid": key_id})
    return Token(text, claims.exp)


class TokenReader:
    """Verifies tokens. What a signature proved once it proves for ever, so the claims of a token are remembered by the
    token's digest; whether they are in force is asked each time.
    """

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._claims: dict[bytes, Claims] = {}

    def verify(self, text: str, *, now: float) -> Claims:
        """The claims of a token that is ours and in force. Raises Unauthenticated, without saying what is wrong."""
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
        claims = self._claims.get(digest)
        if claims is None:
            claims = self._decoded(text)
            if len(self._claims) >= _REMEMBERED:
                self._claims.clear()
            self._claims[digest] = claims
        if claims.exp <= now:
            raise Unauthenticated
        return claims

    def _decoded(self, text: str) -> Claims:
        try:
            key = self._keys.find(str(jwt.get_unverified_header(text).get("kid")), JWT)
            if key is None:
                raise Unauthenticated
            issuers = (ISSUER, CLIENT_ISSUER)
            found = jwt.decode(text, key, algorithms=[ALGORITHM], issuer=issuers, options=_OPTIONS)
            claims = msgspec.convert(found, Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, UnicodeError) as error:
            raise Unauthenticated from error
        if claims.iss == ISSUER and claims.aud != AUDIENCE:
            raise Unauthenticated
        return claims
