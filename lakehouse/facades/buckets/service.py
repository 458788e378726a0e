# SPDX-License-Identifier: Apache-2.0
"""Buckets: find, list, create, import, make public, remove.

A bucket is a plain repository, and who may do what with it is what policies say of that repository. A bucket of another
store is a name, a place and credentials; policies mean it by the name that its repository would have.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import msgspec

from lakehouse.auth import keys
from lakehouse.auth.sealed import Sealed, seal, unseal
from lakehouse.core import marks
from lakehouse.core.errors import (
    BucketExists,
    BucketForbidden,
    BucketNotFound,
    InvalidArgument,
    RepositoryExists,
    RepositoryNotEmpty,
    RepositoryNotFound,
    Unavailable,
)
from lakehouse.facades.buckets import grants, names
from lakehouse.facades.buckets.platform import ORGANIZATION, Platform, require
from lakehouse.meta import bucket_keys, buckets
from lakehouse.meta.buckets import Bucket
from lakehouse.versioning.refs import repositories
from lakehouse.versioning.refs.emptied import delete_emptied
from lakehouse.versioning.work import auto_commit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.records import User

PROVIDER = "minio"
"""What clients take our own buckets for: any S3 endpoint."""
PROVIDERS = ("aws", "minio", "azure", "gcp", "open_stack")
"""Whose buckets can be imported: those that clients of every generation know."""
_PAGE = 200
_TRIES = 8
_MOST_CREDENTIALS = 64 * 1024
logger = logging.getLogger(__name__)
_pairs = msgspec.json.Decoder(dict[str, str])


class Whose(msgspec.Struct, frozen=True):
    """In which project a name is looked for; None: where the caller is at home."""

    org: str | None = None
    project: str | None = None


def resource_of(bucket: Bucket) -> str:
    """What policies call a bucket."""
    if bucket.home is not None:
        return f"repository/{bucket.home.name}"
    return f"repository/{names.repository_name(bucket.name) if bucket.name else bucket.id}"


def is_public(bucket: Bucket) -> bool:
    """Whether everybody may read its blobs."""
    return bucket.home is not None and bucket.home.metadata.get(marks.PUBLIC_READ) == "true"


def may_see(platform: Platform, user: User, bucket: Bucket) -> bool:
    """Whether the bucket is in a user's lists. An imported one is always in its owner's."""
    if bucket.home is None and bucket.owner == user.id and not user.scope:
        return True
    return platform.checker.allowed(user, "fs:ReadRepository", resource_of(bucket))


async def find(platform: Platform, user: User, id_or_name: str, whose: Whose) -> Bucket:
    """The bucket of this id, wherever it is, or else of this name. Raises BucketNotFound, BucketForbidden."""
    db = platform.lake.db
    found = await buckets.by_id(db, id_or_name) if names.ID.fullmatch(id_or_name) else None
    if found is None:
        org, project = whose.org or ORGANIZATION, whose.project or user.name
        found = await buckets.by_name(db, org=org, project=project, name=id_or_name)
    if found is None:
        raise BucketNotFound(f"there is no bucket {id_or_name[:80]!r} in project {whose.project or user.name!r}")
    if not may_see(platform, user, found):
        require(platform, user, "fs:ReadRepository", resource_of(found))
    return found


async def find_by_path(platform: Platform, user: User, path: str) -> Bucket:
    """The bucket that `[org/]project/bucket[/key]` is in. Raises BucketNotFound, BucketForbidden."""
    parts = path.strip("/").split("/")
    if parts[0] == ORGANIZATION and len(parts) > 2:
        return await find(platform, user, parts[2], Whose(parts[0], parts[1]))
    if len(parts) < 2:
        raise BucketNotFound(f"the path {path[:200]!r} names no bucket: write org/project/bucket")
    return await find(platform, user, parts[1], Whose(None, parts[0]))


async def list_buckets(platform: Platform, user: User, whose: Whose) -> AsyncIterator[Bucket]:
    """Those that the user may see, of one organization and project or of all, in order of their ids."""
    after = ""
    while True:
        page = await buckets.page(
            platform.lake.db, after=after, limit=_PAGE, org=whose.org or None, project=whose.project or None
        )
        for bucket in page:
            if may_see(platform, user, bucket):
                yield bucket
        if len(page) < _PAGE:
            return
        after = page[-1].id


async def create(platform: Platform, user: User, name: str | None, whose: Whose) -> Bucket:
    """A new bucket: a plain repository, committed automatically if the server does that.

    Raises InvalidName, InvalidArgument (organization), BucketForbidden, BucketExists.
    """
    draft = await _draft(platform, user, name, whose, provider=PROVIDER)
    for attempt in range(_TRIES):
        repository = draft.id if name is None else _repository_name(name, attempt)
        require(platform, user, "fs:CreateRepository", f"repository/{repository}")
        require(platform, user, "fs:AttachStorageNamespace", "namespace/")
        try:
            await repositories.create_repository(
                platform.lake,
                repositories.RepositoryRequest(
                    name=repository, metadata={marks.PLAIN: "true", auto_commit.MARK: "true"}
                ),
                also=lambda made: (buckets.insert(draft, made.id),),
            )
        except RepositoryExists:
            continue
        return await _made(platform, draft.id)
    raise BucketExists(f"repositories with names like {name} are there already: choose another name")


def _repository_name(bucket: str, attempt: int) -> str:
    return names.another_repository_name(bucket) if attempt else names.repository_name(bucket)


async def import_external(
    platform: Platform,
    user: User,
    name: str | None,
    whose: Whose,
    *,
    provider: str,
    place: str,
    credentials: dict[str, str],
) -> Bucket:
    """Make a bucket of another store known. Its credentials are kept as they are given, and nothing is asked there.

    Raises as `create`, and InvalidArgument for a provider that clients do not know.
    """
    if provider not in PROVIDERS:
        raise InvalidArgument(f"provider {provider[:40]!r}: not known; write one of {', '.join(PROVIDERS)}")
    plain = msgspec.json.encode(credentials)
    if not place or len(place) > 1024 or len(plain) > _MOST_CREDENTIALS:
        raise InvalidArgument("provider_bucket_name must not be empty, and neither it nor the credentials so long")
    draft = await _draft(platform, user, name, whose, provider=provider)
    require(platform, user, "fs:CreateRepository", resource_of(draft))
    sealed = seal(platform.directory.ring, keys.BUCKETS, plain, bound=draft.id)
    draft = msgspec.structs.replace(draft, place=place, secret=sealed.data, key_id=sealed.key_id)
    await platform.lake.db.apply(buckets.insert(draft, None))
    return await _made(platform, draft.id)


async def _draft(platform: Platform, user: User, name: str | None, whose: Whose, *, provider: str) -> Bucket:
    """The new bucket as far as it is known. Raises InvalidName, InvalidArgument, BucketForbidden, BucketExists."""
    project = whose.project or user.name
    if name is not None:
        names.parse_name(name)
    if (whose.org or ORGANIZATION) != ORGANIZATION:
        raise InvalidArgument(f"organization {whose.org!r}: not known; the only one is {ORGANIZATION!r}")
    if project != user.name and not platform.checker.allowed_below(user, "fs:CreateRepository", "repository/"):
        raise BucketForbidden(
            f"only who may create every repository creates buckets in other projects than their own, {user.name!r}",
            action="fs:CreateRepository",
            resource="repository/*",
        )
    db = platform.lake.db
    there = None if name is None else await buckets.by_name(db, org=ORGANIZATION, project=project, name=name)
    if there is not None and there.project == project:
        raise BucketExists(f"there is a bucket {name!r} in project {project!r} already")
    return Bucket(
        id=f"bucket-{uuid.uuid4()}",
        org=ORGANIZATION,
        project=project,
        name=name,
        owner=user.id,
        owner_name=user.name,
        provider=provider,
        created=int(platform.lake.clock() * 1000),
    )


async def _made(platform: Platform, identifier: str) -> Bucket:
    found = await buckets.by_id(platform.lake.db, identifier)
    if found is None:
        raise BucketNotFound("the bucket was removed as soon as it was made")
    return found


async def set_public(platform: Platform, user: User, bucket: Bucket, *, public: bool) -> Bucket:
    """Let everybody read a bucket's blobs, or no longer. Raises BucketForbidden, InvalidArgument (imported)."""
    if bucket.home is None:
        raise InvalidArgument("an imported bucket is made public where it is")
    require(platform, user, "fs:UpdateRepository", resource_of(bucket))
    below = f"{resource_of(bucket)}/object/"
    if public and not platform.checker.allowed_below(user, "fs:ReadObject", below):
        raise BucketForbidden(
            "only who may read all of a bucket makes it public", action="fs:ReadObject", resource=f"{below}*"
        )
    put = {marks.PUBLIC_READ: "true" if public else "false"}
    await repositories.update_metadata(platform.lake, bucket.home.name, put=put)
    return await _made(platform, bucket.id)


async def remove(platform: Platform, user: User, bucket: Bucket) -> None:
    """Remove a bucket that is empty, or forget an imported one; credentials are no longer for it.

    Raises BucketForbidden, RepositoryNotEmpty (and then nothing is changed), BucketNotFound.
    """
    if bucket.home is None:
        if bucket.owner != user.id or user.scope:
            require(platform, user, "fs:DeleteRepository", resource_of(bucket))
        await platform.lake.db.apply(*buckets.delete(bucket.id))
        return
    require(platform, user, "fs:DeleteRepository", resource_of(bucket))
    concerned = await bucket_keys.for_bucket(platform.lake.db, bucket.id)
    try:
        await delete_emptied(platform.lake, bucket.home.name, also=buckets.delete(bucket.id))
    except RepositoryNotFound as error:
        raise BucketNotFound from error
    except RepositoryNotEmpty as error:
        raise RepositoryNotEmpty(f"bucket {bucket.name or bucket.id}: {error.message}") from error
    for one in concerned:
        await grants.shrink(platform, one)


def imported_credentials(platform: Platform, bucket: Bucket) -> dict[str, str]:
    """The credentials that an imported bucket was given. Raises Unavailable when they cannot be opened."""
    plain = unseal(platform.directory.ring, keys.BUCKETS, Sealed(bucket.secret, bucket.key_id), bound=bucket.id)
    if plain is None:
        raise Unavailable(
            f"the credentials of bucket {bucket.id} are encrypted with the secret of key id {bucket.key_id}, which is "
            "not configured: set LAKEHOUSE_OTHER_SECRET to it, or import the bucket again"
        )
    return _pairs.decode(plain)


async def reseal(platform: Platform) -> None:
    """Bring the credentials of imported buckets under the current key. What does not open is logged, and left."""
    ring = platform.directory.ring
    after = ""
    while page := await buckets.not_under(platform.lake.db, ring.current, after=after):
        for bucket in page:
            try:
                plain = msgspec.json.encode(imported_credentials(platform, bucket))
            except Unavailable as error:
                logger.error("%s", error)  # noqa: TRY400  (the text says it all)
                continue
            fresh = seal(ring, keys.BUCKETS, plain, bound=bucket.id)
            await platform.lake.db.apply(
                buckets.replace_secret(bucket.id, secret=fresh.data, key_id=fresh.key_id, old=bucket.secret)
            )
        after = page[-1].id
