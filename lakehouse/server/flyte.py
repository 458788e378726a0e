# SPDX-License-Identifier: Apache-2.0
"""The cache of Flyte, put together from a configuration."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from lakehouse.core.errors import BadConfiguration
from lakehouse.facades.cache.admission import Admission
from lakehouse.facades.cache.catalog import Catalog
from lakehouse.facades.cache.connect import ConnectApp
from lakehouse.facades.cache.service import OUTCOMES, CacheOptions, CacheService
from lakehouse.server.metrics import REST

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.core.records import User
    from lakehouse.server.parts import Parts


GRPC = "lakehouse.facades.cache.grpc_side.server"
"""Where the gRPC server is: imported when it is asked for, as its libraries are an extra."""


class Grpc(Protocol):
    """A gRPC server."""

    async def start(self, host: str, port: int) -> int:
        """Listen; the port. Raises PortInUse."""
        ...

    async def stop(self, *, seconds: float) -> None:
        """Take no more calls, and finish those that came."""
        ...


def flyte_cache(parts: Parts) -> CacheService:
    """The cache, whose outcomes are counted."""
    given = parts.config.flyte
    options = CacheOptions(
        max_heartbeat=given.max_heartbeat, grace=given.grace, ignore_org=given.ignore_org, keep=given.keep
    )

    def may_read(user: User | None, repository: str, path: str) -> bool:
        return parts.checker.allowed(user, "fs:ReadObject", f"repository/{repository}/object/{path}")

    return CacheService(parts.lake, may_read=may_read, options=options, count=_counter(parts))


def flyte_admission(parts: Parts) -> Admission:
    """Who may use the cache by other ways than REST. Raises BadConfiguration."""
    return Admission(
        parts.lake.db,
        parts.authenticator,
        parts.checker,
        networks=parts.config.flyte.anonymous,
        record=parts.record,
        clock=parts.lake.clock,
    )


def connect_app(parts: Parts, cache: CacheService, admission: Admission) -> ConnectApp:
    """The cache by Connect."""
    return ConnectApp(cache, admission, parts.origin, observe=parts.metrics.observer(REST))


async def open_grpc(parts: Parts, cache: CacheService, admission: Admission) -> Grpc | None:
    """The cache by gRPC, listening; None when it has no port. Raises StartupError."""
    port = parts.config.flyte.grpc_port
    if not port:
        return None
    try:
        module = import_module(GRPC)
    except ModuleNotFoundError as error:
        raise BadConfiguration("flyte.grpc_port: gRPC needs its libraries: pip install 'lakehouse[flyte]'") from error
    catalog = Catalog(parts.lake, ignore_org=parts.config.flyte.ignore_org)
    server: Grpc = module.GrpcServer(
        cache, catalog, admission, observe=parts.metrics.observer(REST), shared=parts.config.workers > 1
    )
    await server.start(parts.config.host, port)
    return server


def _counter(parts: Parts) -> Callable[[str], None]:
    series = parts.metrics.metrics.counter(
        "lakehouse_cache_outcomes_total", "What the cache of task outputs answered.", outcome=OUTCOMES
    )
    cells = {outcome: series.at(outcome) for outcome in OUTCOMES}
    return lambda outcome: cells[outcome].add()
