# SPDX-License-Identifier: Apache-2.0
"""What a server writes to its log: the request's id on every line that belongs to one, and never a secret."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import suppress

import boto3
import httpx2
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

from tests.running import KEY, SECRET, start_server

PASSWORD = "hook-password-that-nobody-must-see"
WRONG = "wrong-secret-that-somebody-mistyped"
DAMAGED = b"""name: broken
on: {pre-commit: {}}
hooks:
  - id: one
    type: webhook
    properties:
      url: http://127.0.0.1:9/x?token=hook-password-that-nobody-must-see
      headers: {Authorization: "Bearer hook-password-that-nobody-must-see"}
"""


def status_of(request) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["X-Request-Id"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["X-Request-Id"]


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{KEY}:{secret}'.encode()).decode()}"}


def test_ids_are_there_and_secrets_are_not(tmp_path):
    environment = {"LAKEHOUSE_LOG__FORMAT": "json", "LAKEHOUSE_LOG__LEVEL": "debug", "LAKEHOUSE_LOG__REQUESTS": "true"}
    server = start_server(tmp_path, environment=environment)
    started = len(server.lines)
    try:
        api = f"{server.url}/api/v1"
        with httpx2.Client(base_url=api, auth=(KEY, SECRET), timeout=30) as client:
            token = client.post("/auth/login", json={"access_key_id": KEY, "secret_access_key": SECRET}).json()["token"]
            made = client.post("/auth/users/admin/credentials").json()
            assert client.post("/repositories", json={"name": "logs"}).is_success
            url = "/repositories/logs/branches/main/objects"
            assert client.post(url, params={"path": "_lakefs_actions/a.yaml"}, content=DAMAGED).is_success
            assert client.post("/repositories/logs/branches/main/commits", json={"message": "m"}).status_code == 412
        status, answered = status_of(urllib.request.Request(f"{api}/user", headers=basic(WRONG)))
        assert (status, len(answered) > 8) == (401, True)
        assert status_of(urllib.request.Request(f"{api}/user", headers={"Authorization": f"Bearer {token}"}))[0] == 200
        assert status_of(urllib.request.Request(f"{api}/user", headers={"Authorization": f"Bearer {token}x"}))[0] == 401
        for secret in (SECRET, WRONG):
            s3 = boto3.client(
                "s3",
                endpoint_url=server.url,
                aws_access_key_id=KEY,
                aws_secret_access_key=secret,
                region_name="us-east-1",
                config=BotoConfig(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, proxies={}),
            )
            with suppress(ClientError):
                s3.get_object(Bucket="logs", Key="main/absent")
            presigned = s3.generate_presigned_url("get_object", Params={"Bucket": "logs", "Key": "main/absent"})
            status_of(presigned)
            s3.close()
    finally:
        server.stop()
    written = "".join(server.lines[started:])
    for secret in (SECRET, WRONG, PASSWORD, token, token.rpartition(".")[2], made["secret_access_key"]):
        assert secret not in written
    assert "X-Amz-Signature=" not in written.replace("X-Amz-Signature=***", "")
    lines = [json.loads(line) for line in server.lines[started:] if line.startswith("{")]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    # The line about whether the server is up may come late, and is about a page without an id.
    requests = [line for line in lines if line["logger"] == "lakehouse.requests" and "/_health" not in line["message"]]
    said = [line["message"] for line in requests]
    assert said.count("GET /api/v1/user 401") == 2
    assert said.count("GET /api/v1/user 200") == 1
    assert said.count("POST /api/v1/repositories/logs/branches/main/commits 412") == 1
    assert {"GET /logs/main/absent 404", "GET /logs/main/absent 403"} <= set(said)
    assert {line["request_id"] for line in requests} >= {answered}
    assert all(float(line["milliseconds"]) > 0 and line["peer"] == "127.0.0.1" for line in requests)


def test_requests_are_not_logged_unless_asked_for(tmp_path):
    server = start_server(tmp_path)
    server.stop()
    assert "/_health" not in server.output
