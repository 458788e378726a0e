# SPDX-License-Identifier: Apache-2.0
"""Presigned URLs with curl and raw HTTP: what they allow, for how long, and nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import urllib.parse

import httpx2
import pytest

from lakehouse.core.sigv4 import amz_time, sign_headers
from lakehouse.objects.port import Location
from lakehouse.objects.presign import PRESIGN_KEY_ID
from tests.s3.served import BUCKET, INTERNAL_SECRET, KEY, OTHER_KEY, OTHER_SECRET, SECRET


@pytest.fixture(scope="module")
def http():
    with httpx2.Client(trust_env=False) as client:
        yield client


def url(served, method, key, *, expires=60, bucket=BUCKET):
    return served.presigner.presign(method, Location(bucket, key), expires=expires, endpoint=served.endpoint)


def error_code(response) -> str:
    return response.text.partition("<Code>")[2].partition("</Code>")[0]


def test_put_then_get(served, http):
    data = os.urandom(300_000)
    put = http.put(url(served, "PUT", "p/a b+ü"), content=data, headers={"content-type": "text/plain"})
    assert (put.status_code, put.headers["etag"]) == (200, f'"{hashlib.md5(data).hexdigest()}"')
    assert put.headers["x-amz-request-id"]
    got = http.get(url(served, "GET", "p/a b+ü"))
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, data, "text/plain")
    part = http.get(url(served, "GET", "p/a b+ü"), headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, data[1:4])


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("size", [0, 5, 3_000_000])
def test_curl(served, tmp_path, size):
    data = os.urandom(size)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    curl = ["curl", "-sS", "--fail", "--noproxy", "*"]
    subprocess.run([*curl, "-T", source, url(served, "PUT", f"curl/{size}")], check=True, timeout=30)
    subprocess.run([*curl, "-o", target, url(served, "GET", f"curl/{size}")], check=True, timeout=30)
    assert (target.read_bytes() if size else b"") == data


def test_one_method_and_one_object(served, http):
    http.put(url(served, "PUT", "one"), content=b"1")
    signed = url(served, "GET", "one")
    for method in ("PUT", "HEAD", "DELETE", "POST"):
        assert http.request(method, signed).status_code == 403
    assert error_code(http.get(signed.replace("/one?", "/two?"))) == "SignatureDoesNotMatch"
    assert error_code(http.get(signed.replace("/one?", "/One?"))) == "SignatureDoesNotMatch"
    assert error_code(http.get(signed + "&response-content-type=text/html")) == "SignatureDoesNotMatch"
    assert error_code(http.get(signed.replace("127.0.0.1", "localhost"))) == "SignatureDoesNotMatch"
    assert error_code(http.get(signed[:-1] + ("0" if signed[-1] != "0" else "1"))) == "SignatureDoesNotMatch"
    put = url(served, "PUT", "stolen")
    response = http.put(put, headers={"x-amz-copy-source": f"/{BUCKET}/one"})
    assert (response.status_code, error_code(response)) == (403, "AccessDenied")
    assert http.get(url(served, "GET", "stolen")).status_code == 404


def test_valid_exactly_as_long_as_it_says(served, http):
    http.put(url(served, "PUT", "timed"), content=b"1")
    signed = url(served, "GET", "timed", expires=7200)
    served.offset[0] = 7100.0
    assert http.get(signed).status_code == 200
    served.offset[0] = 7201.0
    response = http.get(signed)
    assert (response.status_code, error_code(response)) == (403, "AccessDenied")
    assert "expired" in response.text
    longer = signed.replace("X-Amz-Expires=7200", "X-Amz-Expires=9999")
    assert error_code(http.get(longer)) == "SignatureDoesNotMatch"
    served.offset[0] = -1000.0
    assert error_code(http.get(signed)) == "RequestNotReadyYet"


@pytest.mark.parametrize("expires", ["604801", "0", "-1", "x", "", "9999999999"])
def test_lifetimes_that_cannot_be(served, http, expires):
    signed = url(served, "GET", "timed").replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}")
    response = http.get(signed)
    assert (response.status_code, error_code(response)) == (400, "AuthorizationQueryParametersError")


def headers_for(served, method, path, *, key=KEY, secret=SECRET, now=None, payload="UNSIGNED-PAYLOAD", **more):
    import time

    host = served.endpoint.removeprefix("http://")
    headers = {"host": host, **more}
    added = sign_headers(
        method, path=path, headers=headers, access_key_id=key, secret=secret, region="anywhere",
        now=time.time() if now is None else now, payload=payload,
    )  # fmt: skip
    return {**headers, **added}


def test_the_internal_key_signs_no_headers(served, http):
    path = f"/{BUCKET}/one".encode()
    headers = headers_for(served, "GET", path, key=PRESIGN_KEY_ID, secret=INTERNAL_SECRET)
    response = http.get(served.endpoint + path.decode(), headers=headers)
    assert (response.status_code, error_code(response)) == (403, "AccessDenied")


def test_the_internal_key_lists_and_deletes_nothing(served, http):
    from lakehouse.core.sigv4 import presign_url

    def signed(method, path, query=()):
        import time

        return presign_url(
            method, endpoint=served.endpoint, path=path, access_key_id=PRESIGN_KEY_ID, secret=INTERNAL_SECRET,
            region="us-east-1", now=time.time(), expires=60, query=query,
        )  # fmt: skip

    for method, path, query in (
        ("GET", b"/lake.local", ()), ("GET", b"/lake.local/", [("list-type", "2")]), ("DELETE", b"/lake.local/one", ()),
        ("POST", b"/lake.local", [("delete", "")]),
    ):  # fmt: skip
        response = http.request(method, signed(method, path, query))
        assert (response.status_code, error_code(response)) == (403, "AccessDenied")
    assert http.get(signed("GET", b"/")).status_code == 405


def test_a_users_own_presigned_url(served, http, boto):
    boto.put_object(Bucket=BUCKET, Key="own", Body=b"mine")
    signed = boto.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "own"}, ExpiresIn=60)
    assert http.get(signed).content == b"mine"
    override = boto.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "own", "ResponseContentType": "text/html"}
    )
    got = http.get(override)
    assert got.headers["content-disposition"] == "attachment"
    assert "sandbox" in got.headers["content-security-policy"]


def test_clocks_may_differ_by_15_minutes(served, http):
    path = f"/{BUCKET}/one".encode()
    for offset, want in (
        (-899, "NoSuchKey"),
        (899, "NoSuchKey"),
        (-902, "RequestTimeTooSkewed"),
        (902, "RequestNotReadyYet"),
    ):
        import time

        path = f"/{BUCKET}/absent".encode()
        response = http.get(
            served.endpoint + path.decode(), headers=headers_for(served, "GET", path, now=time.time() + offset)
        )
        assert error_code(response) == want


def test_foreign_and_tampered_signatures(served, http):
    path = f"/{BUCKET}/one".encode()
    target = served.endpoint + path.decode()
    good = headers_for(served, "GET", path)
    for change in (
        {"x-amz-date": amz_time(0)},
        {"x-amz-meta-added": "x"},
        {"x-amz-content-sha256": "0" * 64},
        {"authorization": good["authorization"].replace(KEY, "AKIANOBODY")},
        {"authorization": good["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")},
        {"authorization": good["authorization"].replace("/anywhere/", "/elsewhere/")},
        {"authorization": "AWS4-HMAC-SHA256 nonsense"},
        {"authorization": "Bearer x"},
    ):
        response = http.get(target, headers={**good, **change})
        assert response.status_code in (400, 403), change
        assert error_code(response)
    response = http.get(target, headers=headers_for(served, "GET", path, key=OTHER_KEY, secret=OTHER_SECRET))
    assert error_code(response) == "AccessDenied"
    response = http.get(target)
    assert (response.status_code, error_code(response)) == (400, "MissingFields")


def test_the_payload_is_what_was_signed(served, http):
    path = f"/{BUCKET}/payload".encode()
    payload = hashlib.sha256(b"hello").hexdigest()
    headers = headers_for(served, "PUT", path, payload=payload)
    assert http.put(served.endpoint + path.decode(), headers=headers, content=b"hello").status_code == 200
    response = http.put(served.endpoint + path.decode(), headers=headers, content=b"other")
    assert (response.status_code, error_code(response)) == (400, "XAmzContentSHA256Mismatch")
    assert http.get(url(served, "GET", "payload")).content == b"hello"


def raw(served, method, target, headers=(), body=b"") -> bytes:
    """Send a request whose target is not touched by any library; all that comes back until the server closes."""
    import socket

    host = served.endpoint.removeprefix("http://")
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", "connection: close", *headers, "", ""]
    with socket.create_connection(host.split(":"), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        found = b""
        while chunk := connection.recv(65536):
            found += chunk
    return found


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a/../../two.local/x", "./x", "//etc/passwd", "..%2f..%2fetc", "%00", "%ff"]
)
def test_paths_mean_nothing_but_a_key(served, key):
    signed = url(served, "GET", urllib.parse.unquote(key, errors="surrogateescape"))
    target = signed.removeprefix(served.endpoint)
    status = raw(served, "GET", target).split(b" ", 2)[1]
    assert status == (b"400" if key in ("%00", "%ff") else b"404")


@pytest.mark.parametrize("length", [b"10", b"2000000"])
def test_a_body_that_ends_early_stores_nothing(served, length):
    import socket

    target = url(served, "PUT", "early").removeprefix(served.endpoint)
    host = served.endpoint.removeprefix("http://")
    with socket.create_connection(host.split(":"), timeout=10) as connection:
        connection.sendall(
            f"PUT {target} HTTP/1.1\r\nhost: {host}\r\n".encode() + b"content-length: " + length + b"\r\n\r\n12345"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert b" 404 " in raw(served, "GET", url(served, "GET", "early").removeprefix(served.endpoint)).split(b"\r\n")[0]


def test_a_mount_point_is_part_of_what_is_signed(served, http):
    signed = served.presigner.presign("GET", Location(BUCKET, "one"), expires=60, endpoint=f"{served.endpoint}/s3")
    assert error_code(http.get(signed)) == "NoSuchBucket"
