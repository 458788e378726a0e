# SPDX-License-Identifier: Apache-2.0
"""The gRPC server: three services and the health check, on a port of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from flyteidl.cacheservice.cacheservice_pb2_grpc import add_CacheServiceServicer_to_server
from flyteidl.datacatalog.datacatalog_pb2_grpc import add_DataCatalogServicer_to_server
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lakehouse.core.errors import PortInUse
from lakehouse.facades.cache.grpc_side import cache_service, datacatalog, flyte2
from lakehouse.facades.cache.grpc_side.answering import Answering

if TYPE_CHECKING:
    from lakehouse.asgi.dispatch import Observe
    from lakehouse.facades.cache.admission import Admission
    from lakehouse.facades.cache.catalog import Catalog
    from lakehouse.facades.cache.service import CacheService

LIMIT = 6 * 1024 * 1024
"""Most bytes of a message."""
SERVICES = ("", datacatalog.NAME, cache_service.NAME, flyte2.NAME)


class GrpcServer:
    """Serves a cache and a catalog. `shared`: other processes of this server listen on the port too."""

    def __init__(
        self, cache: CacheService, catalog: Catalog, admission: Admission, *, observe: Observe, shared: bool
    ) -> None:
        self._answering = Answering(admission, observe=observe)
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", LIMIT),
                ("grpc.so_reuseport", int(shared)),
            ]
        )
        self._health = health.aio.HealthServicer()
        add_DataCatalogServicer_to_server(datacatalog.CatalogServicer(catalog, cache, self._answering), self._server)
        add_CacheServiceServicer_to_server(cache_service.CacheServicer(cache, self._answering), self._server)
        self._server.add_generic_rpc_handlers((flyte2.flyte2_handler(cache, self._answering),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is a free one for 0. Raises PortInUse."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound: int = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise PortInUse(f"gRPC cannot listen on {address}: choose another port as flyte.grpc_port") from error
        await self._server.start()
        for service in SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def stop(self, *, seconds: float) -> None:
        """Take no more calls, and finish those that came, for `seconds` at most."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(seconds)
        await self._answering.drain()
