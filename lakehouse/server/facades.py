# SPDX-License-Identifier: Apache-2.0
"""Which interfaces of other systems are switched on, put together from a configuration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lakehouse.facades.cache.evicting import evict_for_ever
from lakehouse.facades.cache.rest import CacheRoutes
from lakehouse.facades.cache.service import CacheOptions, CacheService

if TYPE_CHECKING:
    from lakehouse.auth.checker import Checker
    from lakehouse.config.model import Config
    from lakehouse.core.records import User
    from lakehouse.versioning.lake import Lake
    from lakehouse.wire.operation import Operation


class Facades:
    """The facades of one server. `handlers`: by the tag of their operations, what has a function for each."""

    def __init__(self, config: Config, lake: Lake, checker: Checker) -> None:
        self._checker = checker
        self._tasks: list[asyncio.Task[None]] = []
        self.handlers: dict[str, object] = {}
        self._off: set[str] = set()
        if config.facades.flyte == "on":
            self._open_flyte(config, lake)
        else:
            self._off.add("cache")

    def serves(self, operation: Operation) -> bool:
        """Whether an operation is not switched off."""
        return operation.tag not in self._off

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self._tasks:
            task.cancel()

    def _open_flyte(self, config: Config, lake: Lake) -> None:
        cache = CacheService(lake, may_read=self._may_read, options=cache_options(config))
        self.handlers["cache"] = CacheRoutes(cache)
        self._tasks.append(asyncio.get_running_loop().create_task(evict_for_ever(cache)))

    def _may_read(self, user: User | None, repository: str, path: str) -> bool:
        return self._checker.allowed(user, "fs:ReadObject", f"repository/{repository}/object/{path}")


def cache_options(config: Config) -> CacheOptions:
    """How the cache of Flyte behaves."""
    given = config.flyte
    return CacheOptions(
        max_heartbeat=given.max_heartbeat, grace=given.grace, ignore_org=given.ignore_org, keep=given.keep
    )
