# SPDX-License-Identifier: Apache-2.0
"""What every gRPC method shares: who asks, may they, what an error is called, what is recorded and counted.

A call that was accepted goes on when its caller leaves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import grpc

from lakehouse.asgi.call import Call
from lakehouse.asgi.origin import Origin
from lakehouse.asgi.request_id import RequestIds
from lakehouse.core import errors
from lakehouse.core.errors import BodyTooLarge, LakehouseError
from lakehouse.facades.cache.connect import code_of
from lakehouse.telemetry.logs import request_id as current_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.asgi.dispatch import Observe
    from lakehouse.asgi.types import Message
    from lakehouse.facades.cache.admission import Admission
    from lakehouse.facades.cache.scope import Scope
    from lakehouse.wire.operation import Operation

T = TypeVar("T")
Code = grpc.StatusCode
CODES: dict[type[LakehouseError], Any] = {
    BodyTooLarge: Code.RESOURCE_EXHAUSTED,
    errors.InvalidArgument: Code.INVALID_ARGUMENT,
    errors.Unauthenticated: Code.UNAUTHENTICATED,
    errors.PermissionDenied: Code.PERMISSION_DENIED,
    errors.NotFound: Code.NOT_FOUND,
    errors.AlreadyExists: Code.ALREADY_EXISTS,
    errors.Conflict: Code.ABORTED,
    errors.Gone: Code.NOT_FOUND,
    errors.FailedPrecondition: Code.FAILED_PRECONDITION,
    errors.RangeNotSatisfiable: Code.OUT_OF_RANGE,
    errors.Exhausted: Code.RESOURCE_EXHAUSTED,
    errors.Unsupported: Code.UNIMPLEMENTED,
    errors.Unavailable: Code.UNAVAILABLE,
}
"""gRPC's status of errors, by the nearest class."""
logger = logging.getLogger(__name__)


def status_of(error: LakehouseError) -> Any:
    """gRPC's status of an error."""
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), Code.INTERNAL)


class Asking:
    """One call: who asks is found out with the first permission that is asked for."""

    def __init__(self, admission: Admission, call: Call[Any, Any], headers: dict[str, str]) -> None:
        self._admission = admission
        self._headers = headers
        self.call = call

    async def allow(self, scope: Scope) -> None:
        """Go on if the caller may do this there. Raises Unauthenticated, InsufficientPermissions."""
        self.call.path |= scope.names
        if self.call.user is None:
            forwarded = any(name in self._headers for name in ("x-forwarded-for", "forwarded"))
            self.call.user = await self._admission.caller(self._headers, peer=self.call.peer, forwarded=forwarded)
        self._admission.authorize(self.call.user, self.call.operation, scope)


class Answering:
    """Answers the methods of one server."""

    def __init__(self, admission: Admission, *, observe: Observe) -> None:
        self._admission = admission
        self._observe = observe
        self._request_ids = RequestIds()
        self._running: set[asyncio.Task[Any]] = set()

    async def answer(
        self, context: Any, method: str, operation: Operation, work: Callable[[Asking], Awaitable[T]]
    ) -> T | None:
        """What `work` returns. Whatever it raises becomes the call's status."""
        started = time.perf_counter()
        asking = self._asking(context, method, operation)
        task = asyncio.ensure_future(self._run(asking, work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        result, code, text = await asyncio.shield(task)
        self._observe(operation.name, 200 if code is None else 400, time.perf_counter() - started)
        if code is not None:
            await context.abort(code, text)
        return result

    async def drain(self) -> None:
        """Wait for calls whose callers have gone away."""
        if self._running:
            await asyncio.wait(self._running)

    def _asking(self, context: Any, method: str, operation: Operation) -> Asking:
        request_id = self._request_ids()
        current_request.set(request_id)
        scope = {"type": "http", "headers": [], "client": (peer_of(context.peer()), 0)}
        call: Call[None, None] = Call(operation, {"method": method}, scope, _nothing, Origin(), request_id)
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        return Asking(self._admission, call, headers)

    async def _run(self, asking: Asking, work: Callable[[Asking], Awaitable[T]]) -> tuple[T | None, Any, str]:
        call, result, code, text = asking.call, None, None, ""
        status = 200
        try:
            result = await work(asking)
        except LakehouseError as error:
            code, text, status = status_of(error), error.message, code_of(error)[1]
        except Exception:
            logger.exception("request %s: %s failed", call.request_id, call.path["method"])
            code, status = Code.INTERNAL, 500
            text = f"internal error; the server's log has it as request {call.request_id}"
        self._admission.record(call, status)
        return result, code, text


def peer_of(text: str) -> str:
    """The network address in what gRPC calls a peer, such as `ipv4:10.1.2.3:5` or `ipv6:%5B::1%5D:5`."""
    kind, _, rest = text.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    return unquote(rest).rpartition(":")[0].strip("[]")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
