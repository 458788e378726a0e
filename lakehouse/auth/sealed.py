# SPDX-License-Identifier: Apache-2.0
"""Secrets at rest that the server has to know again: AES-256-GCM under a key of their own purpose.

A ciphertext is bound to what it belongs to: moved to another row, it does not open.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from lakehouse.auth.keys import KeyRing

_NONCE = 12


class Sealed(msgspec.Struct, frozen=True):
    """A ciphertext, and the id of the master key that opens it."""

    data: bytes
    key_id: str


def seal(ring: KeyRing, purpose: str, plain: bytes, *, bound: str) -> Sealed:
    """Encrypt under the current key."""
    key_id, key = ring.derive(purpose)
    nonce = os.urandom(_NONCE)
    return Sealed(nonce + AESGCM(key).encrypt(nonce, plain, bound.encode()), key_id)


def unseal(ring: KeyRing, purpose: str, sealed: Sealed, *, bound: str) -> bytes | None:
    """What was encrypted; None when its key is not live or it belongs to something else."""
    key = ring.find(sealed.key_id, purpose)
    if key is None:
        return None
    try:
        return AESGCM(key).decrypt(sealed.data[:_NONCE], sealed.data[_NONCE:], bound.encode())
    except (InvalidTag, ValueError):
        return None
