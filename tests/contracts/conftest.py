# SPDX-License-Identifier: Apache-2.0
"""Databases and object stores of every kind, empty. An adapter of the database joins by its name in `ADAPTERS`."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.objects.local import open_local_store
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.minio import open_minio_store
from lakehouse.objects.port import Location
from tests.s3.served import KEY, SECRET, served_s3

from .databases import ADAPTERS
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


@pytest.fixture(params=ADAPTERS)
async def open_database(request, tmp_path):
    """A function that opens one more handle of the same, at first empty, database."""
    handles = []
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None

    def open_(**options):
        if url is not None:
            handle = PostgresDatabase(url, connections=4, **options)
        else:
            handle = SqliteDatabase(tmp_path / "meta.db", inline_reads=request.param == "sqlite", **options)
        handles.append(handle)
        return handle

    yield open_
    for handle in handles:
        await handle.close()


@pytest.fixture
async def database(open_database):
    handle = open_database()
    await handle.migrate()
    return handle
