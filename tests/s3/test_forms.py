# SPDX-License-Identifier: Apache-2.0
"""Uploads by browsers' forms into the store's own buckets: what a signed policy allows, and nothing else."""

from __future__ import annotations

import base64
import json

import httpx2
import pytest

from tests.s3.conftest import boto_client
from tests.s3.served import BUCKET, OTHER_KEY, OTHER_SECRET
from tests.s3.signing import send


@pytest.fixture(scope="module")
def http():
    with httpx2.Client(trust_env=False) as client:
        yield client


def form(client, key="up/${filename}", *, conditions=(), fields=None, expires=600):
    """URL and fields of an upload form, as boto3 makes them."""
    made = client.generate_presigned_post(
        BUCKET, key, Fields=dict(fields or {}), Conditions=list(conditions), ExpiresIn=expires
    )
    return made["url"], made["fields"]


def post(http, made, body=b"hello", *, name="a b.txt", **changed):
    url, fields = made
    return http.post(url, data={**fields, **changed}, files={"file": (name, body, "text/plain")})


def told(answer) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_a_file_from_a_form(boto, http):
    fields = {"Content-Type": "text/x-plain", "x-amz-meta-who": "me", "Cache-Control": "no-store"}
    conditions = [{name: value} for name, value in fields.items()]
    answer = post(http, form(boto, fields=fields, conditions=conditions))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["location"].endswith(f"/{BUCKET}/up/a%20b.txt")
    got = boto.get_object(Bucket=BUCKET, Key="up/a b.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/x-plain", {"who": "me"})
    assert (got["CacheControl"], got["ETag"]) == ("no-store", answer.headers["etag"])


def test_a_large_file_is_streamed(boto, http):
    body = bytes(range(256)) * 40_000
    assert post(http, form(boto, "large"), body).status_code == 204
    assert boto.get_object(Bucket=BUCKET, Key="large")["Body"].read() == body
    assert post(http, form(boto, "empty"), b"").status_code == 204
    assert boto.head_object(Bucket=BUCKET, Key="empty")["ContentLength"] == 0


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [("success_action_status", "200", 200), ("success_action_status", "201", 201), ("success_action_status", "7", 204)],
)
def test_the_status_that_was_asked_for(boto, http, field, value, status):
    answer = post(http, form(boto, "k", fields={field: value}, conditions=[{field: value}]))
    assert answer.status_code == status
    if status == 201:
        assert f"<Bucket>{BUCKET}</Bucket><Key>k</Key>" in answer.text


def test_where_the_browser_goes_next(boto, http):
    for target in ("https://app.example/done?x=1", "javascript:alert(1)"):
        field = {"success_action_redirect": target}
        answer = post(http, form(boto, "k", fields=field, conditions=[field]))
        if target.startswith("https"):
            assert answer.status_code == 303
            assert answer.headers["location"].startswith(f"{target}&bucket={BUCKET}&key=k&etag=")
        else:
            assert answer.status_code == 204


def test_what_the_policy_does_not_allow(boto, http, served):
    made = form(boto, "up/one", conditions=[["starts-with", "$Content-Type", "image/"], ["content-length-range", 2, 5]])
    denied = (403, "AccessDenied")
    kind = {"Content-Type": "image/png"}
    assert post(http, made, **kind).status_code == 204
    for changed in (
        {"Content-Type": "text/html"},
        {**kind, "key": "up/two"},
        {**kind, "acl": "public-read"},
        {**kind, "x-amz-meta-more": "1"},
        {},
    ):
        answer = post(http, made, **changed)
        assert told(answer) == denied, changed
        assert "Invalid according to Policy" in answer.text
    assert post(http, made, **kind, **{"x-ignore-me": "1"}).status_code == 204
    assert told(post(http, made, b"123456", **kind)) == (400, "EntityTooLarge")
    assert told(post(http, made, b"1", **kind)) == (400, "EntityTooSmall")
    assert boto.get_object(Bucket=BUCKET, Key="up/one")["Body"].read() == b"hello"
    served.offset[0] = 601.0
    assert told(post(http, made, **kind)) == denied
    served.offset[0] = 0.0
    elsewhere = made[0].replace(BUCKET, "two.local")
    assert told(post(http, (elsewhere, made[1]), **kind)) == denied


def test_who_signed(boto, http, served):
    made = form(boto, "k")
    policy = json.loads(base64.b64decode(made[1]["policy"]))
    policy["conditions"] = [{"bucket": BUCKET}]
    forged = base64.b64encode(json.dumps(policy).encode()).decode()
    assert told(post(http, made, policy=forged)) == (403, "SignatureDoesNotMatch")
    assert told(post(http, made, **{"x-amz-signature": "ü"})) == (403, "SignatureDoesNotMatch")
    unknown = made[1]["x-amz-credential"].replace("AKIA", "AKIB")
    assert told(post(http, made, **{"x-amz-credential": unknown})) == (403, "AccessDenied")
    other = boto_client(served.endpoint, OTHER_KEY, OTHER_SECRET)
    assert told(post(http, form(other, "k"))) == (403, "AccessDenied")
    other.close()
    without = {name: value for name, value in made[1].items() if name != "policy"}
    assert told(post(http, (made[0], without))) == (403, "AccessDenied")
    for field in ("x-amz-algorithm", "x-amz-credential", "x-amz-date"):
        assert told(post(http, made, **{field: "x"})) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    "policy",
    [
        b"[]",
        b"nonsense",
        b'{"conditions": []}',
        b'{"expiration": "tomorrow", "conditions": []}',
        b'{"expiration": "2999-13-01T00:00:00Z", "conditions": []}',
        b'{"expiration": "2999-01-01T00:00:00Z", "conditions": [["in", "$key", "x"]]}',
        b'{"expiration": "2999-01-01T00:00:00Z", "conditions": [{"key": 1}]}',
        b'{"expiration": "2999-01-01T00:00:00Z", "conditions": [["content-length-range", "a", "b"]]}',
    ],
)
def test_policies_that_are_none(boto, http, monkeypatch, policy):
    """Signed they may be; they allow nothing."""
    import botocore.auth

    real = json.dumps
    monkeypatch.setattr(
        botocore.auth.json, "dumps", lambda value: policy.decode() if "expiration" in value else real(value)
    )
    made = form(boto, "k")
    monkeypatch.undo()
    assert base64.b64decode(made[1]["policy"]) == policy
    assert told(post(http, made)) == (400, "InvalidPolicyDocument")


def test_forms_that_are_none(boto, http, served):
    url, fields = form(boto, "never")
    assert told(http.post(url, data=fields, files={"other": b"x"})) == (400, "MalformedPOSTRequest")
    headers = {"content-type": "multipart/form-data"}
    assert told(http.post(url, content=b"x", headers=headers)) == (400, "MalformedPOSTRequest")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert told(http.post(url, content=b"no boundary", headers=headers)) == (400, "MalformedPOSTRequest")
    long = {**fields, "x-ignore-long": "x" * 21_000}
    assert told(post(http, (url, long))) == (400, "MaxPostPreDataLengthExceeded")
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    whole = f'{parts}--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nhello\r\n--b--\r\n'
    twice = f'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nother\r\n{whole}'
    assert told(http.post(url, content=twice, headers=headers)) == (400, "MalformedPOSTRequest")
    path = url.removeprefix(served.endpoint)
    cut = {"host": "127.0.0.1", **headers}
    assert send(served.endpoint, "POST", path, cut, whole[:-9].encode())[:2] == (400, "IncompleteBody")
    assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET, Prefix="never")
    assert http.post(url, content=whole, headers=headers).status_code == 204
    assert boto.get_object(Bucket=BUCKET, Key="never")["Body"].read() == b"hello"


def test_the_rules_of_the_place_hold(boto, http):
    once = form(boto, "repo/data/form")
    assert post(http, once, b"1").status_code == 204
    assert told(post(http, once, b"2")) == (412, "PreconditionFailed")
    digest = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    made = form(boto, "k5", fields=digest, conditions=[digest])
    assert told(post(http, made, b"x")) == (400, "BadDigest")
    assert told(post(http, form(boto, "x" * 1025))) == (400, "KeyTooLongError")


def test_on_a_whole_server(lake, s3, http):
    """At both roots; repositories take no forms."""
    for root in ("", "/s3"):
        client = s3 if not root else boto_client(f"{lake.endpoint}/s3", "AKIAJTESTTESTTESTTEQ", _secret())
        made = client.generate_presigned_post("lake.local", f"forms{root}/x", ExpiresIn=60)
        assert post(http, (made["url"], made["fields"])).status_code == 204
        assert s3.get_object(Bucket="lake.local", Key=f"forms{root}/x")["Body"].read() == b"hello"
        repo = lake.repository(metadata={"lakehouse.plain": "true", "lakehouse.public-read": "true"})
        made = client.generate_presigned_post(repo, "x", ExpiresIn=60)
        assert post(http, (made["url"], made["fields"])).status_code in (403, 404, 405)
        assert "Contents" not in s3.list_objects_v2(Bucket=repo)
        if root:
            client.close()


def _secret() -> str:
    from tests.s3.lake import SECRET

    return SECRET
