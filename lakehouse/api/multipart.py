# SPDX-License-Identifier: Apache-2.0
"""Handlers: uploads in parts, straight to the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.asgi.conditional import etag
from lakehouse.asgi.ranges import parse_range
from lakehouse.asgi.responses import Response
from lakehouse.core.errors import InvalidArgument, MissingValue
from lakehouse.core.paths import parse_path
from lakehouse.versioning.objects import presigned_uploads
from lakehouse.wire.multipart import PresignMultipartUpload, UploadTo

if TYPE_CHECKING:
    from typing import Any

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire import multipart as wire
    from lakehouse.wire.objects import ObjectStats, PathQuery


async def create_presign_multipart_upload(
    services: Services, call: Call[wire.CreatePresignMultipartUploadQuery, None]
) -> PresignMultipartUpload:
    begun = await presigned_uploads.create(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        parse_path(call.query.path),
        parts=call.query.parts,
        endpoint=call.endpoint,
    )
    return PresignMultipartUpload(upload_id=begun.id, physical_address=begun.uri, presigned_urls=begun.urls or UNSET)


async def complete_presign_multipart_upload(
    services: Services, call: Call[PathQuery, wire.CompletePresignMultipartUpload]
) -> ObjectStats:
    body = _body(call)
    linked = await presigned_uploads.complete(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        _target(call, body.physical_address),
        [(part.part_number, part.etag) for part in body.parts],
        content_type=body.content_type,
        metadata=body.user_metadata,
    )
    return shapes.object_stats(linked)


async def abort_presign_multipart_upload(
    services: Services, call: Call[PathQuery, wire.AbortPresignMultipartUpload]
) -> None:
    target = _target(call, _body(call).physical_address)
    await presigned_uploads.abort(services.lake, call.path["repository"], call.path["branch"], target)


async def upload_part(services: Services, call: Call[PathQuery, wire.UploadPartFrom]) -> UploadTo:
    url = await presigned_uploads.part_url(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        _target(call, call.body.physical_address),
        _number(call),
        endpoint=call.endpoint,
    )
    return UploadTo(presigned_url=url)


async def upload_part_copy(services: Services, call: Call[PathQuery, wire.UploadPartCopyFrom]) -> Response:
    source = call.body.copy_source
    services.checker.authorize(call.user, "fs:ReadObject", f"repository/{source.repository}/object/{source.path}")
    found = await presigned_uploads.copy_part(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        _target(call, call.body.physical_address),
        _number(call),
        presigned_uploads.Source(
            source.repository,
            source.ref,
            parse_path(source.path),
            None if source.range is UNSET else parse_range(source.range),
        ),
    )
    return Response(204, [(b"etag", etag(found).encode())])


def _body(call: Call[Any, Any]) -> Any:
    """The body, which the protocol calls optional and its servers insist on. Raises MissingValue."""
    if call.body is None:
        raise MissingValue("request body is required: required value: validation error")
    return call.body


def _target(call: Call[PathQuery, Any], uri: str) -> presigned_uploads.Target:
    return presigned_uploads.Target(parse_path(call.query.path), uri, call.path["uploadId"])


def _number(call: Call[Any, Any]) -> int:
    text = call.path["partNumber"]
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidArgument(f"part number {text[:40]!r}: not a number: invalid value: validation error")
    return int(text)
