# SPDX-License-Identifier: Apache-2.0
"""Requests without a signature: below `/s3` only, and only to read objects of repositories that are public."""

from __future__ import annotations

import httpx2
import pytest

from tests.s3.conftest import boto_client
from tests.s3.lake import KEY, SECRET
from tests.s3.signing import send

PUBLIC = {"lakehouse.plain": "true", "lakehouse.public-read": "true"}
ACCESS_DENIED = (403, "AccessDenied")


@pytest.fixture(scope="module")
def http():
    with httpx2.Client(trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def public(lake, s3):
    name = lake.repository(metadata=PUBLIC)
    s3.put_object(Bucket=name, Key="dir/a b.html", Body=b"<b>hello</b>", ContentType="text/html")
    return name


@pytest.fixture(scope="module")
def private(lake, s3):
    name = lake.repository(metadata={"lakehouse.plain": "true"})
    s3.put_object(Bucket=name, Key="dir/a b.html", Body=b"hello")
    return name


def told(answer) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_everybody_may_read(lake, http, public):
    url = f"{lake.endpoint}/s3/{public}/dir/a%20b.html"
    got = http.get(url)
    assert (got.status_code, got.content) == (200, b"<b>hello</b>")
    assert got.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert "date" in got.headers
    part = http.get(url, headers={"range": "bytes=3-7"})
    assert (part.status_code, part.content) == (206, b"hello")
    assert http.head(url).headers["content-length"] == "12"
    assert told(http.get(f"{lake.endpoint}/s3/{public}/absent")) == (404, "NoSuchKey")
    assert http.head(f"{lake.endpoint}/s3/{public}/absent").status_code == 404


def test_a_cookie_takes_nothing_away(lake, http, public, private):
    """A user who is logged in and may read nothing opens a public link as everybody does."""
    lake.post("/auth/users", {"id": "visitor"})
    pair = lake.rest.post("/auth/users/visitor/credentials").json()
    body = {name: pair[name] for name in ("access_key_id", "secret_access_key")}
    token = lake.rest.post("/auth/login", json=body).json()["token"]
    cookie = {"cookie": f"internal_auth_session={token}"}
    assert http.get(f"{lake.endpoint}/s3/{public}/dir/a%20b.html", headers=cookie).content == b"<b>hello</b>"
    assert http.get(f"{lake.endpoint}/s3/{public}/dir/a%20b.html", headers={"cookie": "x=y"}).status_code == 200
    for path in (f"{private}/dir/a%20b.html", f"{public}?list-type=2", f"{public}/dir/a%20b.html?tagging"):
        assert told(http.get(f"{lake.endpoint}/s3/{path}", headers=cookie)) == ACCESS_DENIED
    signed = {"authorization": f"Bearer {token}"}
    assert told(http.get(f"{lake.endpoint}/s3/{public}/dir/a%20b.html", headers=signed)) == ACCESS_DENIED


def test_public_is_reading_objects_and_nothing_else(lake, http, public):
    base = f"{lake.endpoint}/s3/{public}"
    for method, path in (
        ("GET", ""),
        ("GET", "/"),
        ("GET", "?list-type=2"),
        ("GET", "?versions"),
        ("GET", "?uploads"),
        ("GET", "?location"),
        ("HEAD", ""),
        ("PUT", "/dir/new"),
        ("PUT", "/dir/a%20b.html?tagging"),
        ("POST", "/dir/new?uploads"),
        ("POST", "?delete"),
        ("POST", ""),
        ("DELETE", "/dir/a%20b.html"),
        ("GET", "/dir/a%20b.html?tagging"),
        ("GET", "/dir/a%20b.html?acl"),
        ("GET", "/dir/a%20b.html?versionId=main~1"),
        ("OPTIONS", "/dir/a%20b.html"),
    ):
        answer = http.request(method, base + path, content=b"x" if method in ("PUT", "POST") else None)
        assert answer.status_code == 403, (method, path)
        assert method == "HEAD" or told(answer) == ACCESS_DENIED, (method, path)
        assert answer.headers["content-type"] == "application/xml"
    assert http.get(f"{base}/dir/a%20b.html").status_code == 200


def test_all_else_is_refused_alike(lake, http, public, private):
    """Whether a bucket or a key exists is not told."""
    paths = (
        "",
        "/",
        "/lake.local",
        "/lake.local/x",
        f"/{private}",
        f"/{private}/dir/a%20b.html",
        f"/{private}/absent",
        "/no-such-bucket/x",
        "/no-such-bucket?list-type=2",
        "/Bad_Name/x",
        "/a%0ab/x",
    )
    bodies = set()
    for path in paths:
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"):
            answer = http.request(method, f"{lake.endpoint}/s3{path}")
            assert answer.status_code == 403, (method, path)
            if method != "HEAD":
                assert told(answer) == ACCESS_DENIED
                bodies.add(answer.text.partition("<Message>")[2].partition("</Message>")[0])
    assert bodies == {"Access Denied."}
    headers = {"host": "127.0.0.1", "expect": "100-continue"}
    assert send(lake.endpoint, "PUT", f"/s3/{public}/x", headers, length=2**60)[:2] == ACCESS_DENIED


def test_only_below_the_second_root(lake, http, public):
    assert http.get(f"{lake.endpoint}/{public}/dir/a%20b.html").status_code == 404
    hosted = http.get(f"{lake.endpoint}/dir/a%20b.html", headers={"host": f"{public}.s3.local.lakefs.io"})
    assert told(hosted) == (400, "MissingFields")
    assert http.get(f"{lake.endpoint}/s3x/{public}/dir/a%20b.html").status_code == 404


def test_signed_requests_below_the_second_root(lake, public, private):
    """Signatures are over the path as it is sent."""
    s3 = boto_client(f"{lake.endpoint}/s3", KEY, SECRET)
    s3.put_object(Bucket=private, Key="sub/ü", Body=b"1")
    assert s3.get_object(Bucket=private, Key="sub/ü")["Body"].read() == b"1"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=private, Prefix="sub/")["Contents"]] == ["sub/ü"]
    assert public in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": private, "Key": "sub/ü"})
    assert "/s3/" in url
    with httpx2.Client(trust_env=False) as http:
        assert http.get(url).content == b"1"
        assert told(http.get(url.replace("/s3/", "/"))) == (403, "SignatureDoesNotMatch")
    s3.close()
    wrong = boto_client(f"{lake.endpoint}/s3", KEY, "x" * 40)
    with pytest.raises(wrong.exceptions.ClientError, match="SignatureDoesNotMatch"):
        wrong.get_object(Bucket=public, Key="dir/a b.html")
    wrong.close()


def test_branches_of_a_public_repository(lake, s3, http):
    repo = lake.repository(metadata={"lakehouse.public-read": "true"})
    s3.put_object(Bucket=repo, Key="main/x", Body=b"1")
    assert http.get(f"{lake.endpoint}/s3/{repo}/main/x").content == b"1"
    for path in ("main", "main/", ""):
        assert told(http.get(f"{lake.endpoint}/s3/{repo}/{path}")) == ACCESS_DENIED
    lake.rest.post(f"/repositories/{repo}/metadata", json={"metadata": {"lakehouse.public-read": "false"}})
    assert told(http.get(f"{lake.endpoint}/s3/{repo}/main/x")) == ACCESS_DENIED


def test_who_makes_a_repository_public_may_read_it_all(lake):
    repo = lake.repository()
    lake.post("/auth/users", {"id": "curator"})
    statement = [{"effect": "allow", "action": ["fs:UpdateRepository", "fs:CreateRepository",
                  "fs:AttachStorageNamespace"], "resource": "*"},
                 {"effect": "allow", "action": ["fs:ReadObject"],
                  "resource": f"arn:lakefs:fs:::repository/{repo}/object/a*"}]  # fmt: skip
    lake.post("/auth/policies", {"id": "Curate", "statement": statement})
    assert lake.rest.put("/auth/users/curator/policies/Curate").status_code == 201
    pair = lake.rest.post("/auth/users/curator/credentials").json()
    auth = (pair["access_key_id"], pair["secret_access_key"])
    with httpx2.Client(base_url=f"{lake.endpoint}/api/v1", auth=auth, trust_env=False) as curator:
        path, body = f"/repositories/{repo}/metadata", {"metadata": {"lakehouse.public-read": "true"}}
        assert curator.post(path, json={"metadata": {"k": "v"}}).status_code == 204
        assert curator.post(path, json=body).status_code == 401
        assert curator.post("/repositories", json={"name": "all-mine", **body}).status_code == 401
        statement[1]["resource"] = f"arn:lakefs:fs:::repository/{repo}/*"
        answer = lake.rest.put("/auth/policies/Curate", json={"id": "Curate", "statement": statement})
        assert answer.status_code == 200
        assert curator.post(path, json=body).status_code == 204
