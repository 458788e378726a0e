# SPDX-License-Identifier: Apache-2.0
"""An S3-compatible store whose small objects and reads go through `obstore`, which takes half of the CPU.

Everything else, and keys that the package would change, is the work of the adapter for the `minio` package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from obstore.store import S3Store

from lakehouse.core.clock import system_clock
from lakehouse.objects.minio import open_minio_store
from lakehouse.objects.obstore import PART, ObstoreStore, fits
from lakehouse.objects.port import PutMode

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.objects.minio import MinioStore
    from lakehouse.objects.port import (
        ByteRange,
        Location,
        Mode,
        ObjectInfo,
        ObjectReader,
        StoreDescription,
        StoredObject,
    )


def open_fast_s3_store(
    *,
    endpoint: str,
    access_key_id: str,
    secret_access_key: str,
    bucket: str,
    region: str = "us-east-1",
    clock: Clock = system_clock,
) -> FastS3Store:
    """As `open_minio_store`. Nothing is asked of the store yet. Raises BadConfiguration."""
    whole = open_minio_store(
        endpoint=endpoint,
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        bucket=bucket,
        region=region,
        clock=clock,
    )

    def open_bucket(name: str) -> S3Store:
        return S3Store(
            name,
            config={
                "access_key_id": access_key_id,
                "secret_access_key": secret_access_key,
                "region": region,
                "virtual_hosted_style_request": not endpoint and "." not in name,
                **({"endpoint": endpoint.rstrip("/")} if endpoint else {}),
            },
            client_options={"allow_http": endpoint.startswith("http://")},
        )

    return FastS3Store(whole, ObstoreStore(open_bucket, whole.describe(), clock=clock))


class FastS3Store:
    """An ObjectStore and Presigner. Made by `open_fast_s3_store`."""

    def __init__(self, whole: MinioStore, fast: ObstoreStore) -> None:
        self._whole = whole
        self._fast = fast
        self.presign = whole.presign
        self.uploads = whole.uploads

    async def get(self, location: Location, byte_range: ByteRange | None = None) -> ObjectReader:
        return await (self._fast if fits(location.key) else self._whole).get(location, byte_range)

    async def head(self, location: Location) -> ObjectInfo:
        return await self._whole.head(location)

    async def put(
        self,
        location: Location,
        body: bytes | AsyncIterable[bytes],
        *,
        size: int | None = None,
        content_type: str = "",
        metadata: dict[str, str] | None = None,
        mode: Mode = PutMode.REPLACE,
    ) -> ObjectInfo:
        small = isinstance(body, bytes) and len(body) <= PART
        store = self._fast if small and fits(location.key) and mode is not PutMode.ONCE else self._whole
        return await store.put(location, body, size=size, content_type=content_type, metadata=metadata, mode=mode)

    async def delete(self, locations: Sequence[Location]) -> None:
        await self._whole.delete(locations)

    async def list(
        self, bucket: str, *, prefix: str = "", after: str = "", limit: int = 1000
    ) -> tuple[list[StoredObject], bool]:
        return await self._whole.list(bucket, prefix=prefix, after=after, limit=limit)

    async def copy(self, source: Location, target: Location) -> ObjectInfo:
        return await self._whole.copy(source, target)

    def describe(self) -> StoreDescription:
        return self._whole.describe()

    async def close(self) -> None:
        await self._fast.close()
        await self._whole.close()
