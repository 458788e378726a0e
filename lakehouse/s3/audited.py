# SPDX-License-Identifier: Apache-2.0
"""From S3 requests to audit events: who did what to which object, on repositories and on the store's own buckets.

An event costs a request one small object in a queue; it is written with its batch, later. Never a secret, never bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.auth.audit import Event

if TYPE_CHECKING:
    from lakehouse.asgi.origin import Origin
    from lakehouse.auth.audit import AuditLog, Level
    from lakehouse.s3.request import S3Request

CHANGES = frozenset({"create_bucket", "delete_bucket"})
"""What is no write of an object, and recorded from the level `changes` on."""
READING = frozenset({"GET", "HEAD"})
REFUSED = 403
_LONGEST = 1024


class S3Recorder:
    """What `S3App` tells of requests, as far as `level` asks for. `origin` tells where they come from."""

    def __init__(self, log: AuditLog, *, level: Level, origin: Origin) -> None:
        self._log = log
        self._level = level
        self._origin = origin

    def record(self, request: S3Request, status: int) -> None:
        """Told of each answer. Refusals to known users are recorded whatever they asked for."""
        wanted = self._wants(request)
        if self._level == "off" or not (wanted or request.user):
            return
        for key, outcome in (request.outcomes or {request.key: status}).items():
            if wanted or outcome == REFUSED:
                self._log.record(self._event(request, key, outcome))

    def _event(self, request: S3Request, key: str, status: int) -> Event:
        named = {"bucket": request.bucket} if request.bucket else {}
        if source := request.headers.get("x-amz-copy-source"):
            named["source"] = source[:_LONGEST]
        if request.internal:
            named["signed_by"] = "server"
        return Event(
            at=self._log.now,
            actor=request.user,
            operation=f"s3.{request.operation or request.method.lower()}",
            status=status,
            what=named | {"key": key[:_LONGEST]} if key else named,
            request=request.request_id,
            peer=self._origin.peer(dict(request.scope)),
            session=request.session,
        )

    def _wants(self, request: S3Request) -> bool:
        match self._level:
            case "off":
                return False
            case "all":
                return True
            case "writes":
                return request.method not in READING
            case _:
                return request.operation in CHANGES
