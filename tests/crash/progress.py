# SPDX-License-Identifier: Apache-2.0
"""How much clients have got done: tests kill and stop by it, not by the clock, so that a slow machine tries what a fast
one does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Progress:
    """Acknowledged writes and commits, and the wait for more of them."""

    def __init__(self) -> None:
        self.writes = 0
        self.commits = 0
        self._goal = (0, 0)
        self._reached = asyncio.Event()

    def note(self, *, writes: int = 0, commits: int = 0) -> None:
        """So many more."""
        self.writes += writes
        self.commits += commits
        if self.writes >= self._goal[0] and self.commits >= self._goal[1]:
            self._reached.set()

    async def reach(self, clients: Iterable[asyncio.Future[Any]], *, writes: int, commits: int) -> None:
        """Wait for so many in all. Raises AssertionError when a client ends before."""
        self._goal, self._reached = (writes, commits), asyncio.Event()
        self.note()
        reached = asyncio.ensure_future(self._reached.wait())
        ended, _ = await asyncio.wait((reached, *clients), return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        assert ended == {reached}, [client.exception() for client in ended - {reached}]
