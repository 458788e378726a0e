# SPDX-License-Identifier: Apache-2.0
"""An S3 server that somebody else wrote, in a thread of its own, on loopback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, SECRET = "AKIAMOTOMOTOMOTOMOTO", "secret-of-moto"


@contextmanager
def moto_server(*buckets: str) -> Iterator[str]:
    """Its endpoint; it has these buckets."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        for bucket in buckets:
            client.create_bucket(Bucket=bucket)
        client.close()
        yield endpoint
    finally:
        server.stop()
