# SPDX-License-Identifier: Apache-2.0
"""A running server, and our bucket client on it."""

from __future__ import annotations

import pytest

from lakehouse.sdk.buckets import (
    BucketsClient,
)
from tests.running import running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("lake")) as running:
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture
async def client(server):
    async with BucketsClient(server.url, access_key_id=server.key, secret_access_key=server.secret) as made:
        yield made


@pytest.fixture
def buckets(client):
    return client.buckets


_names = iter(f"bucket-{number}" for number in range(1000))


@pytest.fixture
async def bucket(buckets):
    return await buckets.create(next(_names))
