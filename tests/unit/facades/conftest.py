# SPDX-License-Identifier: Apache-2.0
"""A lake on each database, for facades to stand on."""

from __future__ import annotations

import pytest

from tests.lakes import Hands, open_lake


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture(params=["sqlite", "postgres"])
async def lake(request, tmp_path, clock):
    where = tmp_path / "m.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    made = await open_lake(where, clock=clock)
    yield made
    await made.background.drain()
    await made.db.close()
