# SPDX-License-Identifier: Apache-2.0
"""The way out for hooks, as a port: whoever implements it decides where requests may go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 3600.0
"""Seconds that a hook may take at most, whatever it says itself."""


class Outbound(Protocol):
    """Requests to addresses that users wrote into a repository."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109
    ) -> tuple[int, bytes]:
        """Status and the first part of the answer's body; redirects are not followed. `timeout` in seconds is for all
        of it. Raises Unavailable where the address may not or cannot be reached.
        """
        ...
