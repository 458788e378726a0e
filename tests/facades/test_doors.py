# SPDX-License-Identifier: Apache-2.0
"""Several doors lead into one lake: what opens one, or is refused at one, is so at every other.

Keys, tokens and URLs of one interface at the others, and bodies that are not what they say, at each of them.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import boto3
import httpx2
import pytest
from botocore.config import Config

from lakehouse.sdk import Client
from lakehouse.sdk.kv import Storage
from lakehouse.wire.policies import Statement
from tests.running import RunningServer, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "descartes-data-admin"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("lake")) as running:
        with Storage(f"{running.url}/storage/v1", auth=(running.key, running.secret)) as store:
            store.set("there", "value")
        yield running
    assert "Traceback" not in running.output, running.output


@pytest.fixture(scope="module")
def lake(server: RunningServer) -> Iterator[Client]:
    with Client(server.url, access_key_id=server.key, secret_access_key=server.secret) as client:
        yield client


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx2.Client]:
    """Requests that say by themselves who asks."""
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        yield client


def s3_of(server: RunningServer, key: str, secret: str, token: str | None = None, root: str = "/s3") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url + root,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def token_of(http: httpx2.Client, key: str, secret: str) -> httpx2.Response:
    grant = {"client_id": key, "grant_type": "refresh_token", "refresh_token": secret}
    return http.post("/iam/token", json=grant)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


# -- keys and tokens ---------------------------------------------------------------------------------------------------


def statements(http: httpx2.Client, headers: dict[str, str], auth: Any = None) -> list[int]:
    """What read, write, delete and list of values answer to these credentials."""
    ways = [
        ("GET", "get/there"),
        ("GET", "new_resumable_url/k"),
        ("DELETE", "absent"),
        ("GET", "list"),
    ]
    return [
        http.request(
            method, f"/storage/v1/data/{path}", headers=headers, **({"auth": auth} if auth else {})
        ).status_code
        for method, path in ways
    ]


def test_a_short_lived_key_does_what_it_is_narrowed_to(
    server: RunningServer, lake: Client, http: httpx2.Client
) -> None:
    reads = Statement(effect="allow", action=["fs:ReadObject"], resource=f"arn:lakefs:fs:::repository/{BUCKET}/*")
    other = Statement(effect="allow", action=["fs:*"], resource="arn:lakefs:fs:::repository/other*")
    for policy, expected in (([reads], [200, 403, 403, 403]), ([other], [403] * 4), ([], [200, 200, 404, 200])):
        session = lake.sessions.create_session(policy=policy)
        pair, token = (session.access_key_id, session.secret_access_key), session.session_token
        headers = {"x-amz-security-token": token}
        assert statements(http, headers, pair) == expected
        assert statements(http, {}, pair) == [401] * 4, "without its token a short-lived key is none"
        assert statements(http, {"x-amz-security-token": token[:-2]}, pair) == [401] * 4
        assert token_of(http, *pair).status_code == 401, "it gets no token that would outlive it"


def test_a_lasting_key_for_some_buckets_opens_no_others(
    server: RunningServer, lake: Client, http: httpx2.Client
) -> None:
    """A key of the neuro platform, at the storage and at its token endpoint."""
    login = {"access_key_id": server.key, "secret_access_key": server.secret}
    mine = bearer(http.post("/api/v1/auth/login", json=login).json()["token"])
    bucket = http.post("/neuro/api/v1/buckets", json={"name": "doors", "org_name": "lakehouse"}, headers=mine).json()
    made = http.post("/neuro/api/v1/persistent_credentials", json={"bucket_ids": [bucket["id"]]}, headers=mine)
    assert made.status_code == 201, made.text
    [each] = made.json()["credentials"]
    pair = (each["credentials"]["access_key_id"], each["credentials"]["secret_access_key"])
    assert statements(http, {}, pair) == [403] * 4
    narrowed = token_of(http, *pair)
    assert narrowed.status_code == 200
    headers = bearer(narrowed.json()["access_token"])
    assert statements(http, headers) == [403] * 4, "its token is as narrow as the key"
    assert http.post("/api/v1/auth/sessions", headers=headers).status_code == 401
    assert http.get("/api/v1/auth/users", headers=headers).status_code == 401
    assert http.post("/neuro/api/v1/buckets", json={"name": "more"}, headers=headers).status_code in (401, 403)
    listed = http.get(
        f"/api/v1/repositories/{each['credentials']['bucket_name']}/refs/main/objects/ls", headers=headers
    )
    assert listed.status_code == 200, "what the key may, its token may"
    gone = http.delete(f"/neuro/api/v1/persistent_credentials/{made.json()['id']}", headers=mine)
    assert gone.status_code == 204
    assert statements(http, headers) == [401] * 4


def test_a_key_for_one_bucket_at_the_storages_repository(server: RunningServer, http: httpx2.Client) -> None:
    """Temporary credentials of the neuro platform, on a bucket that is not theirs."""
    login = {"access_key_id": server.key, "secret_access_key": server.secret}
    mine = bearer(http.post("/api/v1/auth/login", json=login).json()["token"])
    bucket = http.post(
        "/neuro/api/v1/buckets", json={"name": "other-door", "org_name": "lakehouse"}, headers=mine
    ).json()
    made = http.post(f"/neuro/api/v1/buckets/{bucket['id']}/make_tmp_credentials", headers=mine).json()
    keys = made["credentials"]
    s3 = s3_of(server, keys["access_key_id"], keys["secret_access_key"], keys["session_token"])
    s3.put_object(Bucket=keys["bucket_name"], Key="k", Body=b"x")
    for call in (
        lambda: s3.get_object(Bucket=BUCKET, Key="there"),
        lambda: s3.put_object(Bucket=BUCKET, Key="k", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket=BUCKET),
        lambda: s3.delete_object(Bucket=BUCKET, Key="there"),
    ):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            call()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    pair = (keys["access_key_id"], keys["secret_access_key"])
    assert statements(http, {"x-amz-security-token": keys["session_token"]}, pair) == [403] * 4


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("/storage/v1/data/signed", f"/s3/{BUCKET}/there"),
        lambda url: url.replace("/storage/v1/data/signed", f"/{BUCKET}/there"),
        lambda url: url.replace("/storage/v1/data/signed", f"/api/v1/repositories/{BUCKET}/refs/main/objects"),
        lambda url: re.sub(r"signature=\w", "X-Amz-Signature=a", url),
    ],
    ids=["s3", "signed s3", "rest", "as if of s3"],
)
def test_a_signed_url_of_values_opens_nothing_else(server: RunningServer, http: httpx2.Client, change: Any) -> None:
    with Storage(f"{server.url}/storage/v1", auth=(server.key, server.secret)) as store:
        url = store.get_signed_url("there")
    assert http.get(url).text == "value"
    answer = http.get(change(url))
    assert answer.status_code in (400, 401, 403, 404)
    assert answer.text != "value"


def test_a_presigned_url_of_s3_is_none_of_the_storage(server: RunningServer, http: httpx2.Client) -> None:
    s3 = s3_of(server, server.key, server.secret)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "there"})
    assert http.get(url).text == "value"
    moved = http.get(url.replace(f"/s3/{BUCKET}/there", "/storage/v1/data/get/there"))
    assert moved.status_code == 403, "the S3 side judges what carries an S3 signature"
    assert moved.text != "value"


# -- bodies ------------------------------------------------------------------------------------------------------------


def upload_to(server: RunningServer, door: str, key: str) -> tuple[str, str, list[str]]:
    """Method, URL and headers of an upload of `key`, by one of the doors."""
    if door == "storage":
        with Storage(f"{server.url}/storage/v1", auth=(server.key, server.secret)) as store:
            return "PUT", store.get_upload_url(key), []
    if door in ("s3", "signed s3"):
        s3 = s3_of(server, server.key, server.secret, root="/s3" if door == "s3" else "")
        place = {"Bucket": BUCKET, "Key": key}
        return "PUT", s3.generate_presigned_url("put_object", Params=place), []
    with httpx2.Client(base_url=server.url, trust_env=False) as http:
        token = token_of(http, server.key, server.secret).json()
    url = f"{server.url}/api/v1/repositories/{BUCKET}/branches/main/objects?path={quote(key)}"
    return "POST", url, [f"Authorization: Bearer {token['access_token']}", "Content-Type: application/octet-stream"]


def said(server: RunningServer, upload: tuple[str, str, list[str]], framing: str, body: bytes, *, end: bool) -> bytes:
    """What the server answers to an upload, until it closes the connection."""
    method, url, headers = upload
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", *headers, framing, "", ""]
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode() + body)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


TEXT = "h\u00e9llo \u4e16\u754c"


@pytest.mark.parametrize("door", ["storage", "s3", "signed s3", "rest"])
@pytest.mark.parametrize(
    ("framing", "body", "end", "answered"),
    [
        (f"Content-Length: {len(TEXT)}", TEXT.encode(), False, True),
        ("Content-Length: 1000", b"cut off", True, False),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\nnonsense", False, True),
        ("Transfer-Encoding: chunked", b"5\r\nhello\r\n", True, False),
        ("Content-Length: x", b"hello", False, True),
        ("Content-Length: -5", b"hello", False, True),
    ],
    ids=["longer", "shorter", "chunks that are none", "chunks cut off", "no number", "negative"],
)
def test_bodies_that_are_not_what_they_say(
    server: RunningServer, door: str, framing: str, body: bytes, end: bool, answered: bool
) -> None:
    """Nothing is stored, and the connection is not used again: what is left of the body is no request."""
    key = f"lies/{door.replace(' ', '-')}/{abs(hash((framing, body)))}"
    upload = upload_to(server, door, key if door != "signed s3" else f"main/{key}")
    answer = said(server, upload, framing, body, end=end)
    if answered:
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        assert b"connection: close" in answer.lower()
    else:
        assert not answer.startswith(b"HTTP/1.1 2"), answer
    with Storage(f"{server.url}/storage/v1", auth=(server.key, server.secret)) as store:
        assert store.list("lies/") == []
        assert store.get("there") == "value"


@pytest.mark.parametrize("door", ["storage", "s3", "rest"])
def test_bodies_that_are_empty_or_in_chunks_are_whole(server: RunningServer, door: str) -> None:
    cases = {
        "nothing": ("Content-Length: 0", b""),
        "no-chunks": ("Transfer-Encoding: chunked", b"0\r\n\r\n"),
        "chunks": ("Transfer-Encoding: chunked", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    }
    with Storage(f"{server.url}/storage/v1", auth=(server.key, server.secret)) as store:
        for name, (framing, body) in cases.items():
            key = f"whole/{door}/{name}"
            answer = said(server, upload_to(server, door, key), f"{framing}\r\nConnection: close", body, end=False)
            assert answer.startswith(b"HTTP/1.1 20"), answer
            assert store.get(key) == ("abc" if name == "chunks" else "")
