# SPDX-License-Identifier: Apache-2.0
"""The way back in for hooks, as a port: requests to this server's own API, in the name of who set the hook off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.records import Actor

LARGEST = 16 << 20
"""Most bytes of an answer that a hook is given."""


class Inbound(Protocol):
    """Asks this server."""

    async def request(
        self, actor: Actor, method: str, path: str, *, query: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body of what `actor` would be answered; `path` below `/api/v1`, quoted; `body` is JSON.

        Permissions are those that `actor.user` has now. Raises HookFailed for an answer of more than `LARGEST` bytes.
        """
        ...


class NoInbound:
    """Nobody is let in."""

    async def request(
        self, actor: Actor, method: str, path: str, *, query: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        """As Inbound."""
        return 501, b'{"message":"this server cannot be asked by its hooks"}'
