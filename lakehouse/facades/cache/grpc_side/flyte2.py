# SPDX-License-Identifier: Apache-2.0
"""`flyteidl2.cacheservice.v2.CacheService` by gRPC: what Connect answers, with the same codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from lakehouse.facades.cache import binary
from lakehouse.facades.cache.calls import METHODS, Method, scope_of

if TYPE_CHECKING:
    from lakehouse.facades.cache.grpc_side.answering import Answering, Asking
    from lakehouse.facades.cache.service import CacheService

NAME = "flyteidl2.cacheservice.v2.CacheService"


def flyte2_handler(cache: CacheService, answering: Answering) -> Any:
    """What a gRPC server is given to answer the service."""
    handlers = {name: _handler(cache, answering, name, method) for name, method in METHODS.items()}
    return grpc.method_handlers_generic_handler(NAME, handlers)


def _handler(cache: CacheService, answering: Answering, name: str, method: Method) -> Any:
    async def answer(raw: bytes, context: Any) -> bytes | None:
        async def work(asking: Asking) -> bytes:
            scope, base = scope_of(binary.decode(method.request, raw))
            await asking.allow(scope)
            message = await method.do(cache, scope, base, asking.call.known_user)
            return binary.encode(method.response, message)

        return await answering.answer(context, name, method.operation, work)

    return grpc.unary_unary_rpc_method_handler(answer)
