# SPDX-License-Identifier: Apache-2.0
"""Flyte 2's cache service by Connect: unary calls over HTTP, with messages in Protocol Buffers or in JSON.

https://connectrpc.com/docs/protocol is the specification. Errors are JSON whatever the form of the request. A call that
changes things goes on when its caller leaves.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from typing import TYPE_CHECKING, Any

from lakehouse.asgi.call import Call
from lakehouse.asgi.request_id import RequestIds
from lakehouse.asgi.responses import Response, json_response, text_response
from lakehouse.core import errors
from lakehouse.core.errors import BodyTooLarge, InvalidArgument, LakehouseError, Unsupported
from lakehouse.facades.cache import binary, json_form
from lakehouse.facades.cache.calls import METHODS, scope_of
from lakehouse.telemetry.logs import request_id as current_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.asgi.dispatch import Observe
    from lakehouse.asgi.origin import Origin
    from lakehouse.asgi.types import Receive, Scope, Send
    from lakehouse.facades.cache.admission import Admission
    from lakehouse.facades.cache.calls import Method
    from lakehouse.facades.cache.service import CacheService

    AnyCall = Call[Any, Any]

ROOT = "/flyteidl2.cacheservice.v2.CacheService/"
LIMIT = 6 * 1024 * 1024
"""Most bytes of a message, unpacked."""
FORMS = {"application/proto": binary, "application/json": json_form}
CODES: dict[type[LakehouseError], tuple[str, int]] = {
    BodyTooLarge: ("resource_exhausted", 429),
    errors.InvalidArgument: ("invalid_argument", 400),
    errors.Unauthenticated: ("unauthenticated", 401),
    errors.PermissionDenied: ("permission_denied", 403),
    errors.NotFound: ("not_found", 404),
    errors.AlreadyExists: ("already_exists", 409),
    errors.Conflict: ("aborted", 409),
    errors.Gone: ("not_found", 404),
    errors.FailedPrecondition: ("failed_precondition", 400),
    errors.RangeNotSatisfiable: ("out_of_range", 400),
    errors.Exhausted: ("resource_exhausted", 429),
    errors.Unsupported: ("unimplemented", 501),
    errors.Unavailable: ("unavailable", 503),
}
"""Connect's code and the HTTP status of errors, by the nearest class."""
INTERNAL = ("internal", 500)
_FORWARDED = (b"x-forwarded-for", b"forwarded")
logger = logging.getLogger(__name__)


def code_of(error: LakehouseError) -> tuple[str, int]:
    """Connect's code and the HTTP status of an error."""
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), INTERNAL)


class ConnectApp:
    """The service as an ASGI application, below `ROOT`."""

    def __init__(
        self,
        cache: CacheService,
        admission: Admission,
        origin: Origin,
        *,
        request_ids: Callable[[], str] | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._cache = cache
        self._admission = admission
        self._origin = origin
        self._request_ids = request_ids or RequestIds()
        self._observe = observe
        self._running: set[asyncio.Task[Response]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._request_ids()
        current_request.set(request_id)
        started = time.perf_counter()
        method = METHODS.get(scope["path"].removeprefix(ROOT))
        if method is None:
            response = text_response(404, "404 page not found\n")
        elif scope["method"] != "POST":
            response = Response(405, [(b"allow", b"POST")])
        else:
            response = await self._answer(method, scope, receive, request_id)
        await response.send(send, receive, request_id=request_id, head=scope["method"] == "HEAD")
        if self._observe:
            name = "" if method is None else method.operation.name
            self._observe(name, response.status, time.perf_counter() - started)

    async def drain(self) -> None:
        """Wait for calls whose callers have gone away."""
        if self._running:
            await asyncio.wait(self._running)

    async def _answer(self, method: Method, scope: Scope, receive: Receive, request_id: str) -> Response:
        try:
            call: AnyCall = Call(method.operation, {}, scope, receive, self._origin, request_id)
            kind = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
            if kind not in FORMS:
                return Response(415, [(b"accept-post", ", ".join(FORMS).encode())])
            raw = await _body(call)
        except LakehouseError as error:
            return _error(error)
        task = asyncio.get_running_loop().create_task(self._do(method, call, kind, raw))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _do(self, method: Method, call: AnyCall, kind: str, raw: bytes) -> Response:
        """What a call is answered, and recorded by."""
        form = FORMS[kind]
        try:
            place, base = scope_of(form.decode(method.request, raw))
            call.path = place.names
            call.user = user = await self._admission.caller(
                call.header_view, peer=call.peer, forwarded=_is_forwarded(call)
            )
            self._admission.authorize(user, method.operation, place)
            answer = await method.do(self._cache, place, base, user)
            headers = [(b"content-type", kind.encode()), (b"x-content-type-options", b"nosniff")]
            response = Response(200, headers, form.encode(method.response, answer))
        except LakehouseError as error:
            response = _error(error)
        except Exception:
            logger.exception("request %s: %s failed", call.request_id, method.operation.name)
            text = f"internal error; the server's log has it as request {call.request_id}"
            response = json_response(INTERNAL[1], {"code": INTERNAL[0], "message": text})
        self._admission.record(call, response.status)
        return response


async def _body(call: AnyCall) -> bytes:
    """The message's bytes, unpacked. Raises BodyTooLarge, IncompleteBody, Unsupported, InvalidArgument."""
    version = call.header(b"connect-protocol-version")
    if version not in (None, "1"):
        raise InvalidArgument(f"connect-protocol-version must be 1, not {version!r}: invalid value: validation error")
    encoding = (call.header(b"content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Unsupported(f"unknown compression {encoding!r}: supported encodings are gzip")
    raw = await call.read(LIMIT)
    return _unpacked(raw) if raw and encoding == "gzip" else raw


def _unpacked(raw: bytes) -> bytes:
    reader = zlib.decompressobj(wbits=31)
    try:
        body = reader.decompress(raw, LIMIT + 1)
    except zlib.error as error:
        raise InvalidArgument(f"the body is no gzip: {error}: invalid value: validation error") from error
    if len(body) > LIMIT:
        raise BodyTooLarge(f"the message is larger than {LIMIT} bytes: invalid value: validation error")
    if not reader.eof or reader.unused_data:
        raise InvalidArgument("the body is no whole gzip: invalid value: validation error")
    return body


def _is_forwarded(call: AnyCall) -> bool:
    """Whether a request came through a proxy that is not trusted: who sent it is not known then."""
    client = call.scope.get("client")
    return any(name in _FORWARDED for name, _ in call.headers) and (client is None or call.peer == client[0])


def _error(error: LakehouseError) -> Response:
    code, status = code_of(error)
    if code == INTERNAL[0]:
        logger.error("an error without a kind: %r", error)
    return json_response(status, {"code": code, "message": error.message})
