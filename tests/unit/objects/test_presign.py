# SPDX-License-Identifier: Apache-2.0
"""SigV4 against the examples that AWS publishes in the Amazon S3 API Reference."""

from __future__ import annotations

import hashlib

import pytest

from lakehouse.core.errors import InvalidArgument
from lakehouse.core.sigv4 import (
    Scope,
    SigningKeys,
    amz_time,
    canonical_request,
    encode_path,
    host_header,
    presign_url,
    sign_headers,
    signing_key,
)
from lakehouse.objects.port import Location
from lakehouse.objects.presign import PRESIGN_KEY_ID, EmbeddedPresigner

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
FRIDAY = 1369353600.0  # 2013-05-24T00:00:00Z
HOST = "examplebucket.s3.amazonaws.com"
EMPTY = hashlib.sha256(b"").hexdigest()


def signed(method, path, *, headers=None, payload=EMPTY, query=()):
    added = sign_headers(
        method,
        path=path,
        headers={"host": HOST, **(headers or {})},
        access_key_id=KEY,
        secret=SECRET,
        region="us-east-1",
        now=FRIDAY,
        payload=payload,
        query=query,
    )
    return added["authorization"].rpartition("Signature=")[2]


def test_the_published_get_object():
    found = signed("GET", b"/test.txt", headers={"Range": "bytes=0-9"})
    assert found == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"


def test_the_published_put_object():
    payload = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
    headers = {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}
    found = signed("PUT", b"/test$file.text", headers=headers, payload=payload)
    assert found == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


def test_the_published_get_bucket_lifecycle():
    found = signed("GET", b"/", query=[("lifecycle", "")])
    assert found == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


def test_the_published_list_objects():
    found = signed("GET", b"/", query=[("max-keys", "2"), ("prefix", "J")])
    assert found == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_the_published_presigned_url():
    url = presign_url(
        "GET",
        endpoint=f"https://{HOST}",
        path=b"/test.txt",
        access_key_id=KEY,
        secret=SECRET,
        region="us-east-1",
        now=FRIDAY,
        expires=86400,
    )
    assert url.endswith("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
    assert "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" in url


def test_the_published_signing_key():
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Scope("20120215", "us-east-1", "iam"))
    assert key.hex() == "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"


def test_keys_are_derived_once_and_not_kept_for_ever():
    keys = SigningKeys()
    assert keys.key("s", Scope("20130524", "r")) is keys.key("s", Scope("20130524", "r"))
    for number in range(200):
        keys.key(str(number), Scope("20130524", "r"))
    assert keys.key("s", Scope("20130524", "r")) == signing_key("s", Scope("20130524", "r"))


def test_canonical_forms():
    text = canonical_request("GET", path="/", query="a=b", headers=[("host", "h"), ("x", "y")], payload="p")
    assert text == "GET\n/\na=b\nhost:h\nx:y\n\nhost;x\np"
    assert encode_path("/a b/ü+~*/..".encode()) == "/a%20b/%C3%BC%2B~%2A/.."
    assert amz_time(FRIDAY) == "20130524T000000Z"


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://h:80", "h"), ("https://h:443/x", "h"), ("http://h:443", "h:443"), ("http://[::1]:8000", "[::1]:8000"),
        ("http://user:pw@h:9000", "h:9000"), ("https://h", "h"),
    ],
)  # fmt: skip
def test_the_host_header_is_the_one_that_clients_send(endpoint, host):
    assert host_header(endpoint) == host


@pytest.mark.parametrize("expires", [0, -1, 604_801])
def test_a_lifetime_that_cannot_be(expires):
    presigner = EmbeddedPresigner(secret="s", clock=lambda: FRIDAY)
    with pytest.raises(InvalidArgument):
        presigner.presign("GET", Location("lake.local", "k"), expires=expires, endpoint="http://h")


def test_the_embedded_presigner_encodes_keys_and_keeps_the_endpoints_path():
    presigner = EmbeddedPresigner(secret="s", clock=lambda: FRIDAY)
    url = presigner.presign("PUT", Location("lake.local", "a b/ü+?"), expires=60, endpoint="http://h:1/s3/")
    assert url.startswith("http://h:1/s3/lake.local/a%20b/%C3%BC%2B%3F?X-Amz-Algorithm=AWS4-HMAC-SHA256&")
    assert len(PRESIGN_KEY_ID) <= 20
