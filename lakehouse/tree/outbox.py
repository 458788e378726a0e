# SPDX-License-Identifier: Apache-2.0
"""Nodes on their way to the store while the next ones are made: one batch at a time, so that memory stays bounded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from lakehouse.format.node import Encoded
    from lakehouse.tree.store import NodeStore


class Outbox:
    """An asynchronous context: all that was sent is durable at its end; what fails is raised, at the latest there.

    When the block fails, the batch that is under way is given up.
    """

    def __init__(self, store: NodeStore) -> None:
        self._store = store
        self._writing: asyncio.Task[None] | None = None

    async def send(self, nodes: list[Encoded]) -> None:
        """Begin to store nodes, once those before are durable. Raises StorageFull, StorageUnavailable of those."""
        await self._settle()
        if nodes:
            self._writing = asyncio.create_task(self._store.write(nodes))

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self._settle()
        elif self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
            if not self._writing.cancelled():
                self._writing.exception()
