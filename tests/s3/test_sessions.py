# SPDX-License-Identifier: Apache-2.0
"""Short-lived keys with a session token, as S3 clients send them; and what users without rights see."""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lakehouse.sdk import Client
from lakehouse.wire.policies import Statement
from tests.s3 import lake as lakes


def client_of(endpoint: str, key: str, secret: str, token: str | None = None):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, proxies={}),
    )


def refused(code: str, call, **arguments) -> None:
    with pytest.raises(ClientError) as found:
        call(**arguments)
    assert found.value.response["Error"]["Code"] == code


@pytest.fixture(scope="module")
def admin(lake):
    with Client(lake.endpoint, access_key_id=lakes.KEY, secret_access_key=lakes.SECRET) as client:
        yield client


def test_a_session_on_the_s3_side(lake, admin) -> None:
    admin.repositories.create_repository("sessions-a")
    admin.repositories.create_repository("sessions-b")
    only = Statement(effect="allow", action=["fs:*"], resource="arn:lakefs:fs:::repository/sessions-a*")
    made = admin.sessions.create_session(policy=[only])
    s3 = client_of(lake.endpoint, made.access_key_id, made.secret_access_key, made.session_token)
    s3.put_object(Bucket="sessions-a", Key="main/x", Body=b"1")
    assert s3.get_object(Bucket="sessions-a", Key="main/x")["Body"].read() == b"1"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "sessions-a", "Key": "main/x"})
    assert "X-Amz-Security-Token=" in url
    refused("AccessDenied", s3.put_object, Bucket="sessions-b", Key="main/x", Body=b"1")
    refused("AccessDenied", s3.list_objects_v2, Bucket="no-such-repository")
    refused("AccessDenied", s3.list_objects_v2, Bucket="lake.local")
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == ["sessions-a"]
    for key, secret, token, code in (
        (made.access_key_id, made.secret_access_key, None, "AccessDenied"),
        (made.access_key_id, made.secret_access_key, made.session_token[:-2] + "AA", "InvalidToken"),
        (made.access_key_id, made.secret_access_key, "no-token", "InvalidToken"),
        (lakes.KEY, lakes.SECRET, made.session_token, "InvalidToken"),
    ):
        refused(code, client_of(lake.endpoint, key, secret, token).list_buckets)
    wrong = client_of(lake.endpoint, made.access_key_id, "x" * 40, made.session_token)
    refused("SignatureDoesNotMatch", wrong.list_buckets)


def test_who_has_no_policy(lake, admin) -> None:
    admin.repositories.create_repository("sessions-c")
    admin.users.create_user("stranger")
    pair = admin.users.create_credentials("stranger")
    s3 = client_of(lake.endpoint, pair.access_key_id, pair.secret_access_key)
    assert s3.list_buckets().get("Buckets", []) == []
    refused("AccessDenied", s3.put_object, Bucket="sessions-c", Key="main/x", Body=b"1")
    refused("AccessDenied", s3.list_objects_v2, Bucket="sessions-c")
    refused("AccessDenied", s3.list_objects_v2, Bucket="no-such-repository")
    refused("AccessDenied", s3.put_object, Bucket="lake.local", Key="x", Body=b"1")
