# SPDX-License-Identifier: Apache-2.0
"""Presigned URLs of the store that the server itself serves, with the key that is reserved for them.

The signatures are those of `lakehouse.core.sigv4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.clock import system_clock
from lakehouse.core.sigv4 import SigningKeys, presign_url
from lakehouse.objects.address import key_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Location

PRESIGN_KEY_ID = "LAKEHOUSE-PRESIGN"
"""Access key id of the reserved internal key; no user's key has it."""


class EmbeddedPresigner:
    """Presigned URLs of the store that this server itself serves: `{endpoint}/{bucket}/{key}`."""

    def __init__(
        self,
        *,
        secret: str,
        region: str = "us-east-1",
        access_key_id: str = PRESIGN_KEY_ID,
        clock: Clock = system_clock,
    ) -> None:
        self._secret = secret
        self._region = region
        self._access_key_id = access_key_id
        self._clock = clock
        self._keys = SigningKeys()

    def presign(
        self, method: str, location: Location, *, expires: int, endpoint: str, query: Sequence[tuple[str, str]] = ()
    ) -> str:
        """A URL for GET or PUT, valid for `expires` seconds (1 to 604,800). Raises InvalidArgument."""
        return presign_url(
            method,
            endpoint=endpoint,
            path=f"/{location.bucket}/".encode() + key_bytes(location.key),
            access_key_id=self._access_key_id,
            secret=self._secret,
            region=self._region,
            now=self._clock(),
            expires=expires,
            query=query,
            keys=self._keys,
        )
