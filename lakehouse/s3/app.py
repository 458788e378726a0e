# SPDX-License-Identifier: Apache-2.0
"""The S3 side as an ASGI application.

Order of a request: it is read, its time and signature are checked, then its right to the bucket, then the operation
runs. Nothing of a body is read before the signature holds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lakehouse.asgi.request_id import RequestIds
from lakehouse.core.clock import system_clock
from lakehouse.core.errors import LakehouseError, RangeNotSatisfiable
from lakehouse.objects.presign import PRESIGN_KEY_ID, SigningKeys
from lakehouse.s3.answer import Answer, send_answer, xml_answer
from lakehouse.s3.context import Buckets, KeyRecord, Physical
from lakehouse.s3.errors import STATUS, ClientGone, S3Error, code_of, error_document
from lakehouse.s3.operations.list_buckets import list_buckets
from lakehouse.s3.payload import open_payload
from lakehouse.s3.request import S3Request, read_request
from lakehouse.s3.routes import INTERNAL, find_operation
from lakehouse.s3.sigv4 import check_signature, check_time, read_claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.asgi.types import Receive, Scope, Send
    from lakehouse.core.clock import Clock
    from lakehouse.objects.port import Location, MultipartStore, ObjectStore
    from lakehouse.s3.context import LookupSecret, WriteOnce
    from lakehouse.s3.sigv4 import Claim

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
    `write_once` says where bytes must never change.
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
        clock: Clock = system_clock,
        request_id: Callable[[], str] | None = None,
    ) -> None:
        self._physical = Physical(store, buckets, write_once, region, uploads)
        self._lookup_secret = lookup_secret
        self._presign_secret = presign_secret
        self._clock = clock
        self._request_id = request_id or RequestIds()
        self._keys = SigningKeys()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request_id = self._request_id()
        head = scope["method"] == "HEAD"
        try:
            answer = await self._answer(scope, receive, request_id)
        except ClientGone:
            return
        await send_answer(answer, send=send, receive=receive, request_id=request_id, head=head)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> Answer:
        try:
            return await self._serve(read_request(scope, receive, request_id))
        except S3Error as error:
            return _refusal(error.code, str(error), scope, request_id)
        except LakehouseError as error:
            answer = _refusal(code_of(error), error.message, scope, request_id)
            if isinstance(error, RangeNotSatisfiable) and error.size is not None:
                answer.headers["content-range"] = f"bytes */{error.size}"
            return answer
        except ClientGone:
            raise
        except Exception:
            log.exception("a request failed", extra={"request_id": request_id})
            message = "We encountered an internal error. Please try again."
            return _refusal("InternalError", message, scope, request_id)

    async def _serve(self, request: S3Request) -> Answer:
        claim = read_claim(request)
        check_time(claim, self._clock())
        record = await self._record(claim)
        check_signature(claim, request, secret=record.secret if record else None, keys=self._keys)
        if record is None:
            raise S3Error("AccessDenied", "the access key is not known here")
        open_payload(request, claim, secret=record.secret, keys=self._keys)
        if not request.bucket:
            return await self._root(request, record)
        return await self._on_bucket(request, claim, record)

    async def _record(self, claim: Claim) -> KeyRecord | None:
        """The key that a claim names; the server's own only in presigned URLs."""
        if claim.access_key_id == PRESIGN_KEY_ID:
            return KeyRecord(self._presign_secret, "", may_use_physical=True) if claim.presigned else None
        return await self._lookup_secret(claim.access_key_id)

    async def _root(self, request: S3Request, record: KeyRecord) -> Answer:
        if request.method != "GET" or not record.user:
            raise S3Error("MethodNotAllowed", "only GET, which lists the buckets, is allowed here")
        return await list_buckets(self._physical, request, allowed=record.may_use_physical, user=record.user)

    async def _on_bucket(self, request: S3Request, claim: Claim, record: KeyRecord) -> Answer:
        if request.bucket not in self._physical.buckets:
            raise S3Error("NoSuchBucket", "The specified bucket does not exist")
        if not record.may_use_physical:
            raise S3Error("AccessDenied", "this access key may not use the store's own buckets")
        operation = find_operation(request)
        if claim.access_key_id == PRESIGN_KEY_ID and operation not in INTERNAL:
            raise S3Error("AccessDenied", "this URL allows one method on one object, and nothing else")
        return await operation(self._physical, request)


def _refusal(code: str, message: str, scope: Scope, request_id: str) -> Answer:
    resource = scope["raw_path"].decode("latin-1")
    body = error_document(code=code, message=message, resource=resource, request_id=request_id)
    answer = xml_answer(body, status=STATUS[code])
    if any(name == b"expect" for name, _ in scope["headers"]):
        # The client was not told to continue and keeps its body: what it sends next would be taken for that body.
        answer.headers["connection"] = "close"
    return answer
