# SPDX-License-Identifier: Apache-2.0
"""Outputs as objects of repositories: those that the cache keeps itself, and those that its entries point to.

What the cache keeps goes to the default branch of one plain repository, each time under a new path, so that an entry
and its bytes always belong together.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

from lakehouse.core.clock import timed_name
from lakehouse.core.errors import (
    DataMissing,
    Gone,
    InvalidArgument,
    NotFound,
    ReadOnlyRepository,
    RepositoryExists,
    RepositoryNotFound,
)
from lakehouse.core.marks import PLAIN, is_plain
from lakehouse.core.paths import parse_path
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import listing, lookup, objects
from lakehouse.versioning.refs import repositories
from lakehouse.versioning.work import auto_commit
from lakehouse.wire.cache import CACHE_REPOSITORY

if TYPE_CHECKING:
    from lakehouse.core.records import Repository, User
    from lakehouse.facades.cache.scope import Scope
    from lakehouse.versioning.lake import Lake

CONTENT_TYPE = "application/x-protobuf"
SCHEMES = frozenset({"s3", "s3a"})


class MayRead(Protocol):
    """Whether a caller may read a path of a repository."""

    def __call__(self, user: User | None, repository: str, path: str) -> bool: ...


# -- what the cache keeps ----------------------------------------------------------------------------------------------


def fresh_path(scope: Scope, *, now: float, folder: str = "outputs") -> str:
    """A path for outputs of a scope that nothing has used."""
    name = hashlib.sha256(scope.encoded).hexdigest()
    parts = [part for part in (scope.org, scope.project, scope.domain) if part]
    return "/".join([folder, *parts, name, f"{timed_name(now)}.pb"])


async def keep(lake: Lake, path: str, body: bytes) -> str:
    """Store bytes at a path of the cache's repository, which is made when need be; the URI to read them by.

    Raises StorageFull, ReadOnlyRepository.
    """
    try:
        found = await resolve.repository(lake, CACHE_REPOSITORY)
    except RepositoryNotFound:
        found = await _repository(lake)
    if found.read_only:
        raise ReadOnlyRepository(f"repository {CACHE_REPOSITORY} is read-only: the cache cannot keep outputs")
    upload = objects.Upload(path=parse_path(path), size=len(body), content_type=CONTENT_TYPE)
    await objects.upload_object(lake, CACHE_REPOSITORY, found.default_branch, upload, body)
    return f"s3://{CACHE_REPOSITORY}/{path if is_plain(found) else f'{found.default_branch}/{path}'}"


async def read(lake: Lake, path: str) -> bytes | None:
    """Bytes that the cache keeps; None when somebody deleted them."""
    try:
        found = await resolve.repository(lake, CACHE_REPOSITORY)
        repository, entry = await lookup.entry_at_ref(lake, CACHE_REPOSITORY, found.default_branch, parse_path(path))
        return await (await objects.open_object(lake, repository, entry)).read()
    except (NotFound, DataMissing):
        return None


async def discard(lake: Lake, path: str) -> None:
    """Delete bytes that no entry needs any more. Commits keep them."""
    try:
        found = await resolve.repository(lake, CACHE_REPOSITORY)
        await objects.delete_object(lake, CACHE_REPOSITORY, found.default_branch, parse_path(path))
    except (NotFound, Gone):
        return


async def _repository(lake: Lake) -> Repository:
    metadata = {PLAIN: "true", auto_commit.MARK: "true"}
    request = repositories.RepositoryRequest(name=CACHE_REPOSITORY, metadata=metadata)
    with suppress(RepositoryExists):
        await repositories.create_repository(lake, request)
    return await resolve.repository(lake, CACHE_REPOSITORY)


# -- what entries point to ---------------------------------------------------------------------------------------------


async def is_gone(lake: Lake, uri: str, *, user: User | None, may_read: MayRead) -> bool:
    """Whether an URI leads to a place in this lake where nothing is.

    A place elsewhere, one that the caller may not read, and one that is none are not looked at: not gone.
    """
    keys = _keys(uri)
    if not keys:
        return False
    for bucket, key in keys:
        if not await _is_absent(lake, bucket, key, user=user, may_read=may_read):
            return False
    return True


def _keys(uri: str) -> list[tuple[str, str]]:
    """Bucket and key of an S3 URI, read as Flyte's clients write it, percent-encoded, and as it stands."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if not separator or scheme.lower() not in SCHEMES or not key:
        return []
    plain = key.partition("#")[0].partition("?")[0]
    return [(bucket, one) for one in dict.fromkeys((unquote(plain), key)) if one]


async def _is_absent(lake: Lake, bucket: str, key: str, *, user: User | None, may_read: MayRead) -> bool:
    try:
        found = await resolve.repository(lake, bucket)
        ref, path = (found.default_branch, key) if is_plain(found) else key.split("/", 1)
        if not may_read(user, bucket, path):
            return False
        if not path or path.endswith("/"):
            query = listing.Query(prefix=path.encode(), amount=1)
            return not (await listing.list_objects(lake, bucket, ref, query))[1].items
        await lookup.entry_at_ref(lake, bucket, ref, parse_path(path))
    except (RepositoryNotFound, InvalidArgument, ValueError):
        return False
    except (NotFound, Gone):
        return True
    return False
