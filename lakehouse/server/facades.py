# SPDX-License-Identifier: Apache-2.0
"""Which interfaces of other systems are switched on, put together from a configuration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lakehouse.facades.cache.evicting import evict_for_ever
from lakehouse.facades.cache.rest import CacheRoutes
from lakehouse.facades.cache.service import CacheOptions, CacheService
from lakehouse.facades.kv.expiry import expire_for_ever
from lakehouse.server.descartes import descartes_sides, descartes_values

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lakehouse.asgi.dispatch import ApiApp
    from lakehouse.config.model import Config
    from lakehouse.core.records import User
    from lakehouse.server.parts import Parts
    from lakehouse.wire.operation import Operation


class Facades:
    """The facades of one server. Construct it in a running loop; `close` ends what runs in the background.

    `handlers`: by the tag of operations of the REST API, what has a function for each.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self._sides: dict[str, ApiApp] = {}
        self._off: set[str] = set()
        self.handlers: dict[str, object] = {}
        switches = parts.config.facades
        if switches.flyte == "on":
            self._open_flyte()
        else:
            self._off.add("cache")
        if switches.descartes == "on":
            self._open_descartes()

    def serves(self, operation: Operation) -> bool:
        """Whether an operation is not switched off."""
        return operation.tag not in self._off

    def side(self, path: str) -> ApiApp | None:
        """The application that a path outside the REST API belongs to."""
        return next((app for root, app in self._sides.items() if path.startswith(f"{root}/")), None)

    async def close(self) -> None:
        """End the background work, and wait for uploads whose callers have gone away."""
        for task in self._tasks:
            task.cancel()
        for app in self._sides.values():
            await app.drain()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _open_flyte(self) -> None:
        cache = CacheService(self._parts.lake, may_read=self._may_read, options=cache_options(self._parts.config))
        self.handlers["cache"] = CacheRoutes(cache)
        self._run(evict_for_ever(cache))

    def _open_descartes(self) -> None:
        values = descartes_values(self._parts)
        self._sides |= descartes_sides(self._parts, values)
        self._run(expire_for_ever(values))

    def _may_read(self, user: User | None, repository: str, path: str) -> bool:
        return self._parts.checker.allowed(user, "fs:ReadObject", f"repository/{repository}/object/{path}")


def cache_options(config: Config) -> CacheOptions:
    """How the cache of Flyte behaves."""
    given = config.flyte
    return CacheOptions(
        max_heartbeat=given.max_heartbeat, grace=given.grace, ignore_org=given.ignore_org, keep=given.keep
    )
