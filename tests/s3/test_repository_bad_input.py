# SPDX-License-Identifier: Apache-2.0
"""Requests that are wrong, altered or hostile: S3's own code and status as XML, and nothing stored."""

from __future__ import annotations

import base64
import hashlib
import time
import xml.etree.ElementTree as ET
import zlib

import pytest
from botocore.exceptions import ClientError

from lakehouse.config.model import Limits
from lakehouse.core.sigv4 import Scope, amz_time, signing_key
from lakehouse.s3.checksums import encoded, new_checksum
from tests.s3.lake import SECRET, served_lake
from tests.s3.signing import send, signed_chunks, signed_headers
from tests.s3.test_boto3 import code

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
DATA = bytes(range(256)) * 300


@pytest.fixture(scope="module")
def repo(lake):
    return lake.repository()


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(lake, s3, repo):
    """Whatever a test sends in vain, the branch shows nothing of it, and no reader hangs on a half object."""
    yield
    assert s3.list_objects_v2(Bucket=repo, Prefix="main/bad")["KeyCount"] == 0


def checksum(name, data) -> str:
    running = new_checksum(name)
    running.update(data)
    return encoded(running)


def put(lake, repo, path, body, *, payload="UNSIGNED-PAYLOAD", length=None, drop=(), **headers):
    target = f"/{repo}/main/{path}"
    signed = signed_headers(lake.endpoint, "PUT", target, payload=payload, **headers)
    for name in drop:
        del signed[name]
    return send(lake.endpoint, "PUT", target, signed, body, length=length)


def chunked(lake, repo, path, form, pieces, *, trailer=None, spoil=None, now=None):
    """A PUT in one of the chunked forms; `spoil` changes the body before it is sent."""
    now = time.time() if now is None else now
    target = f"/{repo}/main/{path}"
    size = sum(map(len, pieces))
    more = {"x_amz_decoded_content_length": str(size), "content_encoding": "aws-chunked"}
    if trailer is not None:
        more["x_amz_trailer"] = trailer[0]
    headers = signed_headers(lake.endpoint, "PUT", target, payload=form, now=now, **more)
    if form.startswith(SIGNED):
        stamp = amz_time(now)
        scope = Scope(stamp[:8], "anywhere")
        seed = headers["authorization"].rpartition("=")[2]
        body = signed_chunks(
            [*pieces, b""], key=signing_key(SECRET, scope), stamp=stamp, scope=scope, seed=seed, trailer=trailer
        )
    else:
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"
        body += b"" if trailer is None else f"{trailer[0]}:{trailer[1]}\r\n".encode()
        body += b"\r\n"
    return send(lake.endpoint, "PUT", target, headers, body if spoil is None else spoil(body))


HALF = len(DATA) // 2
PIECES = [DATA[:HALF], DATA[HALF:]]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_checksum_in_every_form(lake, s3, repo, algorithm):
    good, name = checksum(algorithm, DATA), f"x-amz-checksum-{algorithm}"
    wrong = checksum(algorithm, DATA + b"x")
    header = {name.replace("-", "_"): good}
    assert put(lake, repo, "good", DATA, **header).status == 200
    assert put(lake, repo, "bad", DATA, **{**header, name.replace("-", "_"): wrong})[:2] == (400, "BadDigest")
    assert put(lake, repo, "bad", DATA, **{**header, name.replace("-", "_"): "AA=="})[:2] == (400, "InvalidDigest")
    for form in (f"{SIGNED}-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
        assert chunked(lake, repo, "good", form, PIECES, trailer=(name, good)).status == 200
        assert chunked(lake, repo, "bad", form, PIECES, trailer=(name, wrong))[:2] == (400, "BadDigest")
    assert s3.get_object(Bucket=repo, Key="main/good")["Body"].read() == DATA


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_the_checksums_of_boto3(s3, repo, algorithm):
    s3.put_object(Bucket=repo, Key="main/good", Body=DATA, ChecksumAlgorithm=algorithm)
    assert s3.get_object(Bucket=repo, Key="main/good")["Body"].read() == DATA
    upload = s3.create_multipart_upload(Bucket=repo, Key="main/good", ChecksumAlgorithm=algorithm)["UploadId"]
    part = s3.upload_part(
        Bucket=repo, Key="main/good", UploadId=upload, PartNumber=1, Body=DATA[:100], ChecksumAlgorithm=algorithm
    )
    s3.complete_multipart_upload(
        Bucket=repo, Key="main/good", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert s3.get_object(Bucket=repo, Key="main/good")["Body"].read() == DATA[:100]


def test_content_md5(lake, repo):
    good = base64.b64encode(hashlib.md5(DATA).digest()).decode()
    assert put(lake, repo, "good", DATA, content_md5=good).status == 200
    assert put(lake, repo, "bad", DATA + b"x", content_md5=good)[:2] == (400, "BadDigest")
    assert put(lake, repo, "bad", DATA, content_md5="nonsense")[:2] == (400, "InvalidDigest")


def test_the_signed_sha256_of_the_body(lake, repo):
    good = hashlib.sha256(DATA).hexdigest()
    assert put(lake, repo, "good", DATA, payload=good).status == 200
    assert put(lake, repo, "bad", DATA[1:], payload=good)[:2] == (400, "XAmzContentSHA256Mismatch")
    assert put(lake, repo, "bad", DATA, payload="nonsense")[:2] == (400, "InvalidArgument")


def test_signed_chunks(lake, s3, repo):
    assert chunked(lake, repo, "good", SIGNED, PIECES).status == 200
    assert s3.get_object(Bucket=repo, Key="main/good")["Body"].read() == DATA

    def altered(body):
        return body.replace(DATA[100:110], b"0123456789", 1)

    def after_first(body):
        return body.index(b"\r\n", HALF + 50) + 2

    def replayed(body):
        first = body[: after_first(body)]
        return first + first + body[body.rindex(b"0;chunk") :]

    def left_out(body):
        return body[after_first(body) :]

    for spoil, want in (
        (altered, (403, "SignatureDoesNotMatch")), (replayed, (403, "SignatureDoesNotMatch")),
        (left_out, (403, "SignatureDoesNotMatch")), (lambda body: body[:-40], (400, "IncompleteBody")),
        (lambda body: body + b"more", (400, "InvalidRequest")), (lambda _: b"nonsense\r\n", (400, "InvalidRequest")),
    ):  # fmt: skip
        assert chunked(lake, repo, "bad", SIGNED, PIECES, spoil=spoil)[:2] == want
    old = time.time() - 1000
    assert chunked(lake, repo, "bad", SIGNED, PIECES, now=old)[:2] == (403, "RequestTimeTooSkewed")


def test_trailers_that_are_none(lake, repo):
    form = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    good = base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    for trailer, want in (
        (("x-amz-checksum-md5", "x"), "InvalidRequest"), (("x-amz-meta-x", "x"), "InvalidRequest"),
        (None, "InvalidRequest"),
    ):  # fmt: skip
        assert chunked(lake, repo, "bad", form, PIECES, trailer=trailer)[:2] == (400, want)

    def renamed(body):
        return body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-sha1:")

    answer = chunked(lake, repo, "bad", form, PIECES, trailer=("x-amz-checksum-crc32", good), spoil=renamed)
    assert answer[:2] == (400, "InvalidRequest")


def test_bodies_of_another_length(lake, s3, repo):
    short = put(lake, repo, "bad", DATA[:1000], length=2000)
    assert short.status in (0, 400)  # the client has gone: perhaps nobody was told
    shorter = put(lake, repo, "bad", b"", length=0, x_amz_decoded_content_length="5", payload=f"{SIGNED}")
    assert shorter[:2] == (400, "IncompleteBody")
    form = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    trailer = ("x-amz-checksum-crc32", checksum("crc32", DATA))
    target = f"/{repo}/main/bad"
    for length in (len(DATA) - 1, len(DATA) + 1):
        headers = signed_headers(
            lake.endpoint, "PUT", target, payload=form, x_amz_decoded_content_length=str(length),
            x_amz_trailer=trailer[0],
        )  # fmt: skip
        body = b"%x\r\n%s\r\n0\r\n%s:%s\r\n\r\n" % (len(DATA), DATA, trailer[0].encode(), trailer[1].encode())
        assert send(lake.endpoint, "PUT", target, headers, body)[:2] == (400, "IncompleteBody")
    for text in ("-1", "x", ""):
        assert put(lake, repo, "bad", b"", payload=SIGNED, x_amz_decoded_content_length=text).status == 400


def test_an_aborted_upload_leaves_nothing(lake, s3, repo):
    def stored():
        found = s3.list_objects_v2(Bucket="lake.local", Prefix=f"{repo}/").get("Contents", [])
        return [line["Key"] for line in found if "/data/" in line["Key"]]

    before = stored()
    put(lake, repo, "bad", DATA * 10, length=len(DATA) * 20)
    put(lake, repo, "bad", DATA, content_md5=base64.b64encode(b"0" * 16).decode())
    assert stored() == before


def post(lake, repo, query, body, path=""):
    pairs = [tuple(part.split("=")) if "=" in part else (part, "") for part in query.split("&")]
    headers = signed_headers(lake.endpoint, "POST", f"/{repo}{path}", query=pairs)
    return send(lake.endpoint, "POST", f"/{repo}{path}?{query}", headers, body)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Delete><Object><Key>&b;</Key></Object></Delete>"""
FILE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<Delete><Object><Key>&a;</Key></Object></Delete>"""


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (BOMB, "MalformedXML"),
        (FILE, "MalformedXML"),
        (b"", "MalformedXML"),
        (b"<Delete>", "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (b"<Delete/>", "MalformedXML"),
        (b"<Delete><Object/></Delete>", "MalformedXML"),
        (b"\xff\xfe\x00", "MalformedXML"),
        (b"<Delete>" + b" " * (8 << 20) + b"</Delete>", "MaxMessageLengthExceeded"),
    ],
    ids=["bomb", "file", "nothing", "open", "other", "empty", "no key", "no text", "long"],
)
def test_documents(lake, repo, body, want):
    answer = post(lake, repo, "delete", body)
    assert answer[:2] == (400, want)
    assert "root:" not in answer.text


def test_documents_of_uploads_and_tags(lake, s3, repo):
    s3.put_object(Bucket=repo, Key="main/good", Body=b"x")
    upload = s3.create_multipart_upload(Bucket=repo, Key="main/bad")["UploadId"]
    for body in (BOMB, b"<CompleteMultipartUpload/>", b"<CompleteMultipartUpload><Part/></CompleteMultipartUpload>"):
        assert post(lake, repo, f"uploadId={upload}", body, "/main/bad")[:2] == (400, "MalformedXML")
    number = b"<PartNumber>999999</PartNumber><ETag>x</ETag>"
    body = b"<CompleteMultipartUpload><Part>%s</Part></CompleteMultipartUpload>" % number
    assert post(lake, repo, f"uploadId={upload}", body, "/main/bad")[:2] == (400, "MalformedXML")
    target = f"/{repo}/main/good"
    headers = signed_headers(lake.endpoint, "PUT", target, query=[("tagging", "")])
    assert send(lake.endpoint, "PUT", f"{target}?tagging", headers, b"<Tagging/>")[:2] == (400, "MalformedXML")


def test_targets_that_try_to_get_out(lake, s3, repo):
    s3.put_object(Bucket=repo, Key="main/good", Body=b"x")
    for key in ("main/../../../etc/passwd", "../other/main/x", "main/..%2f..%2fgood", "main//good", "./main/good"):
        plain = key.replace("%2f", "/")
        headers = signed_headers(lake.endpoint, "GET", f"/{repo}/{plain}")
        answer = send(lake.endpoint, "GET", f"/{repo}/{key}", headers)
        assert answer.status in (404, 403), key
    for key in ("main/%00", "main/%ff"):
        headers = signed_headers(lake.endpoint, "GET", f"/{repo}/main/x")
        assert send(lake.endpoint, "GET", f"/{repo}/{key}", headers)[:2] == (400, "InvalidURI")


def test_queries_that_cannot_be(lake, s3, repo):
    for query in ("max-keys=-1", "max-keys=x", "encoding-type=rot13", "prefix=%00", "max-keys=99999999999"):
        name, _, value = query.partition("=")
        headers = signed_headers(lake.endpoint, "GET", f"/{repo}", query=[(name, value.replace("%00", "\x00"))])
        assert send(lake.endpoint, "GET", f"/{repo}?{query}", headers)[:2] == (400, "InvalidArgument"), query
    with pytest.raises(ClientError) as caught:
        s3.list_multipart_uploads(Bucket=repo, EncodingType="rot13")
    assert code(caught)[1] == 400


def test_a_key_to_encrypt_with_is_refused(lake, repo):
    header = {"x_amz_server_side_encryption_customer_key": base64.b64encode(b"k" * 32).decode()}
    assert put(lake, repo, "bad", DATA, **header)[:2] == (501, "NotImplemented")


def test_every_refusal_is_a_document(lake, repo):
    answer = put(lake, repo, "bad", DATA, x_amz_checksum_crc32="AAAAAA==")
    head, _, body = answer.text.partition("\r\n\r\n")
    assert "content-type: application/xml" in head
    root = ET.fromstring(body)
    assert [child.tag for child in root] == [
        "Code", "Message", "Key", "BucketName", "Resource", "Region", "RequestId", "HostId",
    ]  # fmt: skip
    assert root.findtext("RequestId") in head


def test_objects_beyond_the_limit(tmp_path):
    with served_lake(tmp_path, limits=Limits(object_size=1000)) as small:
        name = small.repository()
        for bucket, key in ((name, "main/x"), ("lake.local", "x")):
            target = f"/{bucket}/{key}"
            in_pieces = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
            for headers, body, want in (
                ({}, b"x" * 1000, (200, "")),
                ({}, b"x" * 1001, (400, "EntityTooLarge")),
                ({"transfer_encoding": "chunked"}, in_pieces, (400, "EntityTooLarge")),
            ):
                signed = signed_headers(small.endpoint, "PUT", target, **headers)
                assert send(small.endpoint, "PUT", target, signed, body)[:2] == want
