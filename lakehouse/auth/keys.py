# SPDX-License-Identifier: Apache-2.0
"""Keys for every purpose, from one master secret.

Each purpose has its own key (HKDF-SHA256), so that what is signed for one can never pass for another. Every signature,
token and ciphertext carries the id of the master secret that it was made with. Two may be live at once: new things are
made with the current one, old things of the other are still accepted. That is how a secret is changed without a pause:
first every server accepts the new one beside the old, then every server uses it, then the old one is dropped.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lakehouse.core.errors import BadConfiguration
from lakehouse.core.signing import Signer, encode

JWT: Final = "jwt"
ADDRESS: Final = "address"
STAGING_TOKEN: Final = "staging-token"  # noqa: S105  (names of purposes, not secrets)
COOKIE: Final = "cookie"
CREDENTIALS: Final = "credentials-aes"
PRESIGN: Final = "presign"
SETUP: Final = "setup-token"
SESSION: Final = "session-token"
OIDC: Final = "oidc-login"
AUDIT: Final = "audit-chain"
STORAGE_URL: Final = "storage-url"
BUCKETS: Final = "bucket-credentials-aes"

_SALT = b"lakehouse master secret v1"


def derived(master: bytes, purpose: str) -> bytes:
    """32 bytes for this purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=_SALT, info=purpose.encode()).derive(master)


class KeyRing:
    """The current master secret, and perhaps a second one that is still accepted. Immutable; its repr shows no key."""

    def __init__(self, current: bytes, other: bytes | None = None) -> None:
        masters = (current,) if other is None or other == current else (current, other)
        self._masters = {encode(derived(master, "key-id")[:3]): master for master in masters}
        if len(self._masters) != len(masters):
            raise BadConfiguration("secret and other_secret have the same key id by chance: choose another new one")
        self._current = next(iter(self._masters))
        self._derived: dict[tuple[str, str], bytes] = {}

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._masters)})"

    @property
    def current(self) -> str:
        """Id of the key that new things are made with: 4 characters, URL-safe."""
        return self._current

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Ids of all live keys, the current one first."""
        return tuple(self._masters)

    def derive(self, purpose: str) -> tuple[str, bytes]:
        """Current key id and 32 bytes of key for `purpose`."""
        key = self.find(self._current, purpose)
        if key is None:  # pragma: no cover - the current key is always in the ring
            raise KeyError(self._current)
        return self._current, key

    def find(self, key_id: str, purpose: str) -> bytes | None:
        """32 bytes of key for `purpose` by the key id that a token names; None when that key is not live."""
        known = self._derived.get((key_id, purpose))
        if known is not None:
            return known
        master = self._masters.get(key_id)
        if master is None:
            return None
        return self._derived.setdefault((key_id, purpose), derived(master, purpose))

    def signer(self, purpose: str) -> Signer:
        """A signer for `purpose`: signs with the current key, verifies with every live one."""
        return Signer({key_id: derived(master, purpose) for key_id, master in self._masters.items()})

    def fingerprint(self, key_id: str) -> str:
        """What the database remembers a live secret by: 64 hex digits that reveal nothing of it."""
        return derived(self._masters[key_id], "fingerprint").hex()
