# SPDX-License-Identifier: Apache-2.0
"""A lake on each database and a memory store, with a clock that the test moves."""

from __future__ import annotations

import pytest

from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, Hands, open_lake


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture(params=["sqlite", "postgres"])
def metadata(request, tmp_path):
    """Where the metadata are: a file, or the URL of a database."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else tmp_path / "metadata.sqlite"


@pytest.fixture
async def lake(metadata, clock):
    lake = await open_lake(metadata, clock=clock)
    yield lake
    await lake.background.drain()
    await lake.db.close()


@pytest.fixture
def actor():
    return ANN


@pytest.fixture
async def repo(lake):
    await create_repository(lake, RepositoryRequest(name="lakes"))
    return "lakes"
