# SPDX-License-Identifier: Apache-2.0
"""A lake on each database whose store shares its clock."""

from __future__ import annotations

import pytest

from lakehouse.objects.memory import MemoryStore
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import Hands, open_lake


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture(params=["sqlite", "postgres"])
def metadata(request, tmp_path):
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path / "metadata.sqlite"


@pytest.fixture
async def lake(metadata, clock):
    lake = await open_lake(metadata, objects=MemoryStore(clock=clock), clock=clock)
    yield lake
    await lake.background.drain()
    await lake.db.close()


@pytest.fixture
async def repo(lake):
    await create_repository(lake, RepositoryRequest(name="lakes"))
    return "lakes"
