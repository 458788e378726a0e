# SPDX-License-Identifier: Apache-2.0
"""The ASGI application of the REST surface.

A request passes, in this order: route, validation (400), authentication (401), authorization, handler. A handler of an
operation that changes things is shielded: a caller who goes away does not stop it half-way. What a handler returns is
encoded as its operation declares; what it raises is answered by the table of errors; what is not in the table is a bug:
500, logged with the request's id, its text hidden.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from lakehouse.asgi.body import body_reader
from lakehouse.asgi.call import Call
from lakehouse.asgi.limits import Limits
from lakehouse.asgi.origin import Origin
from lakehouse.asgi.query import query_reader
from lakehouse.asgi.request_id import RequestIds
from lakehouse.asgi.resources import resource_builder
from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes, json_response, packed_response, text_response
from lakehouse.asgi.router import MethodNotAllowed, Router
from lakehouse.core.errors import LakehouseError, Unauthenticated
from lakehouse.telemetry.logs import request_id as current_request
from lakehouse.wire.errors import Error
from lakehouse.wire.operation import Access
from lakehouse.wire.packed import wants_packed

if TYPE_CHECKING:
    from lakehouse.asgi.types import Receive, Scope, Send
    from lakehouse.core.records import User
    from lakehouse.wire.operation import Operation

AnyCall = Call[Any, Any]
Handler = Callable[[Any, AnyCall], Coroutine[Any, Any, Any]]
"""Context and call in; out comes what the operation declares as result, None for no body, or a `Response`."""
Authenticate = Callable[[AnyCall], Awaitable["User | None"]]
"""The caller, or None when the request carries no credentials. Raises Unauthenticated for wrong ones."""
Authorize = Callable[["User", str, str], object]
"""Of user, action and resource. Raises InsufficientPermissions unless the user may. Cheap: it runs in the loop."""
ErrorTable = Callable[[LakehouseError, "Operation | None"], Response]
Observe = Callable[[str, int, float], None]
"""Told of each answer: the operation's name ("" when there is no such route), status, seconds."""


class Record(Protocol):
    """Keeps a record of what is done, by whom."""

    def wants(self, operation: Operation) -> bool:
        """Whether each request to this operation is to be recorded."""
        ...

    def record(self, call: AnyCall, status: int, *, wanted: bool) -> None:
        """Told of each answer to one of those, and of each refusal, before it is sent."""
        ...


class Routes(Protocol):
    """Knows which operation a request means."""

    def add(self, method: str, path: str, target: Any) -> None:
        """Add an operation's route. Raises ValueError when it is taken."""
        ...

    def find(self, method: str, raw_path: bytes) -> tuple[Any, dict[str, str]]:
        """What was added for a path, and its parameters. Raises LakehouseError, MethodNotAllowed."""
        ...


PREFIX = "/api/v1"
_REFUSED = frozenset({401, 403})
logger = logging.getLogger(__name__)


class _Binding:
    """An operation with all that serving it needs, looked up once."""

    __slots__ = (
        "body",
        "handler",
        "needs",
        "open",
        "operation",
        "packed",
        "query",
        "recorded",
        "shielded",
        "status",
        "text",
    )

    def __init__(self, operation: Operation, handler: Handler, limits: Limits, *, recorded: bool) -> None:
        self.operation = operation
        self.recorded = recorded
        self.handler = handler
        self.query = None if operation.query is None else query_reader(operation.query)
        self.body = (
            None
            if operation.body is None or operation.raw_body
            else body_reader(operation.body, required=operation.body_required, limits=limits, packed=operation.packed)
        )
        self.open = operation.allow is Access.NOBODY_ASKED
        self.needs = None if isinstance(operation.allow, Access) else resource_builder(operation)
        self.shielded = operation.mutates
        self.status = operation.status
        self.packed = operation.packed
        self.text = operation.result is str


class ApiApp:
    """Serves operations below `prefix`.

    `handlers` by operation name; every operation must have one and every handler an operation (ValueError).
    `authorize` None: every known user may do everything. `routes`: another way to find operations than by the segments
    of their paths.
    """

    def __init__(
        self,
        context: object,
        operations: Sequence[Operation],
        handlers: Mapping[str, Handler],
        *,
        authenticate: Authenticate,
        authorize: Authorize | None,
        errors: ErrorTable,
        origin: Origin | None = None,
        limits: Limits | None = None,
        request_ids: Callable[[], str] | None = None,
        observe: Observe | None = None,
        record: Record | None = None,
        prefix: str = PREFIX,
        routes: Routes | None = None,
    ) -> None:
        odd = {operation.name for operation in operations} ^ set(handlers)
        if odd:
            raise ValueError(f"operation without handler, or handler without operation: {', '.join(sorted(odd))}")
        self._context = context
        self._authenticate = authenticate
        self._authorize = authorize
        self._errors = errors
        self._origin = origin or Origin()
        self._request_ids = request_ids or RequestIds()
        self._observe = observe
        self._record = record
        self._running: set[asyncio.Future[Any]] = set()
        self._prefix = prefix.encode()
        self._router: Routes = Router[_Binding]() if routes is None else routes
        limits = limits or Limits()
        for operation in operations:
            recorded = record is not None and record.wants(operation)
            binding = _Binding(operation, handlers[operation.name], limits, recorded=recorded)
            self._router.add(operation.method, operation.path, binding)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = self._request_ids()
        current_request.set(request_id)
        started = time.perf_counter() if self._observe else 0.0
        operation: Operation | None = None
        call: AnyCall | None = None
        recorded = False
        try:
            binding, path = self._router.find(scope["method"], _raw_path(scope).removeprefix(self._prefix))
            operation, recorded = binding.operation, binding.recorded
            call = Call(operation, path, scope, receive, self._origin, request_id)
            response = await self._answer(binding, call)
        except LakehouseError as error:
            response = self._errors(error, operation)
        except MethodNotAllowed as error:
            response = json_response(405, Error("method not allowed"))
            response.headers.append((b"allow", ", ".join(error.allowed).encode()))
        except Exception:
            logger.exception("request %s: %s %s failed", request_id, scope["method"], scope["path"])
            response = json_response(500, Error(f"internal error; the server's log has it as request {request_id}"))
        if self._record is not None and call is not None and (recorded or response.status in _REFUSED):
            self._record.record(call, response.status, wanted=recorded)
        await response.send(send, receive, request_id=request_id, head=scope["method"] == "HEAD")
        if self._observe:
            self._observe("" if operation is None else operation.name, response.status, time.perf_counter() - started)

    async def drain(self) -> None:
        """Wait for operations whose callers have gone away."""
        if self._running:
            await asyncio.wait(self._running)

    async def _answer(self, binding: _Binding, call: AnyCall) -> Response:
        if binding.query is not None:
            call.query = binding.query(call.scope["query_string"])
        if binding.body is not None:
            call.body = await binding.body(call)
        if not binding.open:
            await self._admit(binding, call)
        if binding.shielded:
            result = await self._shielded(binding.handler(self._context, call), call)
        else:
            result = await binding.handler(self._context, call)
        if isinstance(result, Response):
            return result
        if result is None:
            return Response(binding.status)
        if binding.text:
            return text_response(binding.status, result)
        if binding.packed and wants_packed(call.header(b"accept")):
            return packed_response(binding.status, result)
        return Response(binding.status, list(JSON_HEADERS), json_bytes(result))

    async def _admit(self, binding: _Binding, call: AnyCall) -> None:
        user = call.user = await self._authenticate(call)
        if user is None:
            raise Unauthenticated
        if binding.needs is not None and self._authorize is not None:
            for action, resource in binding.needs(call):
                self._authorize(user, action, resource)

    async def _shielded(self, work: Coroutine[Any, Any, Any], call: AnyCall) -> Any:
        """Run `work` in a task of its own: whoever cancels the request cancels the waiting only."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Any] = loop.create_future()
        task = loop.create_task(_run(work, outcome, call))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await outcome


async def _run(work: Coroutine[Any, Any, Any], outcome: asyncio.Future[Any], call: AnyCall) -> None:
    try:
        result = await work
    except BaseException as error:
        if not outcome.cancelled():
            outcome.set_exception(error)
            return
        logger.warning("request %s: %s failed after its caller left: %r", call.request_id, call.operation.name, error)
        if not isinstance(error, Exception):
            raise
    else:
        if not outcome.cancelled():
            outcome.set_result(result)


def _raw_path(scope: Scope) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw
