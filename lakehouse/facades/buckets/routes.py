# SPDX-License-Identifier: Apache-2.0
"""The platform's operations as the server serves them: from a decoded request to the service, and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lakehouse.asgi.identity import rest_identity
from lakehouse.asgi.responses import JSON_HEADERS, Response, json_bytes
from lakehouse.core.errors import LakehouseError
from lakehouse.facades.buckets import grants, persistent, service, temporary
from lakehouse.facades.buckets.platform import configuration
from lakehouse.facades.buckets.service import Whose
from lakehouse.wire import buckets as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import msgspec

    from lakehouse.asgi.call import Call
    from lakehouse.asgi.dispatch import Handler
    from lakehouse.facades.buckets.platform import Platform
    from lakehouse.meta.buckets import Bucket

_LINES = [(b"content-type", wire.NDJSON.encode()), (b"x-content-type-options", b"nosniff")]


def bucket_shape(bucket: Bucket) -> wire.Bucket:
    """A bucket as it goes over the wire."""
    return wire.Bucket(
        id=bucket.id,
        name=bucket.name,
        owner=bucket.owner_name,
        org_name=bucket.org,
        project_name=bucket.project,
        provider=bucket.provider,
        created_at=datetime.fromtimestamp(bucket.created / 1000, UTC).isoformat(),
        imported=bucket.home is None,
        public=service.is_public(bucket),
    )


async def get_platform_config(platform: Platform, call: Call[None, None]) -> wire.PlatformConfig:
    user = await rest_identity(platform.authenticator)(call)
    return configuration(call.endpoint, user)


async def list_buckets(platform: Platform, call: Call[wire.BucketQuery, None]) -> Response:
    found = service.list_buckets(platform, call.known_user, _whose(call.query))
    return await _listed(call, (bucket_shape(bucket) async for bucket in found))


async def create_bucket(platform: Platform, call: Call[None, wire.BucketCreation]) -> wire.Bucket:
    body = call.body
    whose = Whose(body.org_name, body.project_name)
    return bucket_shape(await service.create(platform, call.known_user, body.name, whose))


async def import_bucket(platform: Platform, call: Call[None, wire.BucketImport]) -> wire.Bucket:
    body = call.body
    made = await service.import_external(
        platform,
        call.known_user,
        body.name,
        Whose(body.org_name, body.project_name),
        provider=body.provider,
        place=body.provider_bucket_name,
        credentials=body.credentials,
    )
    return bucket_shape(made)


async def find_bucket(platform: Platform, call: Call[wire.BucketPathQuery, None]) -> wire.Bucket:
    return bucket_shape(await service.find_by_path(platform, call.known_user, call.query.path))


async def get_bucket(platform: Platform, call: Call[wire.BucketQuery, None]) -> wire.Bucket:
    return bucket_shape(await _named(platform, call))


async def update_bucket(platform: Platform, call: Call[wire.BucketQuery, wire.BucketChange]) -> wire.Bucket:
    bucket = await _named(platform, call)
    return bucket_shape(await service.set_public(platform, call.known_user, bucket, public=call.body.public))


async def delete_bucket(platform: Platform, call: Call[wire.BucketQuery, None]) -> None:
    await service.remove(platform, call.known_user, await _named(platform, call))


async def make_tmp_credentials(platform: Platform, call: Call[wire.BucketQuery, None]) -> wire.BucketCredentials:
    bucket = await _named(platform, call)
    granted = temporary.make_tmp_credentials(platform, call.known_user, bucket, endpoint=call.endpoint)
    return wire.BucketCredentials(
        bucket_id=bucket.id,
        provider=bucket.provider,
        read_only=granted.read_only,
        credentials=granted.credentials,
    )


async def sign_blob_url(platform: Platform, call: Call[wire.BucketQuery, wire.SignedUrlRequest]) -> wire.SignedUrl:
    bucket = await _named(platform, call)
    body = call.body
    return wire.SignedUrl(
        temporary.sign_blob_url(
            platform, call.known_user, bucket, body.key, seconds=body.expires_in_sec, endpoint=call.endpoint
        )
    )


async def list_persistent_credentials(platform: Platform, call: Call[None, None]) -> Response:
    user = call.known_user
    found = persistent.list_keys(platform, user)
    return await _listed(
        call, (await persistent.shown(platform, user, keys, endpoint=call.endpoint) async for keys in found)
    )


async def create_persistent_credentials(
    platform: Platform, call: Call[None, wire.PersistentCredentialsCreation]
) -> wire.PersistentCredentials:
    user, body = call.known_user, call.body
    made = await persistent.create(platform, user, body.bucket_ids, name=body.name, read_only=bool(body.read_only))
    return await persistent.shown(platform, user, made, endpoint=call.endpoint)


async def get_persistent_credentials(platform: Platform, call: Call[None, None]) -> wire.PersistentCredentials:
    found = await persistent.find_keys(platform, call.known_user, call.path["credentials"])
    return await persistent.shown(platform, call.known_user, found, endpoint=call.endpoint)


async def delete_persistent_credentials(platform: Platform, call: Call[None, None]) -> None:
    await grants.void(platform, await persistent.find_keys(platform, call.known_user, call.path["credentials"]))


HANDLERS: dict[str, Handler] = {
    handler.__name__: handler
    for handler in (
        get_platform_config,
        list_buckets,
        create_bucket,
        import_bucket,
        find_bucket,
        get_bucket,
        update_bucket,
        delete_bucket,
        make_tmp_credentials,
        sign_blob_url,
        list_persistent_credentials,
        create_persistent_credentials,
        get_persistent_credentials,
        delete_persistent_credentials,
    )
}
"""What serves each operation of `wire.buckets`, on a `Platform`."""


def _whose(query: wire.BucketQuery) -> Whose:
    """Older clients name the owner, who is the project."""
    return Whose(query.org_name, query.project_name or query.owner)


async def _named(platform: Platform, call: Call[wire.BucketQuery, Any]) -> Bucket:
    """The bucket of the path. Raises BucketNotFound, BucketForbidden."""
    return await service.find(platform, call.known_user, call.path["bucket"], _whose(call.query))


async def _listed(call: Call[Any, Any], items: AsyncIterator[msgspec.Struct]) -> Response:
    """A list as the caller wants it: line by line as it is found, or one array."""
    if wire.NDJSON in (call.header(b"accept") or ""):
        return Response(200, list(_LINES), _lines(items))
    return Response(200, list(JSON_HEADERS), json_bytes([item async for item in items]))


async def _lines(items: AsyncIterator[msgspec.Struct]) -> AsyncIterator[bytes]:
    """What goes wrong on the way is a line of its own, which clients raise."""
    try:
        async for item in items:
            yield json_bytes(item)
    except LakehouseError as error:
        yield json_bytes(wire.PlatformError(error=error.message))
