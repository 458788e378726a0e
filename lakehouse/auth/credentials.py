# SPDX-License-Identifier: Apache-2.0
"""Access key pairs: made, encrypted at rest, looked up.

S3 signatures can only be verified with the secret itself, so secrets are encrypted (AES-256-GCM) and not hashed. The
ciphertext is bound to its user and key id: moved to another row, it does not open. Rows are not cached: a lookup is
one read, so that a deleted pair is void at once in every process.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.auth import keys, sessions
from lakehouse.auth.checker import AnyUser
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import InvalidArgument, StartupError, Unauthenticated
from lakehouse.core.records import Credentials, User
from lakehouse.meta import credentials as rows
from lakehouse.meta import installation

if TYPE_CHECKING:
    from lakehouse.auth.checker import Checker
    from lakehouse.auth.keys import KeyRing
    from lakehouse.core.clock import Clock
    from lakehouse.db.port import Database

SETUP = "setup"
"""Key of the installation's state: absent, then perhaps PROVISIONAL, then DONE."""
PROVISIONAL = "provisional"
"""The first pair was made by the server itself, and nobody has used it yet."""
DONE = "done"

_NONCE = 12
_PROVED = 1000
"""Pairs whose last success is remembered."""
_KEY_ID = re.compile(r"[A-Za-z0-9._+-]{3,128}")
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def generate_pair() -> tuple[str, str]:
    """A new access key id (20 characters, `AKIAJ...Q`) and its secret (40 characters, 240 random bits)."""
    name = "".join(secrets.choice(_BASE32) for _ in range(14))
    return f"AKIAJ{name}Q", base64.b64encode(os.urandom(30)).decode()


def check_pair(access_key_id: str, secret_access_key: str) -> None:
    """Judge a pair that somebody chose. Raises InvalidArgument."""
    if not _KEY_ID.fullmatch(access_key_id):
        raise InvalidArgument(
            "argument access_key_id: invalid value: validation error (3 to 128 of letters, digits, '.', '_', '+', '-')"
        )
    if not 8 <= len(secret_access_key) <= 256 or not (secret_access_key.isascii() and secret_access_key.isprintable()):
        raise InvalidArgument(
            "argument secret_access_key: invalid value: validation error (8 to 256 printable ASCII characters)"
        )


def encrypt(ring: KeyRing, credentials: Credentials) -> rows.Stored:
    """The pair as a row, under the current key."""
    key_id, key = ring.derive(keys.CREDENTIALS)
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key).encrypt(
        nonce, credentials.secret_access_key.encode(), _bound(credentials.user, credentials.access_key_id)
    )
    return rows.Stored(credentials.access_key_id, nonce + sealed, key_id, credentials.created, credentials.user)


def decrypt(ring: KeyRing, row: rows.Stored) -> Credentials | None:
    """The pair of a row; None when its key is not live or the ciphertext is not that of this row."""
    key = ring.find(row.key_id, keys.CREDENTIALS)
    if key is None:
        return None
    try:
        secret = (
            AESGCM(key).decrypt(row.secret[:_NONCE], row.secret[_NONCE:], _bound(row.user, row.access_key_id)).decode()
        )
    except (InvalidTag, ValueError):
        return None
    return Credentials(row.access_key_id, secret, row.user, row.created)


def same_secret(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass"))


def parse_basic(material: str) -> tuple[str, str]:
    """Access key id and secret of a Basic header (RFC 7617). Raises Unauthenticated."""
    try:
        name, colon, secret = base64.b64decode(material, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthenticated from error
    if not colon:
        raise Unauthenticated
    return name, secret


class CredentialStore:
    """Looks up key pairs. The first use of the pair that the server made for itself ends the open setup.

    The row is read each time; what is remembered is only that a pair opened exactly this row before.
    """

    def __init__(
        self, db: Database, ring: KeyRing, *, checker: Checker | None = None, clock: Clock = system_clock
    ) -> None:
        self._db = db
        self._clock = clock
        self._ring = ring
        self._checker: Checker = checker or AnyUser()
        self._settled = False
        self._proved: dict[bytes, rows.Stored] = {}

    async def lookup(self, access_key_id: str) -> Credentials | None:
        """The pair with this id and its user, about whom the checker then knows what it will be asked; or None.

        One read. Raises DatabaseUnavailable.
        """
        row = await self._row(access_key_id)
        if row is None:
            return None
        if not self._settled:
            await self._settle()
            return await self.lookup(access_key_id)
        found = decrypt(self._ring, row)
        if found is not None:
            await self._checker.prepare(found.user)
        return found

    async def lookup_session(self, access_key_id: str, token: str) -> Credentials:
        """The same for the pair of a session, which its token tells. Raises SessionInvalid, SessionExpired."""
        found = await sessions.verify(self._db, self._ring, access_key_id, token, now=self._clock())
        await self._checker.prepare(found.user)
        return found

    async def check(self, access_key_id: str, secret_access_key: str, *, token: str | None = None) -> User:
        """The user whose pair this is; `token` is that of a session. Raises Unauthenticated."""
        if token is not None:
            held = await sessions.verify(self._db, self._ring, access_key_id, token, now=self._clock())
            if not same_secret(held.secret_access_key, secret_access_key):
                raise Unauthenticated
            return held.user
        known = await self.lookup(access_key_id)
        if known is None or not same_secret(known.secret_access_key, secret_access_key):
            raise Unauthenticated
        return known.user

    async def check_basic(self, material: str, *, token: str | None = None) -> User:
        """As `check`, of a pair as a Basic header has it. Raises Unauthenticated."""
        if token is not None:
            return await self.check(*parse_basic(material), token=token)
        proof = hashlib.sha256(material.encode(errors="surrogatepass")).digest()
        proved = self._proved.get(proof)
        if proved is not None and await self._row(proved.access_key_id) == proved:
            return proved.user
        access_key_id, secret_access_key = parse_basic(material)
        row = await self._row(access_key_id)
        user = await self.check(access_key_id, secret_access_key)
        if row is not None:
            if len(self._proved) >= _PROVED:
                self._proved.clear()
            self._proved[proof] = row
        return user

    async def _row(self, access_key_id: str) -> rows.Stored | None:
        """The row of this id; what cannot be an id is not looked for."""
        return await rows.by_access_key(self._db, access_key_id) if _KEY_ID.fullmatch(access_key_id) else None

    async def _settle(self) -> None:
        if await installation.find(self._db, SETUP) == PROVISIONAL:
            await self._db.apply(installation.exchange(SETUP, PROVISIONAL, DONE))
        self._settled = True


async def reencrypt(db: Database, ring: KeyRing) -> int:
    """Bring every pair under the current key; how many were changed. Raises StartupError when one does not open."""
    changed = 0
    while stale := await rows.not_under(db, ring.current):
        fresh = []
        for row in stale:
            pair = decrypt(ring, row)
            if pair is None:
                raise StartupError(
                    f"the access key {row.access_key_id} is encrypted with the secret of key id {row.key_id}, which is "
                    "not configured: set LAKEHOUSE_OTHER_SECRET to it"
                )
            fresh.append(encrypt(ring, pair))
        await db.apply(rows.replace_secrets(fresh, old=[row.secret for row in stale]))
        changed += len(fresh)
    return changed


def _bound(user: User, access_key_id: str) -> bytes:
    return f"{user.id} {access_key_id}".encode()
