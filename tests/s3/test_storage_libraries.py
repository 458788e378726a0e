# SPDX-License-Identifier: Apache-2.0
"""What a widely used Go storage library asks of an S3 server, request by request, on plain buckets and on
`repository/branch/...` keys. It panics, loops or loses data where an element or a header is missing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import httpx2
import pytest

from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET, served_lake
from tests.s3.signing import send, signed_headers

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
PART = 5 * 2**20


class Storage:
    """A bucket and what its keys begin with; requests as the library signs them: the payload's hash, no chunks."""

    def __init__(self, lake, bucket: str, base: str) -> None:
        self.lake, self.bucket, self.base = lake, bucket, base
        self.http = httpx2.Client(trust_env=False)
        self.signer = boto_client(lake.endpoint, KEY, SECRET)

    def close(self) -> None:
        self.http.close()
        self.signer.close()

    def ask(self, method, key=None, query=(), body=b"", *, bucket=None, **headers):
        path = f"/{bucket or self.bucket}" + ("" if key is None else f"/{self.base}{key}")
        signed = signed_headers(
            self.lake.endpoint, method, path, payload=hashlib.sha256(body).hexdigest(),
            query=[(name, value) for name, value in query], **headers,
        )  # fmt: skip
        url = f"{self.lake.endpoint}{quote(path)}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return self.http.request(method, url, content=body or None, headers={"accept-encoding": "gzip", **signed})

    def put(self, key, body=b"data", **headers):
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = self.ask("PUT", key, body=body, **{"content-md5": digest, **headers})
        assert answer.status_code == 200, answer.text
        return answer

    def listed(self, prefix, *, after="", amount=1000):
        query = [("list-type", "2"), ("max-keys", str(amount)), ("prefix", self.base + prefix), ("start-after", after)]
        answer = self.ask("GET", query=query)
        assert answer.status_code == 200, answer.text
        return ElementTree.fromstring(answer.content)

    def signed(self, method, key, **params):
        """A URL for a minute; `params` are headers that are signed too."""
        place = {"Bucket": self.bucket, "Key": self.base + key, **params}
        return self.signer.generate_presigned_url(f"{method.lower()}_object", Params=place, ExpiresIn=60)


@pytest.fixture(params=["plain", "branches"])
def storage(request, lake):
    plain = request.param == "plain"
    bucket = lake.repository(metadata={"lakehouse.plain": "true"} if plain else {})
    made = Storage(lake, bucket, "" if plain else "main/")
    yield made
    made.close()


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def texts(root, path) -> list[str]:
    return [found.text for found in root.findall(path.replace("/", f"/{NS}"))]


def keys(root) -> list[str]:
    return [line.find(f"{NS}Key").text for line in root.iter(f"{NS}Contents")]


def test_head(storage):
    """ETag and Last-Modified, or the library panics and asks again for ever; 404 without a body."""
    storage.put("a/b c", b"12345", **{"x-amz-meta-FlyteContentMD5": "abc"})
    head = storage.ask("HEAD", "a/b c")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")
    assert head.headers["etag"] == f'"{hashlib.md5(b"12345").hexdigest()}"'
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", head.headers["last-modified"])
    assert head.headers["x-amz-meta-flytecontentmd5"] == "abc"
    for absent in (storage.ask("HEAD", "absent"), storage.ask("HEAD", "x", bucket="no-such-bucket")):
        assert (absent.status_code, absent.content) == (404, b"")
    refused = signed_headers(storage.lake.endpoint, "HEAD", f"/{storage.bucket}/x", secret="wrong")
    assert storage.http.head(f"{storage.lake.endpoint}/{storage.bucket}/x", headers=refused).status_code == 403


def test_lists(storage):
    """Every entry has key, time, ETag, size and storage class; IsTruncated is there always."""
    for key in ("l/a", "l/b/1", "l/é"):
        storage.put(key, b"123")
    found = storage.listed("l/")
    assert keys(found) == [storage.base + key for key in ("l/a", "l/b/1", "l/é")]
    for line in found.iter(f"{NS}Contents"):
        assert line.find(f"{NS}StorageClass").text == "STANDARD"
        assert line.find(f"{NS}ETag").text == f'"{hashlib.md5(b"123").hexdigest()}"'
        assert line.find(f"{NS}Size").text == "3"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.find(f"{NS}LastModified").text)
    assert found.find(f"{NS}IsTruncated").text == "false"
    for prefix, amount in (("l/", 0), ("absent/", 1000), ("", 0)):
        empty = storage.listed(prefix, amount=amount)
        assert (keys(empty), empty.find(f"{NS}IsTruncated").text) == ([], "false")
    first = storage.ask("GET", query=[("prefix", f"{storage.base}l/")])
    owners = ElementTree.fromstring(first.content).findall(f"{NS}Contents/{NS}Owner")
    assert len(owners) == 3
    assert owners[0].find(f"{NS}ID").text


@pytest.mark.parametrize("amount", [1, 2, 3])
def test_pages_by_the_last_key(storage, amount):
    """`start-after` is a whole key, not included, in the order of bytes."""
    names = ["p/A", "p/a", "p/a.b", "p/a/b", "p/ab", "p/ä", "p/𝄞"]
    for name in names:
        storage.put(name)
    seen, after, more = [], "", True
    while more:
        page = storage.listed("p/", after=after, amount=amount)
        seen += keys(page)
        after, more = seen[-1], page.find(f"{NS}IsTruncated").text == "true"
        assert not more or len(keys(page)) == amount
    assert seen == [storage.base + name for name in sorted(names, key=str.encode)]


def test_small_and_large_writes(storage):
    body = bytes(range(256)) * 8192
    answer = storage.put("w/mid", body, expect="100-continue")
    assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = storage.ask("GET", "w/mid")
    assert (got.content, got.headers["content-type"]) == (body, "binary/octet-stream")
    begun = storage.ask("POST", "w/big", [("uploads", "")], **{"x-amz-meta-flytecontentmd5": "m"})
    upload = ElementTree.fromstring(begun.content).find(f"{NS}UploadId").text
    bodies = {3: b"!", 1: b"a" * PART, 2: b"b" * PART}
    etags = {}
    for number, part in bodies.items():
        digest = base64.b64encode(hashlib.md5(part).digest()).decode()
        query = [("partNumber", str(number)), ("uploadId", upload)]
        etags[number] = storage.ask("PUT", "w/big", query, part, **{"content-md5": digest}).headers["etag"]
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    refused = storage.ask("PUT", "w/big", [("partNumber", "4"), ("uploadId", upload)], b"x", **{"content-md5": wrong})
    assert code(refused) == (400, "BadDigest")
    named = "".join(
        f"<Part><ETag>{etags[number].replace(chr(34), '&#34;')}</ETag><PartNumber>{number}</PartNumber></Part>"
        for number in sorted(etags)
    )
    document = f'<CompleteMultipartUpload xmlns="{NS[1:-1]}">{named}</CompleteMultipartUpload>'.encode()
    done = storage.ask("POST", "w/big", [("uploadId", upload)], document)
    assert done.status_code == 200
    head = storage.ask("HEAD", "w/big")
    assert (head.headers["content-length"], head.headers["x-amz-meta-flytecontentmd5"]) == (str(2 * PART + 1), "m")
    assert head.headers["etag"].endswith('-3"')
    assert storage.ask("GET", "w/big").content == bodies[1] + bodies[2] + bodies[3]


def test_a_wrong_md5_stores_nothing(storage):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert code(storage.ask("PUT", "bad", body=b"data", **{"content-md5": wrong})) == (400, "BadDigest")
    assert storage.ask("HEAD", "bad").status_code == 404


def test_deletes(storage):
    storage.put("d")
    for _ in range(2):
        assert storage.ask("DELETE", "d").status_code == 204
    assert storage.ask("HEAD", "d").status_code == 404
    assert code(storage.ask("DELETE", "d", bucket="no-such-bucket")) == (404, "NoSuchBucket")
    assert code(storage.ask("GET", "d")) == (404, "NoSuchKey")


def test_signed_urls(storage):
    """Bound to method, key, host, time and signed headers; also for a key that is not there yet."""
    http = storage.http
    get, put = storage.signed("GET", "s/x"), storage.signed("PUT", "s/x")
    assert http.get(get).status_code == 404
    assert http.put(put, content=b"1").status_code == 200
    assert http.get(get).content == b"1"
    assert http.head(get).status_code == 403
    for answer in (
        http.put(get, content=b"2"),
        http.get(put),
        http.get(get.replace("s/x", "s/y")),
        http.get(get, headers={"host": "elsewhere.example"}),
        http.get(get.replace("X-Amz-Expires=60", "X-Amz-Expires=90")),
    ):
        assert code(answer) == (403, "SignatureDoesNotMatch")
    storage.lake.offset[0] = 61.0
    assert code(http.get(get)) == (403, "AccessDenied")
    storage.lake.offset[0] = 0.0
    digest = base64.b64encode(hashlib.md5(b"good").digest()).decode()
    tied = storage.signed("PUT", "s/tied", ContentMD5=digest, Metadata={"flytecontentmd5": digest})
    assert code(http.put(tied, content=b"good")) == (403, "SignatureDoesNotMatch")
    sent = {"content-md5": digest, "x-amz-meta-flytecontentmd5": digest}
    assert code(http.put(tied, content=b"evil", headers=sent)) == (400, "BadDigest")
    assert http.put(tied, content=b"good", headers=sent).status_code == 200
    assert storage.ask("HEAD", "s/tied").headers["x-amz-meta-flytecontentmd5"] == digest


def test_containers(storage):
    """A bucket that is there is never said to be one's own already, nor made again: the library would take a write that
    failed for one that succeeded.
    """
    assert storage.ask("GET", query=[("location", "")]).status_code == 200
    assert code(storage.ask("GET", query=[("location", "")], bucket="no-such-bucket")) == (404, "NoSuchBucket")
    assert code(storage.ask("PUT")) == (409, "BucketAlreadyExists")
    elsewhere = b"<CreateBucketConfiguration><LocationConstraint>eu-1</LocationConstraint></CreateBucketConfiguration>"
    assert code(storage.ask("PUT", body=elsewhere)) == (409, "BucketAlreadyExists")
    assert code(storage.ask("PUT", bucket="no-such-bucket")) == (501, "NotImplemented")
    assert code(storage.ask("PUT", "x", body=b"1", bucket="no-such-bucket")) == (404, "NoSuchBucket")
    missing = [("list-type", "2"), ("prefix", "x"), ("start-after", "")]
    assert code(storage.ask("GET", query=missing, bucket="no-such-bucket")) == (404, "NoSuchBucket")


def test_branches_that_are_not_there(lake):
    storage = Storage(lake, lake.repository(), "")
    storage.put("main/x")
    commit = lake.commit(storage.bucket)
    for ref in ("missing", commit):
        assert code(storage.ask("PUT", f"{ref}/x", body=b"1")) == (404, "NoSuchBucket")
        assert code(storage.ask("POST", f"{ref}/x", [("uploads", "")])) == (404, "NoSuchBucket")
        assert storage.ask("DELETE", f"{ref}/x").status_code == 204
    assert storage.ask("HEAD", "missing/x").status_code == 404
    assert keys(storage.listed("missing/")) == []
    assert storage.ask("GET", f"{commit}/x").content == b"data"
    frozen = Storage(lake, lake.repository(read_only=True), "main/")
    assert code(frozen.ask("PUT", "x", body=b"1")) == (403, "ErrReadOnlyRepository")
    assert code(frozen.ask("PUT")) == (409, "BucketAlreadyExists")
    storage.close()
    frozen.close()


def test_an_empty_range_is_no_range(lake, s3):
    """Some clients sign a Range header that says nothing."""
    bucket = lake.repository(metadata={"lakehouse.plain": "true"})
    s3.put_object(Bucket=bucket, Key="x", Body=b"12345")
    for value, status, body in (("", 200, "12345"), ("bytes=3-", 206, "45"), ("bytes=5-", 416, "InvalidRange")):
        headers = signed_headers(lake.endpoint, "GET", f"/{bucket}/x", range=value)
        got = send(lake.endpoint, "GET", f"/{bucket}/x", headers)
        assert got.status == status
        assert body in got.text


def test_a_prefix_that_is_a_branch_without_a_slash(lake):
    """Branches are told as prefixes, all on one page: a page that is cut off and has no objects breaks the library."""
    storage = Storage(lake, lake.repository(), "")
    storage.put("main/x")
    lake.commit(storage.bucket)
    lake.branch(storage.bucket, "main2")
    for amount in (1, 1000):
        found = storage.listed("main", amount=amount)
        assert (keys(found), texts(found, "./CommonPrefixes/Prefix")) == ([], ["main/", "main2/"])
        assert found.find(f"{NS}IsTruncated").text == "false"
    storage.close()


def test_objects_of_all_branches(tmp_path):
    """With the setting, such a prefix lists objects, as any other store does: in the order of keys, page by page."""
    from lakehouse.config.model import S3

    with served_lake(tmp_path, s3=S3(list_branches="objects")) as lake:
        storage = Storage(lake, lake.repository(), "")
        for key in ("x", "y/1", "y/2"):
            storage.put(f"main/{key}")
        lake.commit(storage.bucket)
        for branch in ("main2", "main-2", "dev"):
            lake.branch(storage.bucket, branch)
        storage.ask("DELETE", "main2/y/1")
        storage.put("main-2/z")
        shown = {"main-2": ("x", "y/1", "y/2", "z"), "main": ("x", "y/1", "y/2"), "main2": ("x", "y/2")}
        want = [f"{branch}/{key}" for branch, names in shown.items() for key in names]
        assert keys(storage.listed("main")) == want
        assert len(keys(storage.listed(""))) == len(want) + 3
        assert keys(storage.listed("main/")) == want[4:7]
        assert keys(storage.listed("other")) == []
        assert keys(storage.listed("main", amount=0)) == []
        for amount in (1, 2, 3, 4, 9):
            seen, after, more = [], "", True
            while more:
                page = storage.listed("main", after=after, amount=amount)
                more = page.find(f"{NS}IsTruncated").text == "true"
                assert keys(page)
                assert not more or len(keys(page)) == amount
                seen += keys(page)
                after = seen[-1]
            assert seen == want
        s3 = boto_client(lake.endpoint, KEY, SECRET)
        found = s3.list_objects_v2(Bucket=storage.bucket, Prefix="main", Delimiter="/")
        assert [one["Prefix"] for one in found["CommonPrefixes"]] == ["main/", "main-2/", "main2/"]
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=storage.bucket, Prefix="main", PaginationConfig={"PageSize": 2}
        )
        assert [one["Key"] for page in pages for one in page["Contents"]] == want
        s3.close()
        storage.close()
