# SPDX-License-Identifier: Apache-2.0
"""A lake on SQLite and a memory store, with a clock that the test moves."""

from __future__ import annotations

import pytest

from lakehouse.core.signing import Signer
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.store import NodeCache
from lakehouse.versioning.lake import Actor, Lake
from lakehouse.versioning.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.stores import Store, Stores


class Hands:
    """A clock by hand."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
async def lake(tmp_path, clock):
    db = SqliteDatabase(tmp_path / "metadata.sqlite")
    await db.migrate()
    store = MemoryStore()
    lake = Lake(
        db=db,
        stores=Stores((Store(id="", objects=store, description=store.describe(), presigner=None),)),
        nodes=NodeCache(8 << 20),
        addresses=Signer({"a001": b"k" * 32}),
        tokens=Signer({"t001": b"t" * 32}),
        clock=clock,
    )
    yield lake
    await lake.background.drain()
    await db.close()


@pytest.fixture
def actor():
    return Actor(committer="ann@example.org", name="ann")


@pytest.fixture
async def repo(lake):
    await create_repository(lake, RepositoryRequest(name="lakes"))
    return "lakes"
