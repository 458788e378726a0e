# SPDX-License-Identifier: Apache-2.0
"""The S3 side as an ASGI application: buckets of the embedded store, and repositories as buckets.

Order of a request: it is read, its time and signature are checked, then its right to the bucket, then the operation
runs. Nothing of a body is read before the signature holds.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lakehouse.asgi.request_id import RequestIds
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import LakehouseError, RangeNotSatisfiable
from lakehouse.s3.answer import Answer, send_answer, xml_answer
from lakehouse.s3.caller import NOBODY, Callers
from lakehouse.s3.context import Buckets, Physical
from lakehouse.s3.errors import STATUS, ClientGone, S3Error, code_of, error_document
from lakehouse.s3.form import is_form, read_form
from lakehouse.s3.operations.list_buckets import list_buckets
from lakehouse.s3.operations.post_object import post_object
from lakehouse.s3.repository.list_buckets import bucket_names
from lakehouse.s3.repository.serve import serve_repository
from lakehouse.s3.request import S3Request, check_key_length, limit_body, read_request
from lakehouse.s3.routes import INTERNAL, find_operation
from lakehouse.s3.sigv4 import is_unsigned
from lakehouse.telemetry.logs import request_id as current_request
from lakehouse.telemetry.requests import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lakehouse.asgi.types import Receive, Scope, Send
    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Location, MultipartStore, ObjectStore
    from lakehouse.s3.caller import Caller, Sessions
    from lakehouse.s3.context import LookupSecret, WriteOnce
    from lakehouse.s3.repository.gateway import Gateway

log = logging.getLogger(__name__)

LAKE_LOCAL = Buckets()
"""One bucket, `lake.local`."""


async def never(_: Location) -> bool:
    """No place is write-once."""
    return False


class S3App:
    """Serves the buckets of `store`.

    `lookup_secret` knows the users' keys; `presign_secret` is that of the server's own key, which is accepted in
    presigned URLs only, for one method on one object (or one part of it). `uploads` takes objects in parts.
    `write_once` says where bytes must never change. Every other bucket is a repository of `gateway`. `sessions` knows
    callers by other means than a signature. `domains`: host names before which a bucket's name may stand. `most`: bytes
    of the largest body. `observe` is told of each answer: operation ("" when there is none), status, seconds; `record`
    of each request that could be read, and the status of its answer, before that is sent.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        lookup_secret: LookupSecret,
        presign_secret: str,
        uploads: MultipartStore | None = None,
        write_once: WriteOnce = never,
        buckets: Buckets = LAKE_LOCAL,
        region: str = "us-east-1",
        gateway: Gateway | None = None,
        sessions: Sessions | None = None,
        domains: Sequence[str] = (),
        most: int = 5 * 2**40,
        clock: Clock = system_clock,
        request_id: Callable[[], str] | None = None,
        observe: Callable[[str, int, float], None] | None = None,
        record: Callable[[S3Request, int], None] | None = None,
    ) -> None:
        self._physical = Physical(store, buckets, write_once, region, uploads)
        self._gateway = gateway
        self._callers = Callers(
            lookup_secret=lookup_secret, presign_secret=presign_secret, sessions=sessions, clock=clock
        )
        self._domains = tuple(domain.lower() for domain in domains)
        self._most = most
        self._clock = clock
        self._request_id = request_id or RequestIds()
        self._observe = observe
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = self._request_id()
        current_request.set(request_id)
        started = time.perf_counter()
        head = scope["method"] == "HEAD"
        request: S3Request | None = None
        status = GONE
        try:
            request = read_request(scope, receive, request_id, domains=self._domains)
            answer = await self._serve(request)
        except ClientGone:
            answer = None
        except Exception as error:  # noqa: BLE001  (each has its answer)
            answer = self._failed(error, scope, request_id)
        if answer is not None:
            status = answer.status
            if self._record is not None and request is not None:
                self._record(request, status)
            await send_answer(answer, send=send, receive=receive, request_id=request_id, head=head)
        if self._observe is not None:
            self._observe("" if request is None else request.operation, status, time.perf_counter() - started)

    def _failed(self, error: Exception, scope: Scope, request_id: str) -> Answer:
        if isinstance(error, S3Error):
            return self._refusal(error.code, str(error), scope, request_id)
        if isinstance(error, LakehouseError):
            answer = self._refusal(code_of(error), error.message, scope, request_id)
            if isinstance(error, RangeNotSatisfiable) and error.size is not None:
                answer.headers["content-range"] = f"bytes */{error.size}"
            return answer
        log.error("a request failed", exc_info=error)
        message = "We encountered an internal error. Please try again."
        return self._refusal("InternalError", message, scope, request_id)

    async def _serve(self, request: S3Request) -> Answer:
        if is_form(request) and request.bucket in self._physical.buckets and is_unsigned(request):
            return await self._take_form(request)
        caller = await self._callers.identify(request)
        request.user, request.internal = caller.record.user, caller.internal
        request.session = caller.record.account is not None and caller.record.account.session
        if caller.record is NOBODY and not self._is_for_everybody(request):
            raise S3Error("AccessDenied", "Access Denied.")
        limit_body(request, self._most)
        _refuse_foreign_keys(request.headers)
        if not request.bucket:
            return await self._root(request, caller)
        if request.bucket in self._physical.buckets:
            return await self._on_store(request, caller)
        if self._gateway is None or caller.internal:
            raise S3Error("NoSuchBucket", "The specified bucket does not exist")
        return await serve_repository(self._gateway, request, caller.record.account)

    def _is_for_everybody(self, request: S3Request) -> bool:
        """Whether it may be one that needs no signature: reading in a repository."""
        reading = request.method in ("GET", "HEAD") and request.key != ""
        return self._gateway is not None and reading and request.bucket not in self._physical.buckets

    async def _take_form(self, request: S3Request) -> Answer:
        """An upload that carries its signature inside: of its body, only the fields are read before it holds."""
        form = await read_form(request)
        record = await self._callers.identify_form(request, form.fields)
        if not record.may_use_physical:
            raise S3Error("AccessDenied", "this access key may not use the store's own buckets")
        _refuse_foreign_keys(form.fields)
        return await post_object(self._physical, request, form, now=self._clock(), most=self._most)

    async def _root(self, request: S3Request, caller: Caller) -> Answer:
        record = caller.record
        request.operation = list_buckets.__name__
        if request.method != "GET" or caller.internal:
            raise S3Error("MethodNotAllowed", "only GET, which lists the buckets, is allowed here")
        repositories = () if self._gateway is None else await bucket_names(self._gateway, request, record.account)
        return await list_buckets(
            self._physical, request, allowed=record.may_use_physical, user=record.user, repositories=repositories
        )

    async def _on_store(self, request: S3Request, caller: Caller) -> Answer:
        if not caller.record.may_use_physical:
            raise S3Error("AccessDenied", "this access key may not use the store's own buckets")
        check_key_length(request.key)
        operation = find_operation(request)
        request.operation = operation.__name__
        if caller.internal and operation not in INTERNAL:
            raise S3Error("AccessDenied", "this URL allows one method on one object, and nothing else")
        return await operation(self._physical, request)

    def _refusal(self, code: str, message: str, scope: Scope, request_id: str) -> Answer:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        resource = raw.decode("latin-1")
        bucket, _, key = unquote(resource.removeprefix(scope.get("root_path", "")))[1:].partition("/")
        body = error_document(
            code=code,
            message=message,
            resource=resource,
            request_id=request_id,
            bucket=bucket,
            key=key,
            region=self._physical.region,
        )
        answer = xml_answer(body, status=STATUS[code])
        if any(name == b"expect" for name, _ in scope["headers"]):
            # The client was not told to continue and keeps its body: what it sends next would be taken for that body.
            answer.headers["connection"] = "close"
        return answer


def _refuse_foreign_keys(headers: Mapping[str, str]) -> None:
    """Who sends a key of their own to encrypt with must not believe that it is used. Raises S3Error NotImplemented."""
    if any(name.endswith("server-side-encryption-customer-key") for name in headers):
        raise S3Error("NotImplemented", "encryption with a key of the caller is not implemented; nothing was stored")
