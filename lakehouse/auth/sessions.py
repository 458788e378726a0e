# SPDX-License-Identifier: Apache-2.0
"""Short-lived access keys with a session token, as AWS STS gives them: nothing of them is stored.

The token says whose the session is, until when, and to what it is narrowed; the secret is derived from it. So a token
cannot be changed, and without it the key means nothing. A session ends early when its user is deleted, or has all
sessions revoked. It may never do more than its user, and it makes no other sessions.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth import keys
from lakehouse.auth.scopes import as_text
from lakehouse.core.errors import (
    InsufficientPermissions,
    InvalidArgument,
    SessionExpired,
    SessionInvalid,
    UserNotFound,
)
from lakehouse.core.ids import UserId
from lakehouse.core.records import Credentials, PolicyStatement
from lakehouse.core.signing import decode, encode
from lakehouse.meta import users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.auth.directory import Directory
    from lakehouse.auth.keys import KeyRing
    from lakehouse.core.records import User
    from lakehouse.db.port import Database

SHORTEST, DEFAULT, LONGEST = 60, 3600, 12 * 3600
"""Lifetimes in seconds."""
TOKEN_HEADER = "x-amz-security-token"  # noqa: S105  (a header's name)
_PREFIX = "ASIA"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LONGEST_POLICY = 2048
"""Most bytes of a narrowing policy: it travels in a header."""
_MAC = 32


class Session(msgspec.Struct, frozen=True):
    """A session as it is handed out. `expires` in seconds since 1970."""

    credentials: Credentials
    token: str
    expires: int


class _Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. `scope`: JSON statements that narrow what the user may do, or ""."""

    access_key_id: str
    user: int
    issued: int
    expires: int
    scope: str


_claims = msgspec.msgpack.Decoder(_Claims)


def create(
    ring: KeyRing,
    user: User,
    *,
    now: float,
    seconds: int = DEFAULT,
    policy: Sequence[PolicyStatement] = (),
    longest: int = LONGEST,
) -> Session:
    """A session of `user`, narrowed to what `policy` allows too, if there is one.

    Computed, not stored: a tenth of a millisecond. Raises InvalidArgument, InvalidPolicy, and InsufficientPermissions
    for a user who came by a session or by a narrowed key.
    """
    if user.session or user.scope:
        raise InsufficientPermissions("insufficient permissions: a session makes no sessions")
    if not SHORTEST <= seconds <= longest:
        raise InvalidArgument(f"duration_seconds: {seconds}: invalid value: validation error ({SHORTEST} to {longest})")
    scope = as_text(policy, most=_LONGEST_POLICY)
    issued = max(int(now), user.valid_after)
    name = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    claims = _Claims(_PREFIX + name, user.id, issued, issued + seconds, scope)
    payload = msgspec.msgpack.encode(claims)
    key_id, key = ring.derive(keys.SESSION)
    token = f"{key_id}.{encode(hmac.digest(key, b'token' + payload, 'sha256') + payload)}"
    pair = Credentials(claims.access_key_id, _secret(key, payload), user, issued)
    return Session(pair, token, claims.expires)


async def verify(db: Database, ring: KeyRing, access_key_id: str, token: str, *, now: float) -> Credentials:
    """The pair of a session in force, with its user marked as one. One read, of the user.

    Raises SessionInvalid for a token that is not ours or goes with another key, or whose user is gone; SessionExpired
    for one whose time has passed, or that was revoked.
    """
    key_id, _, text = token.partition(".")
    key = ring.find(key_id, keys.SESSION)
    raw = decode(text)
    if key is None or raw is None or len(raw) <= _MAC:
        raise SessionInvalid
    payload = raw[_MAC:]
    if not hmac.compare_digest(hmac.digest(key, b"token" + payload, "sha256"), raw[:_MAC]):
        raise SessionInvalid
    claims = _claims.decode(payload)
    if not hmac.compare_digest(claims.access_key_id.encode(), access_key_id.encode(errors="surrogatepass")):
        raise SessionInvalid
    if claims.expires <= now:
        raise SessionExpired
    user = await users.by_id(db, UserId(claims.user))
    if user is None:
        raise SessionInvalid
    if claims.issued < user.valid_after:
        raise SessionExpired
    held = msgspec.structs.replace(user, session=True, scope=claims.scope)
    return Credentials(claims.access_key_id, _secret(key, payload), held, claims.issued)


async def revoke(directory: Directory, name: str) -> None:
    """Void all sessions and login tokens that a user was given until now; key pairs stay. Raises UserNotFound."""
    user = await directory.user(name)
    await directory.change(
        users.require(user.id, otherwise=UserNotFound()),
        users.revoke_tokens(user.id, before=directory.now + 1),
    )


def _secret(key: bytes, payload: bytes) -> str:
    return base64.b64encode(hmac.digest(key, b"secret" + payload, "sha256")[:30]).decode()
