# SPDX-License-Identifier: Apache-2.0
"""A lake on SQLite and a memory store, with a clock that the test moves."""

from __future__ import annotations

import pytest

from lakehouse.versioning.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, Hands, open_lake


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
async def lake(tmp_path, clock):
    lake = await open_lake(tmp_path / "metadata.sqlite", clock=clock)
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
