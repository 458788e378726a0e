# SPDX-License-Identifier: Apache-2.0
"""Databases and object stores of every kind, empty. An adapter of the database joins by its name in `ADAPTERS`."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest

from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.objects.gcs import open_gcs_store
from lakehouse.objects.local import open_local_store
from lakehouse.objects.memory import MemoryStore
from lakehouse.objects.minio import open_minio_store
from lakehouse.objects.port import Location
from tests.s3.foreign import moto_server
from tests.s3.served import KEY, SECRET, served_s3

from . import emulators
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


@pytest.fixture(scope="session")
def moto():
    """An S3 server that we did not write."""
    with moto_server(*BUCKETS, "other-bucket") as found:
        yield found


@pytest.fixture(scope="session")
def azure():
    with emulators.azurite(*BUCKETS, "other-bucket") as found:
        yield found


@pytest.fixture(scope="session")
def gcs():
    with emulators.fake_gcs(*BUCKETS, "other-bucket") as found:
        yield found


def make(kind: str, request):
    """A store of a kind that needs no preparation but its server's."""
    if kind == "azure":
        from lakehouse.objects.azure import open_azure_store

        return open_azure_store(
            bucket=B,
            endpoint=request.getfixturevalue("azure"),
            access_key_id=emulators.ACCOUNT,
            secret_access_key=emulators.ACCOUNT_KEY,
        )
    if kind == "gcs":
        return open_gcs_store(bucket=B, endpoint=request.getfixturevalue("gcs"))
    opener = open_minio_store
    if kind == "fast":
        from lakehouse.objects.fast_s3 import open_fast_s3_store as opener
    endpoint = request.getfixturevalue("moto" if kind == "moto" else "endpoint")
    return opener(endpoint=endpoint, access_key_id=KEY, secret_access_key=SECRET, bucket=B)


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
            store = make(kind, request)
            await _empty(store)
        yield store
        await store.close()

    return open_one


@pytest.fixture(params=ADAPTERS)
async def open_database(request, tmp_path):
    """A function that opens one more handle of the same, at first empty, database."""
    handles = []
    url = request.getfixturevalue("postgres").new_schema() if request.param == "postgres" else None

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
