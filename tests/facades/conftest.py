# SPDX-License-Identifier: Apache-2.0
"""A whole server over HTTP, and our own client of it."""

from __future__ import annotations

import httpx2
import pytest

from lakehouse.sdk import Client
from tests.s3.lake import KEY, SECRET, served_lake


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server for the tests of a module; `offset` is added to its clock."""
    with served_lake(tmp_path_factory.mktemp("lake")) as found:
        yield found


@pytest.fixture
def lake(served):
    """A client with the administrator's keys. The server's clock is set back after each test."""
    transport = httpx2.HTTPTransport(trust_env=False)
    with Client(served.endpoint, access_key_id=KEY, secret_access_key=SECRET, transport=transport) as client:
        yield client
    served.offset[0] = 0.0
