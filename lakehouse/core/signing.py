# SPDX-License-Identifier: Apache-2.0
"""Signatures over values, with keys that can be rotated: each signature names the key it was made with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from binascii import b2a_base64
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KEY_ID = 4
_MAC = 24
SIGNATURE = 38
"""Characters of a signature."""
_FILL = b"\x00\x00"
"""What makes key id and MAC a multiple of three bytes, so that many of them are one piece of Base64."""
_CELL = 40
"""Characters of a signature with its fill; they do not change the signature's own."""
_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

_TO_URL = bytes.maketrans(b"+/", b"-_")

_States = tuple["hashlib._Hash", "hashlib._Hash"]
_encode = msgspec.msgpack.Encoder().encode


class Signer:
    """HMAC-SHA256 (cut to 192 bits) over MessagePack of a tuple. The first of `keys` signs, all of them verify.

    `keys` maps key ids to secrets; an id's first four bytes travel in each signature.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise BadConfiguration("no signing key is configured")
        self._keys = {
            key_id.encode().ljust(_KEY_ID, b"\x00")[:_KEY_ID]: _states(secret) for key_id, secret in keys.items()
        }
        self._current = next(iter(self._keys))
        self.sign_again = lru_cache(maxsize=4096)(self.sign)
        """As `sign`, for values that are signed over and over."""

    def sign(self, value: tuple[object, ...]) -> str:
        """A signature of 38 characters, URL-safe."""
        return encode(self._current + self._mac(self._keys[self._current], _encode(value)))

    def verify(self, value: tuple[object, ...], signature: str) -> bool:
        """Whether one of the keys made this signature of this value."""
        if not signature.isascii():
            return False
        encoded = _encode(value)
        for key_id, states in self._keys.items():
            if hmac.compare_digest(encode(key_id + self._mac(states, encoded)), signature):
                return True
        return False

    def series(self, *first: object, more: int) -> Series:
        """Values of `more` fields beside these, which they all begin with."""
        return Series(self._current, self._keys[self._current], _encode([*first, *[None] * more])[:-more])

    @staticmethod
    def _mac(states: _States, encoded: bytes) -> bytes:
        inner, outer = states[0].copy(), states[1].copy()
        inner.update(encoded)
        outer.update(inner.digest())
        return outer.digest()[:_MAC]


class Series:
    """Signs by the page, with the signer's current key, values that begin alike. Made by `Signer.series`.

    What they have in common is hashed once, and the signatures of a page become text in one step: half of what `sign`
    and `verify` cost. A page in which something is not right is for `verify`, which knows the other keys too.
    """

    def __init__(self, key_id: bytes, states: _States, begun: bytes) -> None:
        self._key_id = key_id
        self._inner, self._outer = states[0].copy(), states[1]
        self._inner.update(begun)

    def sign(self, rests: Iterable[tuple[object, ...]]) -> list[str]:
        """The signature of each value, of which `rests` has what is its own; as `Signer.sign` makes them."""
        cells = self._cells(rests)
        return [cells[at : at + SIGNATURE] for at in range(0, len(cells), _CELL)]

    def verify(self, rests: Sequence[tuple[object, ...]], signatures: Sequence[str]) -> bool:
        """Whether each of the signatures is, to the letter, what `sign` makes of the value in its place."""
        fill = "A" * (_CELL - SIGNATURE)
        if len(rests) != len(signatures) or not set(map(len, signatures)) <= {SIGNATURE}:
            return False
        given = fill.join([*signatures, ""])
        return given.isascii() and hmac.compare_digest(self._cells(rests), given)

    def _cells(self, rests: Iterable[tuple[object, ...]]) -> str:
        begin, end, macs = self._inner.copy, self._outer.copy, []
        for rest in rests:
            inner, outer = begin(), end()
            inner.update(_encode(rest)[1:])
            outer.update(inner.digest())
            macs.append(outer.digest()[:_MAC])
        raw = self._key_id + (_FILL + self._key_id).join(macs) + _FILL if macs else b""
        return b2a_base64(raw, newline=False).translate(_TO_URL).decode()


def _states(secret: bytes) -> _States:
    """HMAC's two hashes (RFC 2104) after the key: going on from copies of them takes a third of the time."""
    key = hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret
    padded = key.ljust(_BLOCK, b"\x00")
    return hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))


def encode(raw: bytes) -> str:
    """Base64 for URLs, without padding."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """The bytes of `encode`; None when the text is not its output."""
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if encode(raw) == text else None
