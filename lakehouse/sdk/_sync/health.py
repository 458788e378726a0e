# SPDX-License-Identifier: Apache-2.0
"""Whether the server is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.health import HEALTH_CHECK

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Health:
    """Operations without an account."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def health_check(self) -> None:
        """Return when the server is alive. Raises Unavailable."""
        self._transport.send(HEALTH_CHECK)
