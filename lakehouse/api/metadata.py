# SPDX-License-Identifier: Apache-2.0
"""Handlers: the nodes of committed trees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes, redirection
from lakehouse.asgi.streaming import DEFAULT_TYPE, SAFETY
from lakehouse.core.errors import DataMissing, InvalidArgument, StoredObjectNotFound
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import addresses
from lakehouse.wire.metadata import StorageURI

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.records import Repository
    from lakehouse.objects.port import Location
    from lakehouse.wire.metadata import MetadataObjectQuery

_ID = re.compile(r"[0-9a-f]{64}")


async def get_meta_range(services: Services, call: Call[None, None]) -> Response:
    return await _address(services, call, call.path["meta_range"])


async def get_range(services: Services, call: Call[None, None]) -> Response:
    return await _address(services, call, call.path["range"])


async def get_metadata_object(services: Services, call: Call[MetadataObjectQuery, None]) -> Response:
    if call.path["type"] not in ("range", "meta_range"):
        raise InvalidArgument("argument type: must be range or meta_range: invalid value: validation error")
    record, location = await _node(services, call, call.path["object_id"])
    store = services.lake.place(record).store
    if call.query.presign:
        return redirection(
            addresses.presigned_location(services.lake, store, location, method="GET", endpoint=call.endpoint)
        )
    try:
        reader = await store.objects.get(location)
    except StoredObjectNotFound as error:
        raise DataMissing from error
    return Response(200, [(b"content-type", DEFAULT_TYPE.encode()), *SAFETY], await reader.read())


async def _address(services: Services, call: Call[None, None], node_id: str) -> Response:
    _, location = await _node(services, call, node_id)
    record = await resolve.repository(services.lake, call.path["repository"])
    uri = f"{services.lake.place(record).store.description.scheme}://{location.bucket}/{location.key}"
    headers = [*JSON_HEADERS, (b"location", uri.encode())]
    return Response(200, headers, json_bytes(StorageURI(uri)))


async def _node(
    services: Services, call: Call[None, None] | Call[MetadataObjectQuery, None], node_id: str
) -> tuple[Repository, Location]:
    record = await resolve.repository(services.lake, call.path["repository"])
    if not _ID.fullmatch(node_id):
        raise InvalidArgument("argument id: not 64 hex digits: invalid value: validation error")
    return record, services.lake.tree(record).location(node_id)
