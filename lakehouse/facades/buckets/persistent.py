# SPDX-License-Identifier: Apache-2.0
"""Lasting credentials: an access key of the caller's, narrowed to some buckets, under a name of its own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from lakehouse.auth import scoped_keys
from lakehouse.core.errors import BucketCredentialsExist, BucketNotFound, CredentialsNotFound, InvalidArgument
from lakehouse.facades.buckets import grants, names
from lakehouse.facades.buckets.service import Whose, find
from lakehouse.facades.buckets.temporary import where
from lakehouse.meta import bucket_keys
from lakehouse.meta.bucket_keys import BucketKeys
from lakehouse.wire import buckets as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.records import User
    from lakehouse.facades.buckets.platform import Platform
    from lakehouse.meta.buckets import Bucket

_PAGE = 100
_MOST = 1000
"""Buckets that one pair of keys can be for."""


async def create(
    platform: Platform, user: User, bucket_ids: list[str], *, name: str | None, read_only: bool
) -> BucketKeys:
    """New keys. Raises InvalidName, InvalidArgument (no bucket, an imported one), BucketNotFound, BucketForbidden,
    BucketCredentialsExist; InsufficientPermissions for a caller who is a session or a narrowed key.
    """
    if name is not None:
        names.parse_name(name, what="credentials")
        if await bucket_keys.find(platform.lake.db, user.id, name):
            raise BucketCredentialsExist(f"you have credentials {name!r} already")
    wanted = list(dict.fromkeys(bucket_ids))
    if not 1 <= len(wanted) <= _MOST:
        raise InvalidArgument(f"bucket_ids: name 1 to {_MOST} buckets")
    found = [await _bucket(platform, user, identifier) for identifier in wanted]
    repositories = [bucket.home.name for bucket in found if bucket.home is not None]
    pair = await scoped_keys.create(platform.directory, user, repositories, read_only=read_only)
    keys = BucketKeys(
        id=f"bucket-credentials-{uuid.uuid4()}",
        owner=user.id,
        name=name,
        read_only=read_only,
        access_key_id=pair.access_key_id,
        created=int(platform.lake.clock() * 1000),
    )
    try:
        await platform.lake.db.apply(*bucket_keys.insert(keys, [bucket.id for bucket in found]))
    except BucketCredentialsExist:
        await scoped_keys.revoke(platform.directory, user, pair.access_key_id)
        raise
    return keys


async def _bucket(platform: Platform, user: User, identifier: str) -> Bucket:
    found = await find(platform, user, identifier, Whose())
    if found.id != identifier:
        raise BucketNotFound(f"there is no bucket with the id {identifier[:80]!r}")
    if found.home is None:
        raise InvalidArgument(
            f"bucket {identifier} is imported: it has the credentials that it was given, and no others"
        )
    return found


async def find_keys(platform: Platform, user: User, id_or_name: str) -> BucketKeys:
    """One's own credentials by id or name. Raises CredentialsNotFound, also for other people's."""
    found = await bucket_keys.find(platform.lake.db, user.id, id_or_name)
    if found is None:
        raise CredentialsNotFound(f"you have no credentials {id_or_name[:80]!r}")
    return found


async def list_keys(platform: Platform, user: User) -> AsyncIterator[BucketKeys]:
    """One's own credentials in order of their ids."""
    after = ""
    while True:
        page = await bucket_keys.page(platform.lake.db, user.id, after=after, limit=_PAGE)
        for one in page:
            yield one
        if len(page) < _PAGE:
            return
        after = page[-1].id


async def shown(platform: Platform, user: User, keys: BucketKeys, *, endpoint: str) -> wire.PersistentCredentials:
    """As clients want them: the same keys, once for each bucket. Raises CredentialsNotFound."""
    pair = await scoped_keys.find(platform.directory, user, keys.access_key_id)
    return wire.PersistentCredentials(
        id=keys.id,
        name=keys.name,
        owner=user.name,
        read_only=keys.read_only,
        credentials=[
            wire.BucketCredentials(
                bucket_id=bucket.id,
                provider=bucket.provider,
                read_only=keys.read_only,
                credentials={
                    **where(platform, bucket.home.name, endpoint=endpoint),
                    "access_key_id": pair.access_key_id,
                    "secret_access_key": pair.secret_access_key,
                },
            )
            for bucket in await grants.buckets_of(platform, keys)
            if bucket.home is not None
        ],
    )
