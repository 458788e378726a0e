# SPDX-License-Identifier: Apache-2.0
"""Object stores of every kind, opened by name and empty."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from lakehouse.objects.local import open_local_store
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.minio import open_minio_store
from lakehouse.objects.port import Location
from tests.s3.served import KEY, SECRET, served_s3

from .stores import BUCKETS, B


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """Our own S3 side with buckets of any name, over HTTP."""
    with served_s3(tmp_path_factory.mktemp("served"), any_name=True) as served:
        yield served.endpoint


async def _empty(store) -> None:
    for bucket in BUCKETS:
        await store.delete([Location(bucket, line.key) for line in (await store.list(bucket))[0]])
        if hasattr(store, "uploads"):
            for upload in (await store.uploads.uploads(bucket))[0]:
                await store.uploads.abort(Location(bucket, upload.key), upload.id)


@pytest.fixture
def opened(request, tmp_path):
    """Opens a store: `async with opened("minio") as store`."""

    @asynccontextmanager
    async def open_one(kind: str):
        if kind == "memory":
            store = MemoryStore()
        elif kind == "local":
            store = await open_local_store(tmp_path / "store")
        else:
            endpoint = request.getfixturevalue("endpoint")
            store = open_minio_store(endpoint=endpoint, access_key_id=KEY, secret_access_key=SECRET, bucket=B)
            await _empty(store)
        yield store
        await store.close()

    return open_one
