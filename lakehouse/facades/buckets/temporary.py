# SPDX-License-Identifier: Apache-2.0
"""Credentials for an hour, and URLs for one blob: computed, not stored, because clients ask for them at every call.

Both are sessions of the caller, narrowed to the bucket: they end when the user goes or has all sessions revoked. An
imported bucket has lasting credentials only, and they are handed to whoever may write to it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth import scopes, sessions
from lakehouse.core.errors import InvalidArgument, Unsupported
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.core.sigv4 import MAX_EXPIRES, presign_url
from lakehouse.facades.buckets.platform import S3_ROOT, require
from lakehouse.facades.buckets.service import imported_credentials, resource_of

if TYPE_CHECKING:
    from lakehouse.core.records import User
    from lakehouse.facades.buckets.platform import Platform
    from lakehouse.meta.buckets import Bucket

SECONDS = 3600
"""Lifetime of credentials. Clients ask for new ones a quarter of an hour before the end."""
_S3 = frozenset({"aws", "minio", "open_stack"})


class Granted(msgspec.Struct, frozen=True):
    """Credentials as the provider's own clients want them."""

    credentials: dict[str, str]
    read_only: bool


def make_tmp_credentials(platform: Platform, user: User, bucket: Bucket, *, endpoint: str) -> Granted:
    """For the bucket of a client that reached the server at `endpoint`.

    Raises BucketForbidden; InsufficientPermissions for a caller who is a session.
    """
    if bucket.home is None:
        return Granted(_lasting(platform, user, bucket), read_only=False)
    name = bucket.home.name
    made = sessions.create(
        platform.directory.ring,
        user,
        now=platform.lake.clock(),
        seconds=SECONDS,
        policy=scopes.on_buckets([name], read_only=False),
    )
    pair = made.credentials
    return Granted(
        {
            **where(platform, name, endpoint=endpoint),
            "access_key_id": pair.access_key_id,
            "secret_access_key": pair.secret_access_key,
            "session_token": made.token,
            "expiration": datetime.fromtimestamp(made.expires, UTC).isoformat(),
        },
        read_only=not platform.checker.allowed_below(user, "fs:WriteObject", f"{resource_of(bucket)}/object/"),
    )


def where(platform: Platform, repository: str, *, endpoint: str) -> dict[str, str]:
    """What S3 clients want to know beside keys."""
    return {"bucket_name": repository, "endpoint_url": endpoint + S3_ROOT, "region_name": platform.region}


def sign_blob_url(platform: Platform, user: User, bucket: Bucket, key: str, *, seconds: int, endpoint: str) -> str:
    """A URL for GET of one blob, which need not be there yet.

    Raises InvalidArgument (1 second to 7 days), BucketForbidden; Unsupported for imported buckets without S3.
    """
    if not 1 <= seconds <= MAX_EXPIRES:
        raise InvalidArgument(f"expires_in_sec: {seconds}: a URL can be valid for 1 to {MAX_EXPIRES} seconds")
    if not key:
        raise InvalidArgument("key must not be empty: URLs are for one blob")
    if bucket.home is None:
        return _sign_elsewhere(platform, user, bucket, key, seconds=seconds)
    name = bucket.home.name
    require(platform, user, "fs:ReadObject", f"repository/{name}/object/{key}")
    made = sessions.create(
        platform.directory.ring,
        user,
        now=platform.lake.clock(),
        seconds=max(seconds, sessions.SHORTEST),
        longest=MAX_EXPIRES,
        policy=(PolicyStatement(Effect.ALLOW, ("fs:ReadObject",), f"arn:lakefs:fs:::repository/{name}/object/*"),),
    )
    return presign_url(
        "GET",
        endpoint=endpoint + S3_ROOT,
        path=f"/{name}/{key}".encode(),
        access_key_id=made.credentials.access_key_id,
        secret=made.credentials.secret_access_key,
        region=platform.region,
        now=platform.lake.clock(),
        expires=seconds,
        query=[("X-Amz-Security-Token", made.token)],
    )


def _lasting(platform: Platform, user: User, bucket: Bucket) -> dict[str, str]:
    if bucket.owner != user.id or user.session or user.scope:
        require(platform, user, "fs:WriteObject", f"{resource_of(bucket)}/object/*")
    return {"bucket_name": bucket.place, **imported_credentials(platform, bucket)}


def _sign_elsewhere(platform: Platform, user: User, bucket: Bucket, key: str, *, seconds: int) -> str:
    if bucket.provider not in _S3:
        raise Unsupported(f"URLs for buckets of {bucket.provider} are not signed here: use its own client")
    if bucket.owner != user.id or user.session or user.scope:
        require(platform, user, "fs:ReadObject", f"{resource_of(bucket)}/object/{key}")
    given = imported_credentials(platform, bucket)
    region = given.get("region_name") or "us-east-1"
    token = given.get("session_token")
    try:
        return presign_url(
            "GET",
            endpoint=given.get("endpoint_url") or f"https://s3.{region}.amazonaws.com",
            path=f"/{bucket.place}/{key}".encode(),
            access_key_id=given["access_key_id"],
            secret=given["secret_access_key"],
            region=region,
            now=platform.lake.clock(),
            expires=seconds,
            query=[("X-Amz-Security-Token", token)] if token else [],
        )
    except KeyError as error:
        raise InvalidArgument(f"the credentials of this bucket have no {error.args[0]}") from error
