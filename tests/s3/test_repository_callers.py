# SPDX-License-Identifier: Apache-2.0
"""Who may call the S3 side, by which signature or session, and for how long."""

from __future__ import annotations

import base64
import time

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lakehouse.core.sigv4 import presign_url
from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET
from tests.s3.signing import send, signed_headers
from tests.s3.test_boto3 import code


@pytest.fixture(scope="module")
def repo(lake, s3):
    name = lake.repository()
    s3.put_object(Bucket=name, Key="main/x y", Body=b"hello")
    return name


@pytest.fixture
def later(lake):
    """Puts the server's clock forward by so many seconds; it is set back after the test."""

    def put_forward(seconds: float) -> None:
        lake.offset[0] = seconds

    yield put_forward
    lake.offset[0] = 0.0


@pytest.fixture(scope="module")
def http():
    with httpx2.Client(trust_env=False) as client:
        yield client


def error_code(answer) -> str:
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


def old_client(lake, secret=SECRET):
    return boto3.client(
        "s3", endpoint_url=lake.endpoint, aws_access_key_id=KEY, aws_secret_access_key=secret, region_name="us-east-1",
        config=Config(signature_version="s3", retries={"total_max_attempts": 1}, proxies={},
                      request_checksum_calculation="when_required"),
    )  # fmt: skip


def test_version_2_in_headers(lake, repo):
    client = old_client(lake)
    client.put_object(Bucket=repo, Key="main/old ü", Body=b"v2", Metadata={"a": "b"}, ContentType="a/b")
    got = client.get_object(Bucket=repo, Key="main/old ü", ResponseContentType="c/d")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (b"v2", {"a": "b"}, "c/d")
    assert client.list_objects(Bucket=repo, Prefix="main/old")["Contents"]
    client.close()
    wrong = old_client(lake, "wrong")
    with pytest.raises(ClientError) as caught:
        wrong.get_object(Bucket=repo, Key="main/old ü")
    assert code(caught) == ("SignatureDoesNotMatch", 403)
    wrong.close()


def test_version_2_in_urls(lake, repo, http, later):
    client = old_client(lake)
    place = {"Bucket": repo, "Key": "main/old url"}
    put = client.generate_presigned_url("put_object", Params=place, ExpiresIn=60)
    assert "AWSAccessKeyId" in put
    assert http.put(put, content=b"url").status_code == 200
    url = client.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    assert http.get(url).content == b"url"
    assert error_code(http.put(url, content=b"x")) == "SignatureDoesNotMatch"
    assert error_code(http.get(url.replace("old%20url", "other"))) == "SignatureDoesNotMatch"
    assert error_code(http.get(url.replace("Signature=", "Signature=A"))) == "SignatureDoesNotMatch"
    later(61.0)
    late = http.get(url)
    assert (late.status_code, error_code(late)) == (403, "AccessDenied")
    client.close()


def test_a_presigned_url_lives_exactly_as_long_as_it_says(s3, repo, http, later):
    url = s3.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/x y"}, ExpiresIn=7200)
    for offset, want in ((0.0, 200), (7000.0, 200), (7201.0, 403), (-600.0, 200), (-1000.0, 403)):
        later(offset)
        assert http.get(url).status_code == want, offset
    later(0.0)
    longer = url.replace("X-Amz-Expires=7200", "X-Amz-Expires=9999")
    assert error_code(http.get(longer)) == "SignatureDoesNotMatch"
    assert error_code(http.get(url.replace("x%20y", "other"))) == "SignatureDoesNotMatch"
    assert error_code(http.delete(url)) == "SignatureDoesNotMatch"
    too_long = url.replace("X-Amz-Expires=7200", "X-Amz-Expires=604801")
    assert http.get(too_long).status_code == 400


@pytest.mark.parametrize("how", ["shorter", "longer", "foreign", "upper"])
def test_a_malformed_signature_is_a_wrong_one(lake, s3, repo, http, how):
    def change(text):
        return {"shorter": text[:-1], "longer": text + "0", "foreign": "ü", "upper": text.upper()}[how]

    url = s3.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/x y"})
    head, _, signature = url.partition("X-Amz-Signature=")
    answer = http.get(f"{head}X-Amz-Signature={change(signature)}")
    assert (answer.status_code, error_code(answer)) == (403, "SignatureDoesNotMatch")
    path = f"/{repo}/main/x"
    headers = signed_headers(lake.endpoint, "GET", path)
    start, _, signature = headers["authorization"].rpartition("=")
    headers["authorization"] = f"{start}={change(signature)}"
    assert send(lake.endpoint, "GET", path, headers)[:2] == (403, "SignatureDoesNotMatch")


def test_clocks_may_differ_by_15_minutes(lake, repo):
    path = f"/{repo}/main/absent"
    for offset, want in (
        (-899, (404, "NoSuchKey")), (899, (404, "NoSuchKey")), (-902, (403, "RequestTimeTooSkewed")),
        (902, (403, "RequestNotReadyYet")),
    ):  # fmt: skip
        headers = signed_headers(lake.endpoint, "GET", path, now=time.time() + offset)
        assert send(lake.endpoint, "GET", path, headers)[:2] == want


def test_unknown_keys_and_no_keys(lake, repo, http):
    for key, secret, want in ((KEY, "wrong", "SignatureDoesNotMatch"), ("AKIANOBODY", "x", "AccessDenied")):
        client = boto_client(lake.endpoint, key, secret)
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket=repo, Key="main/x y")
        assert code(caught) == (want, 403)
        client.close()
    host = {"host": "s3.local.lakefs.io"}
    for headers, want in (
        ({}, (400, "MissingFields")), ({"authorization": "AWS4-HMAC-SHA256 nonsense"}, (400, "MissingFields")),
        ({"authorization": "AWS nonsense"}, (400, "MissingFields")),
        ({"authorization": "Bearer x"}, (403, "AccessDenied")),
        ({"authorization": "Basic eDp5"}, (403, "AccessDenied")),
    ):  # fmt: skip
        answer = http.get(f"{lake.endpoint}/{repo}/main/x", headers={**host, **headers})
        assert (answer.status_code, error_code(answer)) == want


def test_sessions_of_the_lake_go_before_signatures(lake, repo, http):
    token = lake.post("/auth/login", {"access_key_id": KEY, "secret_access_key": SECRET})["token"]
    basic = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    cookie = {"cookie": f"internal_auth_session={token}"}
    target = f"{lake.endpoint}/s3/{repo}/main/x%20y"
    for headers in ({"authorization": f"Bearer {token}"}, {"authorization": f"Basic {basic}"}, cookie):
        assert http.get(target, headers=headers).content == b"hello"
    for headers in ({"authorization": f"Bearer {token}"}, {"authorization": f"Basic {basic}"}):
        assert http.put(f"{lake.endpoint}/s3/{repo}/main/s", headers=headers, content=b"1").status_code == 200
    # The web UI's query engine signs with keys that are none, beside the user's cookie.
    dummy = signed_headers(lake.endpoint, "GET", f"/{repo}/main/x y", key="AKIADUMMY", secret="dummy")
    assert http.get(f"{lake.endpoint}/{repo}/main/x%20y", headers={**dummy, **cookie}).content == b"hello"
    # A cookie comes along with what other sites send, so it writes nothing.
    answer = http.put(target, headers=cookie, content=b"forged")
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")
    dummy = signed_headers(lake.endpoint, "PUT", f"/{repo}/main/x", key="AKIADUMMY", secret="dummy")
    answer = http.put(f"{lake.endpoint}/{repo}/main/x", headers={**dummy, **cookie}, content=b"forged")
    assert (answer.status_code, error_code(answer)) == (403, "AccessDenied")


def test_headers_that_change_the_outcome_must_be_signed(lake, repo, http):
    path = f"/{repo}/main/unsigned"
    headers = {**signed_headers(lake.endpoint, "PUT", path), "x-amz-copy-source": f"{repo}/main/x%20y"}
    assert send(lake.endpoint, "PUT", path, headers)[:2] == (403, "AccessDenied")
    # What S3 itself leaves unsigned: checksums, and a session token is not asked for.
    url = presign_url(
        "PUT", endpoint=lake.endpoint, path=path.encode(), access_key_id=KEY, secret=SECRET, region="r",
        now=time.time(), expires=60,
    )  # fmt: skip
    assert http.put(url, content=b"1", headers={"x-amz-checksum-crc32": "g9zvtw=="}).status_code == 200


def test_the_servers_own_key_opens_no_repository(lake, s3, repo, http):
    location = lake.rest.get(
        f"/repositories/{repo}/branches/main/staging/backing", params={"path": "p", "presign": True}
    ).json()
    assert http.put(location["presigned_url"], content=b"x").status_code == 200
    assert error_code(http.get(location["presigned_url"])) == "SignatureDoesNotMatch"


def test_what_a_user_may_do_is_said_by_their_policies(lake, s3, repo):
    """A developer works on repositories, through presigned URLs too, but not on the store's own buckets."""
    lake.post("/auth/users", {"id": "dora"})
    assert lake.rest.put("/auth/groups/Developers/members/dora").status_code == 201
    pair = lake.rest.post("/auth/users/dora/credentials").json()
    dora = boto_client(lake.endpoint, pair["access_key_id"], pair["secret_access_key"])
    dora.put_object(Bucket=repo, Key="main/dora", Body=b"1")
    assert dora.get_object(Bucket=repo, Key="main/dora")["Body"].read() == b"1"
    names = [bucket["Name"] for bucket in dora.list_buckets()["Buckets"]]
    assert repo in names
    assert "lake.local" not in names
    for call in (
        lambda: dora.list_objects_v2(Bucket="lake.local"),
        lambda: dora.put_object(Bucket="lake.local", Key="x", Body=b"1"),
        lambda: dora.create_bucket(Bucket="her-own"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code(caught) == ("AccessDenied", 403)
    policy = {
        "id": "NoDora",
        "statement": [
            {
                "effect": "deny",
                "action": ["fs:ReadObject"],
                "resource": f"arn:lakefs:fs:::repository/{repo}/object/dora*",
            }
        ],
    }
    lake.post("/auth/policies", policy)
    assert lake.rest.put("/auth/users/dora/policies/NoDora").status_code == 201
    with pytest.raises(ClientError) as caught:
        dora.get_object(Bucket=repo, Key="main/dora")
    assert code(caught) == ("AccessDenied", 403)
    with pytest.raises(ClientError) as caught:
        dora.copy_object(Bucket=repo, Key="main/x", CopySource=f"{repo}/main/dora")
    assert code(caught) == ("AccessDenied", 403)
    assert lake.rest.delete(f"/auth/users/dora/credentials/{pair['access_key_id']}").status_code == 204
    with pytest.raises(ClientError) as caught:
        dora.get_object(Bucket=repo, Key="main/x y")
    assert code(caught) == ("AccessDenied", 403)
    dora.close()
