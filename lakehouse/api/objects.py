# SPDX-License-Identifier: Apache-2.0
"""Handlers: objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.errors import status_of
from lakehouse.api.services import importing
from lakehouse.asgi.conditional import not_modified, only_if_absent
from lakehouse.asgi.form import read_upload
from lakehouse.asgi.ranges import parse_range, satisfy
from lakehouse.asgi.responses import Response, redirection
from lakehouse.asgi.streaming import ObjectFacts, head_response, not_modified_response, object_response
from lakehouse.core.errors import LakehouseError, Unsupported
from lakehouse.core.paths import parse_path
from lakehouse.objects.port import ByteRange
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import listing, lookup, objects, staging
from lakehouse.versioning.protection import require_writable
from lakehouse.wire.errors import ObjectError, ObjectErrorList
from lakehouse.wire.objects import UnderlyingObjectProperties

if TYPE_CHECKING:
    from typing import Any

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.records import Entry
    from lakehouse.wire import objects as wire

_METADATA = b"x-lakefs-meta-"
_INTERNAL = b"x-lakefs-internal-"


async def get_object(services: Services, call: Call[wire.GetObjectQuery, None]) -> Response:
    path = parse_path(call.query.path)
    record, entry = await lookup.entry_at_ref(services.lake, call.path["repository"], call.path["ref"], path)
    if call.query.presign:
        uri, _ = shapes.address(services.lake, record, entry, staging.Presign(call.endpoint))
        return redirection(uri)
    if not_modified(call, entry.checksum):
        return not_modified_response()
    wanted = parse_range(call.header(b"range"))
    span = None if wanted is None else satisfy(wanted, entry.size)
    exact = None if span is None else ByteRange(span[0], span[0] + span[1] - 1)
    reader = await objects.open_object(services.lake, record, entry, exact)
    return await object_response(_facts(call.query.path, entry), reader, partial=span is not None)


async def head_object(services: Services, call: Call[wire.PathQuery, None]) -> Response:
    path = parse_path(call.query.path)
    _, entry = await lookup.entry_at_ref(services.lake, call.path["repository"], call.path["ref"], path)
    wanted = parse_range(call.header(b"range"))
    span = None if wanted is None else satisfy(wanted, entry.size)
    return head_response(_facts(call.query.path, entry), span=span)


async def stat_object(services: Services, call: Call[wire.StatObjectQuery, None]) -> wire.ObjectStats:
    query, path = call.query, parse_path(call.query.path)
    record, entry = await lookup.entry_at_ref(services.lake, call.path["repository"], call.path["ref"], path)
    presign = shapes.presign_for(call, wanted=query.presign)
    uri, expiry = shapes.address(services.lake, record, entry, presign)
    if not query.user_metadata:
        entry = msgspec.structs.replace(entry, metadata={})
    return shapes.object_stats(staging.Linked(path, entry, uri), expiry=expiry)


async def list_objects(services: Services, call: Call[wire.ListObjectsQuery, None]) -> wire.ObjectStatsList:
    record, page = await listing.list_objects(
        services.lake, call.path["repository"], call.path["ref"], shapes.query(call.query)
    )
    return shapes.object_list(
        services.lake,
        record,
        page,
        with_metadata=call.query.user_metadata,
        presign=shapes.presign_for(call, wanted=call.query.presign),
        may_read=lambda path: services.checker.allowed(
            call.user, "fs:ReadObject", f"repository/{call.path['repository']}/object/{path}"
        ),
    )


async def get_underlying_properties(services: Services, call: Call[wire.PathQuery, None]) -> UnderlyingObjectProperties:
    path = parse_path(call.query.path)
    found = await objects.head_stored(services.lake, call.path["repository"], call.path["ref"], path)
    return UnderlyingObjectProperties(storage_class=found.storage_class or None)


async def upload_object(services: Services, call: Call[wire.UploadObjectQuery, None]) -> wire.ObjectStats:
    if_absent = only_if_absent(call)
    path = parse_path(call.query.path)
    await objects.require_branch(services.lake, call.path["repository"], call.path["branch"])
    upload = await read_upload(call, limit=services.object_size)
    stored = await objects.upload_object(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        objects.Upload(
            path=path,
            size=upload.size,
            content_type=upload.content_type,
            metadata=_metadata_headers(call),
            if_absent=if_absent,
            force=call.query.force,
        ),
        upload.body,
    )
    return shapes.object_stats(stored)


async def stage_object(services: Services, call: Call[wire.PathQuery, wire.ObjectStageCreation]) -> wire.ObjectStats:
    body = call.body
    staged = await staging.stage_object(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        staging.Link(
            path=parse_path(call.query.path),
            physical_address=body.physical_address,
            checksum=body.checksum,
            size=body.size_bytes,
            content_type=body.content_type,
            metadata=body.metadata,
            mtime=None if body.mtime is UNSET else body.mtime,
            may_import=importing(services, call),
        ),
        force=body.force,
    )
    return shapes.object_stats(staged)


async def delete_object(services: Services, call: Call[wire.DeleteObjectQuery, None]) -> None:
    await objects.delete_object(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        parse_path(call.query.path),
        force=call.query.force,
        no_tombstone=call.query.no_tombstone,
    )


async def delete_objects(services: Services, call: Call[wire.DeleteObjectsQuery, wire.PathList]) -> ObjectErrorList:
    repository = call.path["repository"]
    allowed: list[str] = []
    errors: list[ObjectError] = []
    for path in call.body.paths:
        try:
            services.checker.authorize(call.user, "fs:DeleteObject", f"repository/{repository}/object/{path}")
        except LakehouseError as error:
            errors.append(_object_error(path, error))
        else:
            allowed.append(path)
    refused = await objects.delete_objects(
        services.lake,
        repository,
        call.path["branch"],
        allowed,
        force=call.query.force,
        no_tombstone=call.query.no_tombstone,
    )
    return ObjectErrorList(errors + [_object_error(one.path, one.error) for one in refused])


async def copy_object(
    services: Services, call: Call[wire.CopyObjectQuery, wire.ObjectCopyCreation]
) -> wire.ObjectStats:
    body, repository = call.body, call.path["repository"]
    services.checker.authorize(call.user, "fs:ReadObject", f"repository/{repository}/object/{body.src_path}")
    services.checker.authorize(call.user, "fs:WriteObject", f"repository/{repository}/object/{call.query.dest_path}")
    if body.shallow:
        raise Unsupported("shallow copy: Not Implemented")
    copied = await objects.copy_object(
        services.lake,
        repository,
        call.path["branch"],
        parse_path(call.query.dest_path),
        source_ref=body.src_ref or None,
        source_path=parse_path(body.src_path),
        force=body.force,
    )
    return shapes.object_stats(copied)


async def update_object_user_metadata(
    services: Services, call: Call[wire.PathQuery, wire.UpdateObjectUserMetadata]
) -> None:
    await objects.update_object_user_metadata(
        services.lake, call.path["repository"], call.path["branch"], parse_path(call.query.path), call.body.set
    )


async def upload_object_preflight(services: Services, call: Call[wire.PathQuery, None]) -> None:
    record, branch = await resolve.branch(services.lake, call.path["repository"], call.path["branch"])
    await require_writable(services.lake, record, branch.name, force=False)


def _facts(path: str, entry: Entry) -> ObjectFacts:
    return ObjectFacts(
        path=path, size=entry.size, checksum=entry.checksum, mtime=entry.mtime, content_type=entry.content_type
    )


def _object_error(path: str, error: LakehouseError) -> ObjectError:
    return ObjectError(status_code=status_of(error), message=error.message, path=path)


def _metadata_headers(call: Call[Any, Any]) -> dict[str, str]:
    """User metadata of an upload: `x-lakefs-meta-k` is key `k`, `x-lakefs-internal-k` is key `::lakefs::k`."""
    found = {}
    for name, value in call.headers:
        if name.startswith(_METADATA):
            found[name[len(_METADATA) :].decode("latin-1")] = value.decode("utf-8", "replace")
        elif name.startswith(_INTERNAL):
            found["::lakefs::" + name[len(_INTERNAL) :].decode("latin-1")] = value.decode("utf-8", "replace")
    return found
