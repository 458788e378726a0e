# SPDX-License-Identifier: Apache-2.0
"""Which interfaces of other systems are switched on, put together from a configuration."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from lakehouse.facades.buckets.service import reseal
from lakehouse.facades.cache.connect import ROOT
from lakehouse.facades.cache.evicting import evict_for_ever
from lakehouse.facades.cache.rest import CacheRoutes
from lakehouse.facades.kv.expiry import expire_for_ever
from lakehouse.server.buckets import buckets_app, buckets_platform
from lakehouse.server.descartes import descartes_apps, descartes_values
from lakehouse.server.flyte import connect_app, flyte_admission, flyte_cache, open_grpc
from lakehouse.wire.buckets import ROOT as NEURO_ROOT

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from lakehouse.asgi.types import Receive, Scope, Send
    from lakehouse.facades.cache.admission import Admission
    from lakehouse.facades.cache.service import CacheService
    from lakehouse.server.flyte import Grpc
    from lakehouse.server.parts import Parts
    from lakehouse.wire.operation import Operation


class FacadeApp(Protocol):
    """An ASGI application that can be ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def drain(self) -> None:
        """Wait for what goes on though its callers have gone away."""
        ...


class Facades:
    """The facades of one server. Construct it in a running loop; `close` ends what runs in the background.

    `handlers`: by the tag of operations of the REST API, what has a function for each. `apps`: by how their paths
    begin, applications of their own.
    """

    def __init__(self, parts: Parts) -> None:
        """Raises StartupError."""
        self._parts = parts
        self._tasks: list[asyncio.Task[None]] = []
        self.handlers: dict[str, object] = {}
        self.apps: dict[str, FacadeApp] = {}
        self._off: set[str] = set()
        self._flyte: tuple[CacheService, Admission] | None = None
        self._grpc: Grpc | None = None
        switches = parts.config.facades
        if switches.flyte == "on":
            self._open_flyte()
        else:
            self._off.add("cache")
        if switches.descartes == "on":
            self._open_descartes()
        if switches.neuro == "on":
            self._open_neuro()

    def serves(self, operation: Operation) -> bool:
        """Whether an operation is not switched off."""
        return operation.tag not in self._off

    def app(self, path: str) -> FacadeApp | None:
        """Which application answers a path."""
        return next((app for root, app in self.apps.items() if path.startswith(root)), None)

    async def start(self) -> None:
        """Listen where a facade has a port of its own. Raises StartupError."""
        if self._flyte is not None:
            self._grpc = await open_grpc(self._parts, *self._flyte)

    async def close(self) -> None:
        """End what runs in the background, and wait for what goes on without its callers."""
        if self._grpc is not None:
            await self._grpc.stop(seconds=self._parts.config.shutdown_timeout)
        for task in self._tasks:
            task.cancel()
        for app in self.apps.values():
            await app.drain()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _open_flyte(self) -> None:
        cache, admission = flyte_cache(self._parts), flyte_admission(self._parts)
        self.handlers["cache"] = CacheRoutes(cache)
        self.apps[ROOT] = connect_app(self._parts, cache, admission)
        self._run(evict_for_ever(cache))
        self._flyte = cache, admission

    def _open_descartes(self) -> None:
        values = descartes_values(self._parts)
        self.apps |= descartes_apps(self._parts, values)
        self._run(expire_for_ever(values))

    def _open_neuro(self) -> None:
        platform = buckets_platform(self._parts)
        self.apps[f"{NEURO_ROOT}/"] = buckets_app(self._parts, platform)
        self._run(reseal(platform))
