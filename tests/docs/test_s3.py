# SPDX-License-Identifier: Apache-2.0
"""The first example of the page about S3 tools runs as it stands, and its table of troubles has what tools are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lakehouse.sdk import Client
from tests.docs.examples import HOWTO, NEEDS_BASH, check_page
from tests.running import RunningServer, running_server

if TYPE_CHECKING:
    from pathlib import Path

PAGE = HOWTO / "s3.md"


@NEEDS_BASH
def test_the_first_example(tmp_path: Path) -> None:
    part = PAGE.read_text().partition("## From nothing to a branch")[2].partition("## What a key means")[0]
    check_page(part, tmp_path)


def s3_of(server: RunningServer, *, path: str = "", secret: str = "", key: str = "") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url + path,
        aws_access_key_id=key or server.key,
        aws_secret_access_key=secret or server.secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def test_the_table_of_troubles(tmp_path: Path) -> None:
    troubles = PAGE.read_text().partition("## When it does not work")[2].partition("## What is not there")[0]
    with running_server(tmp_path / "lake") as server:
        with Client(server.url, access_key_id=server.key, secret_access_key=server.secret) as lake:
            lake.repositories.create_repository("lakes")
        good = s3_of(server)
        cases = [
            ("NoSuchBucket", "branch 'dir' not found", lambda: good.put_object(Bucket="lakes", Key="dir/file")),
            ("404", "", lambda: good.put_object(Bucket="lakes", Key="file")),
            (
                "NoSuchBucket",
                "The specified bucket does not exist",
                lambda: good.put_object(Bucket="absent", Key="main/file"),
            ),
            ("NoSuchKey", "", lambda: good.get_object(Bucket="lakes", Key="absent/file")),
            ("SignatureDoesNotMatch", "", s3_of(server, secret="x" * 40).list_buckets),
            ("AccessDenied", "the access key is not known here", s3_of(server, key="AKIAX").list_buckets),
            (
                "ErrNoSuchBucketPossibleAPIEndpoint",
                "",
                lambda: s3_of(server, path="/api/v1").put_object(Bucket="lakes", Key="main/file"),
            ),
            ("NotImplemented", "", lambda: good.create_bucket(Bucket="other")),
        ]
        for code, text, call in cases:
            with pytest.raises(ClientError) as caught:
                call()
            assert text in str(caught.value)
            assert caught.value.response["Error"]["Code"] == code
            assert code in troubles
            assert text in troubles
