# SPDX-License-Identifier: Apache-2.0
"""What every test has: the event loop's kind, hypothesis profiles, and how many rounds the long tests run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "deep",
    max_examples=2000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The top of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture(scope="session")
def test_rounds() -> int:
    """How often tests that look for rare events repeat: `make deep` asks for more."""
    return int(os.environ.get("LAKEHOUSE_TEST_ROUNDS", "3"))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The PostgreSQL server of this test run."""
    mine = tmp_path_factory.getbasetemp()
    with cluster(mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """A place for a lake in a PostgreSQL database, without rows."""
    with postgres.place() as url:
        yield url


@pytest.fixture(scope="module")
def postgres_url_of_module(postgres: Cluster) -> Iterator[str]:
    """The same, for what all tests of a file share."""
    with postgres.place() as url:
        yield url
