# SPDX-License-Identifier: Apache-2.0
"""The bucket interface: names, parameters and results as they are documented for neuro's `client.buckets`.

What is listed comes as an asynchronous context manager around an asynchronous iterator:

    async with buckets.list_blobs(URL("blob:photos/2026/"), recursive=True) as entries:
        async for entry in entries:
            ...
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from yarl import URL

from lakehouse.core.errors import Unsupported
from lakehouse.sdk.buckets import globs, records
from lakehouse.sdk.buckets.download_dir import DirDownload, download_file
from lakehouse.sdk.buckets.progress import Silent
from lakehouse.sdk.buckets.records import (
    BlobCommonPrefix,
    BlobObject,
    Bucket,
    BucketEntry,
    BucketUsage,
    PersistentBucketCredentials,
)
from lakehouse.sdk.buckets.remove import remove
from lakehouse.sdk.buckets.s3 import S3Bucket
from lakehouse.sdk.buckets.transfer import Wish
from lakehouse.sdk.buckets.upload import put_stream
from lakehouse.sdk.buckets.upload_dir import DirUpload, is_dir, upload_file
from lakehouse.sdk.buckets.uris import BlobUri, bucket_uri, local_path, parse_blob_uri
from lakehouse.wire import buckets as wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractAsyncContextManager

    import httpx2

    from lakehouse.sdk.buckets.ignored import Filter
    from lakehouse.sdk.buckets.platform import Platform
    from lakehouse.sdk.buckets.progress import (
        AbstractDeleteProgress,
        AbstractFileProgress,
        AbstractRecursiveFileProgress,
    )

P = ParamSpec("P")
T = TypeVar("T")
_S3 = frozenset({Bucket.Provider.AWS, Bucket.Provider.MINIO, Bucket.Provider.OPEN_STACK})
_REMEMBERED = 64
"""Buckets whose credentials are kept."""


def streamed(
    function: Callable[P, AsyncGenerator[T, None]],
) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]:
    """Of a generator, a context manager around it: whoever stops early lets go of what it holds."""

    @asynccontextmanager
    @wraps(function)
    async def manager(*arguments: P.args, **options: P.kwargs) -> AsyncIterator[AsyncIterator[T]]:
        generator = function(*arguments, **options)
        try:
            yield generator
        finally:
            await generator.aclose()

    return manager


class Buckets:
    """The buckets of a platform, and the blobs in them."""

    def __init__(self, platform: Platform, http: httpx2.AsyncClient, *, direct: bool = True) -> None:
        """`direct`: connections besides those of `http` may be made."""
        self._platform = platform
        self._http = http
        self._direct = direct
        self._stores: dict[str, S3Bucket] = {}

    # -- buckets -------------------------------------------------------------------------------------------------------

    @streamed
    async def list(self, cluster_name: str | None = None) -> AsyncGenerator[Bucket, None]:
        """All buckets that one may see."""
        async for found in self._platform.lines(wire.LIST_BUCKETS, wire.Bucket, cluster=cluster_name):
            yield await self._bucket(found, cluster_name)

    async def create(self, name: str | None, cluster_name: str | None = None, org_name: str | None = None) -> Bucket:
        """A new bucket, with a name that one has not used for another. Raises InvalidName, BucketExists,
        BucketForbidden.
        """
        body = wire.BucketCreation(name=name, org_name=org_name)
        found = await self._platform.call(wire.CREATE_BUCKET, wire.Bucket, cluster=cluster_name, body=body)
        return await self._bucket(found, cluster_name)

    async def import_external(
        self,
        provider: Bucket.Provider,
        provider_bucket_name: str,
        credentials: Mapping[str, str],
        name: str | None = None,
        cluster_name: str | None = None,
        org_name: str | None = None,
    ) -> Bucket:
        """Make a bucket of another provider known, with credentials for it. Raises as `create`."""
        body = wire.BucketImport(
            provider=provider.value,
            provider_bucket_name=provider_bucket_name,
            credentials=dict(credentials),
            name=name,
            org_name=org_name,
        )
        found = await self._platform.call(wire.IMPORT_BUCKET, wire.Bucket, cluster=cluster_name, body=body)
        return await self._bucket(found, cluster_name)

    async def get(
        self, bucket_id_or_name: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> Bucket:
        """A bucket by id or name; the owner counts for names only. Raises ResourceNotFound, BucketForbidden."""
        found = await self._platform.call(
            wire.GET_BUCKET,
            wire.Bucket,
            {"bucket": bucket_id_or_name},
            cluster=cluster_name,
            query=wire.BucketQuery(owner=bucket_owner),
        )
        return await self._bucket(found, cluster_name)

    async def rm(
        self, bucket_id_or_name: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> None:
        """Remove a bucket that is empty. Raises ResourceNotFound, RepositoryNotEmpty, BucketForbidden."""
        path = {"bucket": bucket_id_or_name}
        query = wire.BucketQuery(owner=bucket_owner)
        await self._platform.do(wire.DELETE_BUCKET, path, cluster=cluster_name, query=query)

    async def request_tmp_credentials(
        self, bucket_id_or_name: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> records.BucketCredentials:
        """Credentials of the provider for this bucket alone, for a while. Raises ResourceNotFound, BucketForbidden."""
        found = await self._platform.call(
            wire.MAKE_TMP_CREDENTIALS,
            wire.BucketCredentials,
            {"bucket": bucket_id_or_name},
            cluster=cluster_name,
            query=wire.BucketQuery(owner=bucket_owner),
        )
        return _credentials(found)

    async def set_public_access(
        self,
        bucket_id_or_name: str,
        public_access: bool,
        cluster_name: str | None = None,
        bucket_owner: str | None = None,
    ) -> Bucket:
        """Let everybody read the blobs of a bucket, or no longer. Raises ResourceNotFound, BucketForbidden."""
        found = await self._platform.call(
            wire.UPDATE_BUCKET,
            wire.Bucket,
            {"bucket": bucket_id_or_name},
            cluster=cluster_name,
            query=wire.BucketQuery(owner=bucket_owner),
            body=wire.BucketChange(public_access),
        )
        return await self._bucket(found, cluster_name)

    # -- blobs by their keys -------------------------------------------------------------------------------------------

    async def head_blob(
        self, bucket_id_or_name: str, key: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> BucketEntry:
        """Size and time of a blob. Raises ResourceNotFound."""
        bucket = await self.get(bucket_id_or_name, cluster_name, bucket_owner)
        found = await self._store(bucket).head(key)
        return BlobObject(key=key, bucket=bucket, size=found.size, modified_at=found.modified)

    async def put_blob(
        self,
        bucket_id_or_name: str,
        key: str,
        body: AsyncIterator[bytes] | bytes,
        cluster_name: str | None = None,
        bucket_owner: str | None = None,
    ) -> None:
        """Create or replace a blob. Raises ResourceNotFound, InsufficientPermissions."""
        store = self._store(await self.get(bucket_id_or_name, cluster_name, bucket_owner))
        if isinstance(body, bytes | bytearray | memoryview):
            await store.put(key, bytes(body))
        else:
            await put_stream(store, key, body)

    @streamed
    async def fetch_blob(
        self,
        bucket_id_or_name: str,
        key: str,
        offset: int = 0,
        cluster_name: str | None = None,
        bucket_owner: str | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of a blob, from `offset` on. Raises ResourceNotFound, RangeNotSatisfiable."""
        store = self._store(await self.get(bucket_id_or_name, cluster_name, bucket_owner))
        async with store.get(key, offset) as pieces:
            async for piece in pieces:
                yield piece

    async def delete_blob(
        self, bucket_id_or_name: str, key: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> None:
        """Remove a blob; one that is not there is no error. Raises ResourceNotFound (the bucket)."""
        await self._store(await self.get(bucket_id_or_name, cluster_name, bucket_owner)).delete(key)

    # -- blobs by URIs -------------------------------------------------------------------------------------------------

    @streamed
    async def list_blobs(
        self,
        uri: URL,
        recursive: bool = False,
        limit: int | None = 10000,
    ) -> AsyncGenerator[BucketEntry, None]:
        """Blobs whose keys begin like the URI's. Not recursive: those up to the next `/`, the others as folders."""
        bucket, key = await self._find(uri)
        count = 0
        async for entry in self._entries(bucket, key, recursive=recursive):
            if count == limit:
                return
            yield entry
            count += 1

    @streamed
    async def glob_blobs(self, uri: URL) -> AsyncGenerator[BucketEntry, None]:
        """Blobs that match a pattern: `*`, `?`, `[abc]` within a level, `**` for this folder and all below it."""
        bucket, pattern = await self._find(uri)
        async for entry in self._matching(bucket, "", pattern):
            yield entry

    async def upload_file(
        self, src: URL, dst: URL, *, update: bool = False, progress: AbstractFileProgress | None = None
    ) -> None:
        """Upload one file. `update`: only if it is newer than the blob, or there is none.

        Raises FileNotFoundError, IsADirectoryError.
        """
        path = local_path(src)
        bucket, key = await self._find(dst)
        await upload_file(self._store(bucket), bucket.uri, path, key, wish=Wish(update), progress=progress or Silent())

    async def download_file(
        self,
        src: URL,
        dst: URL,
        *,
        update: bool = False,
        continue_: bool = False,
        progress: AbstractFileProgress | None = None,
    ) -> None:
        """Download one blob. `update`: only if it is newer than the file, or there is none; `continue_`: get only what
        is missing at the end, if the file is newer than the blob and not longer.

        Raises FileNotFoundError, IsADirectoryError.
        """
        bucket, key = await self._find(src)
        await download_file(
            self._store(bucket),
            bucket.uri,
            key,
            local_path(dst),
            wish=Wish(update, continue_),
            progress=progress or Silent(),
        )

    async def upload_dir(
        self,
        src: URL,
        dst: URL,
        *,
        update: bool = False,
        filter: Filter | None = None,  # noqa: A002
        ignore_file_names: AbstractSet[str] = frozenset(),
        progress: AbstractRecursiveFileProgress | None = None,
    ) -> None:
        """Upload a folder with all in it. `filter` is asked with the path below it, `/` at the end of folders: what it
        says no to is left out. Files named `ignore_file_names` say so too, in the format of `.gitignore`.

        Raises FileNotFoundError, NotADirectoryError.
        """
        path = local_path(src)
        bucket, key = await self._find(dst)
        job = DirUpload(
            self._store(bucket),
            bucket.uri,
            wish=Wish(update),
            keep=filter,
            ignore_names=ignore_file_names,
            progress=progress or Silent(),
        )
        await job.run(path, key)

    async def download_dir(
        self,
        src: URL,
        dst: URL,
        *,
        update: bool = False,
        continue_: bool = False,
        filter: Filter | None = None,  # noqa: A002
        progress: AbstractRecursiveFileProgress | None = None,
    ) -> None:
        """Download a folder with all in it; options as of `download_file` and `upload_dir`.

        Raises FileNotFoundError, NotADirectoryError.
        """
        bucket, key = await self._find(src)
        job = DirDownload(
            self._store(bucket),
            bucket.uri,
            wish=Wish(update, continue_),
            keep=filter,
            progress=progress or Silent(),
        )
        await job.run(key, local_path(dst))

    async def blob_is_dir(self, uri: URL) -> bool:
        """Whether there are blobs below it, or it ends in `/`."""
        bucket, key = await self._find(uri)
        return key.endswith("/") or await is_dir(self._store(bucket), key)

    async def blob_rm(
        self, uri: URL, *, recursive: bool = False, progress: AbstractDeleteProgress | None = None
    ) -> None:
        """Remove a blob, or a folder with all in it. Raises FileNotFoundError, IsADirectoryError."""
        bucket, key = await self._find(uri)
        await remove(self._store(bucket), bucket.uri, key, recursive=recursive, progress=progress or Silent())

    async def make_signed_url(self, uri: URL, expires_in_seconds: int = 3600) -> URL:
        """A URL by which anybody can read one blob for a while. Raises ResourceNotFound, InvalidArgument."""
        bucket, key = await self._find(uri)
        found = await self._platform.call(
            wire.SIGN_BLOB_URL,
            wire.SignedUrl,
            {"bucket": bucket.id},
            cluster=bucket.cluster_name,
            body=wire.SignedUrlRequest(key=key, expires_in_sec=expires_in_seconds),
        )
        return URL(found.url, encoded=True)

    @streamed
    async def get_disk_usage(
        self, bucket_id_or_name: str, cluster_name: str | None = None, bucket_owner: str | None = None
    ) -> AsyncGenerator[BucketUsage, None]:
        """Running totals, after each blob; nothing for an empty bucket. Raises ResourceNotFound."""
        store = self._store(await self.get(bucket_id_or_name, cluster_name, bucket_owner))
        size = count = 0
        async for page in store.pages("", recursive=True):
            for blob in page.blobs:
                size += blob.size
                count += 1
                yield BucketUsage(size, count)

    # -- lasting credentials -------------------------------------------------------------------------------------------

    @streamed
    async def persistent_credentials_list(
        self, cluster_name: str | None = None
    ) -> AsyncGenerator[PersistentBucketCredentials, None]:
        """One's own lasting credentials."""
        kind = wire.PersistentCredentials
        async for found in self._platform.lines(wire.LIST_PERSISTENT_CREDENTIALS, kind, cluster=cluster_name):
            yield await self._lasting(found, cluster_name)

    async def persistent_credentials_create(
        self,
        bucket_ids: Iterable[str],
        name: str | None,
        *,
        read_only: bool = False,
        cluster_name: str | None = None,
    ) -> PersistentBucketCredentials:
        """Credentials for some buckets that last until they are removed, under a name that one has not used for
        others. Raises ResourceNotFound, BucketCredentialsExist, InvalidArgument, BucketForbidden.
        """
        body = wire.PersistentCredentialsCreation(bucket_ids=[*bucket_ids], name=name, read_only=read_only)
        found = await self._platform.call(
            wire.CREATE_PERSISTENT_CREDENTIALS, wire.PersistentCredentials, cluster=cluster_name, body=body
        )
        return await self._lasting(found, cluster_name)

    async def persistent_credentials_get(
        self, credential_id_or_name: str, cluster_name: str | None = None
    ) -> PersistentBucketCredentials:
        """One's own lasting credentials by id or name. Raises ResourceNotFound."""
        found = await self._platform.call(
            wire.GET_PERSISTENT_CREDENTIALS,
            wire.PersistentCredentials,
            {"credentials": credential_id_or_name},
            cluster=cluster_name,
        )
        return await self._lasting(found, cluster_name)

    async def persistent_credentials_rm(self, credential_id_or_name: str, cluster_name: str | None = None) -> None:
        """Void lasting credentials. Raises ResourceNotFound."""
        path = {"credentials": credential_id_or_name}
        await self._platform.do(wire.DELETE_PERSISTENT_CREDENTIALS, path, cluster=cluster_name)

    # -- within --------------------------------------------------------------------------------------------------------

    async def _bucket(self, found: wire.Bucket, cluster: str | None) -> Bucket:
        name = (await self._platform.home()).cluster if cluster is None else cluster
        place = (found.project_name, found.name or found.id)
        return Bucket(
            id=found.id,
            owner=found.owner,
            name=found.name,
            uri=bucket_uri(name, *((found.org_name, *place) if found.org_name else place)),
            cluster_name=name,
            org_name=found.org_name or None,
            created_at=datetime.fromisoformat(found.created_at),
            provider=Bucket.Provider(found.provider),
            imported=found.imported,
            public=found.public,
        )

    async def _lasting(self, found: wire.PersistentCredentials, cluster: str | None) -> PersistentBucketCredentials:
        return PersistentBucketCredentials(
            id=found.id,
            owner=found.owner,
            name=found.name,
            read_only=found.read_only,
            cluster_name=(await self._platform.home()).cluster if cluster is None else cluster,
            credentials=[_credentials(one) for one in found.credentials],
        )

    async def _find(self, uri: URL) -> tuple[Bucket, str]:
        """The bucket of a URI, and the key in it. Raises ValueError, ResourceNotFound."""
        parsed = parse_blob_uri(uri, await self._platform.home())
        found = await self._platform.call(
            wire.FIND_BUCKET, wire.Bucket, cluster=parsed.cluster, query=wire.BucketPathQuery(path=parsed.path)
        )
        return await self._bucket(found, parsed.cluster), _key(parsed, found)

    def _store(self, bucket: Bucket) -> S3Bucket:
        """Raises Unsupported for providers without S3."""
        found = self._stores.get(bucket.id)
        if found is None:
            if bucket.provider not in _S3:
                raise Unsupported(
                    f"blobs of {bucket.provider} are not reached from here: use request_tmp_credentials and a client "
                    "of that provider"
                )
            if len(self._stores) >= _REMEMBERED:
                self._stores.clear()

            async def mint() -> records.BucketCredentials:
                return await self.request_tmp_credentials(bucket.id, bucket.cluster_name)

            found = self._stores[bucket.id] = S3Bucket(
                self._http, mint, retry=self._platform.retry, direct=self._direct
            )
        return found

    async def _entries(self, bucket: Bucket, prefix: str, *, recursive: bool) -> AsyncIterator[BucketEntry]:
        async for page in self._store(bucket).pages(prefix, recursive=recursive):
            for key in page.prefixes:
                yield BlobCommonPrefix(key=key, bucket=bucket)
            for blob in page.blobs:
                yield BlobObject(key=blob.key, bucket=bucket, size=blob.size, modified_at=blob.modified)

    async def _matching(self, bucket: Bucket, prefix: str, pattern: str) -> AsyncIterator[BucketEntry]:
        """What below `prefix` matches; the pattern is worked off level by level."""
        level, slash, rest = pattern.partition("/")
        if level == globs.EVERYTHING_BELOW:
            match = globs.matcher(pattern)
            async for entry in self._entries(bucket, prefix, recursive=True):
                if match(entry.key[len(prefix) :]):
                    yield entry
        elif not rest:
            async for entry in self._on_level(bucket, prefix, level + slash):
                yield entry
        else:
            async for folder in self._folders(bucket, prefix, level):
                async for entry in self._matching(bucket, folder, rest):
                    yield entry

    async def _on_level(self, bucket: Bucket, prefix: str, pattern: str) -> AsyncIterator[BucketEntry]:
        """What right below `prefix` matches."""
        match = globs.matcher(pattern)
        async for entry in self._entries(bucket, prefix + globs.plain_start(pattern), recursive=False):
            if entry.key != prefix and match(entry.key[len(prefix) :]):
                yield entry

    async def _folders(self, bucket: Bucket, prefix: str, level: str) -> AsyncIterator[str]:
        """The folders right below `prefix` that match, as prefixes; without a wildcard nobody is asked."""
        if not globs.has_magic(level):
            yield f"{prefix}{level}/"
            return
        async for entry in self._on_level(bucket, prefix, level):
            if isinstance(entry, BlobCommonPrefix):
                yield entry.key


def _credentials(found: wire.BucketCredentials) -> records.BucketCredentials:
    return records.BucketCredentials(found.bucket_id, Bucket.Provider(found.provider), found.credentials)


def _key(parsed: BlobUri, found: wire.Bucket) -> str:
    """The key that a URI names in the bucket that was found for it."""
    places = [
        f"{whose}/{name}" for whose in (found.project_name, found.owner) for name in (found.name, found.id) if name
    ]
    return parsed.key_in(*(f"{found.org_name}/{place}" for place in places), *places)
