# SPDX-License-Identifier: Apache-2.0
"""URIs of blobs and files, there and back."""

from __future__ import annotations

import pytest
from yarl import URL

from lakehouse.sdk.buckets.uris import BlobUri, Home, bucket_uri, joined, local_path, parse_blob_uri

HOME = Home("cluster", "org", "ann")


@pytest.mark.parametrize(
    ("text", "cluster", "path"),
    [
        ("blob:bucket", "cluster", "org/ann/bucket"),
        ("blob:bucket/a/b", "cluster", "org/ann/bucket/a/b"),
        ("blob:bucket/", "cluster", "org/ann/bucket/"),
        ("blob:/bob/bucket/a", "cluster", "org/bob/bucket/a"),
        ("blob://other/bob/bucket/a", "other", "bob/bucket/a"),
        ("blob://other/org/bob/bucket/a//b", "other", "org/bob/bucket/a//b"),
        ("blob:bucket/n a.txt", "cluster", "org/ann/bucket/n a.txt"),
        ("blob:bucket/n%20a%25%2541", "cluster", "org/ann/bucket/n a%%41"),
        ("blob:bucket/%3F%23*", "cluster", "org/ann/bucket/?#*"),
    ],
)
def test_blob_uris(text, cluster, path) -> None:
    assert parse_blob_uri(URL(text), HOME) == BlobUri(cluster, path)


def test_without_an_organization() -> None:
    assert parse_blob_uri(URL("blob:bucket/a"), Home("c", None, "ann")) == BlobUri("c", "ann/bucket/a")


@pytest.mark.parametrize(
    "text",
    ["s3://x/y", "storage:x", "blob:b/a?x=1", "blob:b/a#x", "blob://u@c/o/b", "blob://c:8/o/b", "blob:~/b", "x"],
)
def test_blob_uris_that_are_refused(text) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_blob_uri(URL(text), HOME)


def test_keys() -> None:
    uri = BlobUri("c", "org/ann/bucket/a/b")
    assert uri.key_in("org/ann/bucket") == "a/b"
    assert uri.key_in("org/x/bucket", "org/ann/bucket") == "a/b"
    assert BlobUri("c", "org/ann/bucket").key_in("org/ann/bucket") == ""
    assert BlobUri("c", "org/ann/bucket//a").key_in("org/ann/bucket") == "/a"
    with pytest.raises(ValueError, match="is not in bucket"):
        uri.key_in("org/ann/buck")


@pytest.mark.parametrize(
    "key", ["a", "a/b/", "//a//", "n a%20.txt", "ü/é", "q?x=1&y#z", "a:b*c'(d)!~@,;=+$", "%", '"<>\\^`{|}', "\t\n"]
)
def test_every_key_comes_back(key) -> None:
    bucket = bucket_uri("c", "org", "a b@c.example", "bucket")
    uri = joined(bucket, key)
    for one in (uri, URL(str(uri)), URL(str(uri), encoded=True)):
        assert parse_blob_uri(one, HOME) == BlobUri("c", f"org/a b@c.example/bucket/{key}")


def test_local_paths(tmp_path) -> None:
    odd = tmp_path / "a b%20ü#?"
    assert local_path(URL(odd.as_uri())) == odd
    assert local_path(URL("file:relative/x")).is_absolute()
    for text in ("http://x/y", "file://host/x", "file:///a?b", "file:~/x"):
        with pytest.raises(ValueError, match=r".+"):
            local_path(URL(text))
