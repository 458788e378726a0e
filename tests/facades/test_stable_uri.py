# SPDX-License-Identifier: Apache-2.0
"""URIs that always mean the same bytes."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from lakehouse.core.errors import InvalidArgument, NotFound
from lakehouse.sdk.stable_uri import content_hash, stable_uri

_names = itertools.count(1)


@pytest.fixture
def name(lake) -> str:
    made = f"stable{next(_names)}"
    lake.repositories.create_repository(made)
    return made


def test_the_commit_takes_the_place_of_the_branch(lake, name):
    lake.objects.upload_object(name, "main", "dir/a b.csv", b"1")
    first = lake.commits.commit(name, "main", "m").id
    lake.tags.create_tag(name, "v1", "main")
    for ref in ("main", "v1", "main@", "main~0"):
        assert stable_uri(lake, f"s3://{name}/{ref}/dir/a%20b.csv") == f"s3://{name}/{first}/dir/a%20b.csv"
    fixed = f"s3a://{name}/{first}/dir/"
    assert stable_uri(lake, f"s3a://{name}/main/dir/") == fixed == stable_uri(lake, fixed)
    lake.objects.upload_object(name, "main", "dir/a b.csv", b"2")
    second = lake.commits.commit(name, "main", "m").id
    assert stable_uri(lake, f"s3://{name}/main/dir/") == f"s3://{name}/{second}/dir/" != fixed
    assert lake.objects.get_object(name, first, "dir/a b.csv") == b"1"


def test_what_is_not_committed_has_no_such_uri(lake, name):
    lake.objects.upload_object(name, "main", "a/x", b"1")
    for path in ("a/x", "a/", ""):
        with pytest.raises(InvalidArgument, match="commit it first"):
            stable_uri(lake, f"s3://{name}/main/{path}")
    assert stable_uri(lake, f"s3://{name}/main/b/").endswith("/b/"), "nothing has changed there"


def test_hashes_of_contents(lake, name):
    digest = hashlib.md5(b"1").hexdigest()
    lake.objects.upload_object(name, "main", "a b", b"1")
    assert content_hash(lake, f"s3://{name}/main/a%20b") == digest
    lake.repositories.set_repository_metadata(name, {"lakehouse.plain": "true"})
    assert content_hash(lake, f"s3://{name}/a%20b") == digest
    with pytest.raises(InvalidArgument, match="plain"):
        stable_uri(lake, f"s3://{name}/dir/x")
    with pytest.raises(NotFound):
        content_hash(lake, f"s3://{name}/absent")


@pytest.mark.parametrize("uri", ["", "main/x", "s3://", "gs://b/main/x"])
def test_what_is_no_uri(lake, uri):
    for ask in (stable_uri, content_hash):
        with pytest.raises((InvalidArgument, NotFound)):
            ask(lake, uri)


def test_what_is_not_there(lake, name):
    for uri in (f"s3://{name}/nobranch/x", "s3://no-such-repository/main/x"):
        with pytest.raises(NotFound):
            stable_uri(lake, uri)
    with pytest.raises(InvalidArgument, match="form"):
        stable_uri(lake, f"s3://{name}/main")
