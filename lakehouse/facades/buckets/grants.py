# SPDX-License-Identifier: Apache-2.0
"""Lasting keys follow the buckets that they are for: fewer buckets, narrower keys; none, no keys."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lakehouse.auth import scoped_keys
from lakehouse.core.errors import CredentialsNotFound
from lakehouse.meta import bucket_keys, buckets, users

if TYPE_CHECKING:
    from lakehouse.facades.buckets.platform import Platform
    from lakehouse.meta.bucket_keys import BucketKeys
    from lakehouse.meta.buckets import Bucket


async def buckets_of(platform: Platform, keys: BucketKeys) -> list[Bucket]:
    """The buckets that keys are for, in the order in which they were named; those that are gone are left out."""
    db = platform.lake.db
    found = [await buckets.by_id(db, identifier) for identifier in await bucket_keys.buckets_of(db, keys.id)]
    return [one for one in found if one is not None and one.home is not None]


async def shrink(platform: Platform, keys: BucketKeys) -> None:
    """After one of their buckets went: narrow the keys to those that are left, or void them."""
    left = [bucket.home.name for bucket in await buckets_of(platform, keys) if bucket.home is not None]
    user = await users.by_id(platform.lake.db, keys.owner)
    if user is None:
        return
    with suppress(CredentialsNotFound):
        if left:
            await scoped_keys.renew(platform.directory, user, keys.access_key_id, left, read_only=keys.read_only)
        else:
            await void(platform, keys)


async def void(platform: Platform, keys: BucketKeys) -> None:
    """Void keys: at once, everywhere. Raises CredentialsNotFound."""
    user = await users.by_id(platform.lake.db, keys.owner)
    if user is None:
        raise CredentialsNotFound
    await scoped_keys.revoke(platform.directory, user, keys.access_key_id)
    await platform.lake.db.apply(*bucket_keys.delete(keys.id))
