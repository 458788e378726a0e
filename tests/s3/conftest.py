# SPDX-License-Identifier: Apache-2.0
"""A served S3 side and foreign clients for it."""

from __future__ import annotations

import boto3
import minio
import pytest
from botocore.config import Config

from tests.s3 import lake as lakes
from tests.s3.lake import served_lake
from tests.s3.served import KEY, SECRET, served_s3


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with served_s3(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture(autouse=True)
def _clock_is_right(request):
    """The server's clock is set back after each test."""
    yield
    if "served" in request.fixturenames:
        request.getfixturevalue("served").offset[0] = 0.0


@pytest.fixture(scope="session")
def lake(tmp_path_factory):
    """A whole server; each test makes repositories of its own."""
    with served_lake(tmp_path_factory.mktemp("lake")) as found:
        yield found


@pytest.fixture(scope="session")
def s3(lake):
    """boto3 on repositories."""
    client = boto_client(lake.endpoint, lakes.KEY, lakes.SECRET)
    yield client
    client.close()


def boto_client(endpoint: str, key: str = KEY, secret: str = SECRET, **options):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, proxies={}, **options),
    )


@pytest.fixture(scope="module")
def boto(served):
    client = boto_client(served.endpoint)
    yield client
    client.close()


@pytest.fixture(scope="module")
def mc(served):
    import urllib3

    pool = urllib3.PoolManager(retries=False)
    yield minio.Minio(
        endpoint=served.endpoint.removeprefix("http://"),
        access_key=KEY,
        secret_key=SECRET,
        secure=False,
        region="us-east-1",
        http_client=pool,
    )
    pool.clear()
