# SPDX-License-Identifier: Apache-2.0
"""Attacks on the S3 side that must not work, each with a test: replay, stored scripts, headers, guesses, logs.

Forged and late signatures are in test_presigned.py and test_repository_callers.py, permissions across repositories in
test_repository_permissions.py.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import logging
import time
from urllib.parse import urlsplit

import httpx2
import pytest

from lakehouse.core.sigv4 import presign_url
from lakehouse.telemetry import logs
from tests.s3.lake import KEY, SECRET
from tests.s3.signing import send, signed_headers

PAGE = b"<script>alert(document.cookie)</script>"
KINDS = ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "TEXT/HTML; charset=utf-8"]


@pytest.fixture(scope="module")
def repo(lake, s3):
    name = lake.repository()
    s3.put_object(Bucket=name, Key="main/a", Body=b"hello")
    return name


@pytest.fixture(scope="module")
def http():
    with httpx2.Client(trust_env=False) as client:
        yield client


def test_a_captured_request_does_nothing_else(lake, repo, s3):
    """The same signature with another object, method, body or repository, and a quarter of an hour later."""
    other = lake.repository()
    payload = hashlib.sha256(b"mine").hexdigest()
    headers = signed_headers(lake.endpoint, "PUT", f"/{repo}/main/mine", payload=payload)
    assert send(lake.endpoint, "PUT", f"/{repo}/main/mine", headers, b"mine").status == 200
    attempts = [
        ("PUT", f"/{repo}/main/a", b"mine", 403),
        ("DELETE", f"/{repo}/main/mine", b"", 403),
        ("PUT", f"/{other}/main/mine", b"mine", 403),
        ("PUT", f"/{repo}/main/mine?tagging", b"mine", 403),
        ("PUT", f"/{repo}/main/mine", b"evil", 400),
    ]
    for method, path, body, status in attempts:
        assert send(lake.endpoint, method, path, headers, body).status == status, (method, path)
    more = headers | {"x-amz-acl": "public-read"}
    assert send(lake.endpoint, "PUT", f"/{repo}/main/mine", more, b"mine").status == 403
    lake.offset[0] = 16 * 60
    try:
        assert send(lake.endpoint, "PUT", f"/{repo}/main/mine", headers, b"mine").status == 403
    finally:
        lake.offset[0] = 0.0
    assert s3.get_object(Bucket=repo, Key="main/mine")["Body"].read() == b"mine"
    assert s3.get_object(Bucket=repo, Key="main/a")["Body"].read() == b"hello"


def test_a_presigned_upload_changes_nothing_after_the_link(lake, http):
    """The URL is good for a while yet; what was linked and committed with its bytes is not its holder's to change."""
    name = lake.repository()
    main = f"/repositories/{name}/branches/main"
    place = lake.rest.get(f"{main}/staging/backing", params={"path": "a", "presign": "true"}).json()
    put = http.put(place["presigned_url"], content=b"good")
    body = {"staging": place, "checksum": put.headers["etag"], "size_bytes": 4}
    assert lake.rest.put(f"{main}/staging/backing", params={"path": "a"}, json=body).status_code == 200
    lake.commit(name)
    assert http.put(place["presigned_url"], content=b"evil").status_code == 412
    assert http.put(place["presigned_url"], content=b"good").status_code == 200
    found = lake.rest.get(f"/repositories/{name}/refs/main/objects", params={"path": "a"})
    assert found.content == b"good"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_page_does_not_run(lake, repo, s3, http, kind):
    """Read from a repository, from the store's own bucket, and by presigned URLs: never a document of this origin."""
    s3.put_object(Bucket=repo, Key="main/page", Body=PAGE, ContentType=kind)
    s3.put_object(Bucket="lake.local", Key=f"free/{repo}", Body=PAGE, ContentType=kind)
    reading = {"path": "page", "presign": "true"}
    presigned = lake.rest.get(f"/repositories/{repo}/refs/main/objects", params=reading).headers["location"]
    urls = [
        s3.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/page"}),
        s3.generate_presigned_url("get_object", Params={"Bucket": "lake.local", "Key": f"free/{repo}"}),
        presigned,
    ]
    for url in urls:
        answer = http.get(url)
        assert answer.content == PAGE
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_page_in_disguise_does_not_run_either(repo, s3, http):
    """Whoever signs a URL chooses the type and the disposition of the answer, and not what a browser does with it."""
    s3.put_object(Bucket=repo, Key="main/text", Body=PAGE, ContentType="text/plain")
    wanted = {"ResponseContentType": "text/html", "ResponseContentDisposition": "inline"}
    for bucket, key in ((repo, "main/text"), ("lake.local", f"free/{repo}-text")):
        s3.put_object(Bucket=bucket, Key=key, Body=PAGE, ContentType="text/plain")
        answer = http.get(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key, **wanted}))
        assert answer.content == PAGE
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        if "html" in answer.headers["content-type"]:
            assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("text", ["a\r\nx-injected: 1", "a\nx-injected: 1", "a\rx-injected: 1", "a\x0bx: 1"], ids=ascii)
def test_what_is_asked_for_does_not_become_a_header(lake, repo, s3, text):
    """Types and dispositions in a signed query, keys, and names of buckets; nor do they break the answer."""
    query = [(f"response-{name}", text) for name in ("content-type", "content-disposition", "cache-control", "expires")]
    for path in (f"/{repo}/main/a", f"/{repo}/main/{text}", f"/lake.local/{text}", f"/{text}/a"):
        url = presign_url(
            "GET", endpoint=lake.endpoint, path=path.encode(), access_key_id=KEY, secret=SECRET, region="us-east-1",
            now=time.time(), expires=60, query=query,
        )  # fmt: skip
        parts = urlsplit(url)
        found = send(lake.endpoint, "GET", f"{parts.path}?{parts.query}", {"host": parts.netloc})
        head, _, _ = found.text.partition("\r\n\r\n")
        assert found.status in (200, 400, 404), found.text
        assert not any(line.lower().startswith(("x-injected", "x:")) for line in head.split("\n"))
        assert head.count("\n") == head.count("\r\n")


def test_signatures_are_compared_in_constant_time(lake, repo, http, monkeypatch):
    """A comparison that stops at the first difference tells how much of a guess was right."""
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watched(one, other):
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    headers = signed_headers(lake.endpoint, "GET", f"/{repo}/main/a")
    right = headers["authorization"].rpartition("Signature=")[2]
    wrong = ("0" if right[0] != "0" else "1") + right[1:]
    forged = headers | {"authorization": headers["authorization"].replace(right, wrong)}
    assert http.get(f"{lake.endpoint}/{repo}/main/a", headers=forged).status_code == 403
    assert (right.encode(), wrong.encode()) in compared
    old = {"AWSAccessKeyId": KEY, "Expires": str(int(time.time()) + 60), "Signature": "guess"}
    assert http.get(f"{lake.endpoint}/{repo}/main/a", params=old).status_code == 403
    assert b"guess" in [other for _, other in compared]


def test_what_lets_somebody_in_is_not_in_the_log(lake, repo, s3, http, monkeypatch):
    """Secrets, session tokens and signatures of presigned URLs: at the lowest level, with a fault in the middle."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    session = lake.post("/auth/sessions", {})
    url = s3.generate_presigned_url("get_object", Params={"Bucket": repo, "Key": "main/a"})
    token = session["session_token"]
    signed = signed_headers(
        lake.endpoint, "GET", f"/{repo}/main/a", key=session["access_key_id"], secret=session["secret_access_key"],
        x_amz_security_token=token,
    )  # fmt: skip
    logs.configure(level="debug", stream=stream)
    try:
        assert http.get(url).status_code == 200
        assert http.get(f"{lake.endpoint}/{repo}/main/a", headers=signed).status_code == 200

        async def fault(*_, **__):
            raise RuntimeError(f"a fault: {url} secret={SECRET} {signed}")

        monkeypatch.setattr("lakehouse.s3.app.serve_repository", fault)
        assert http.get(url).status_code == 500
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = stream.getvalue()
    assert "RuntimeError" in text
    signature = url.partition("X-Amz-Signature=")[2].partition("&")[0]
    assert len(signature) == 64
    for secret in (SECRET, signature, token, session["secret_access_key"]):
        assert secret not in text
