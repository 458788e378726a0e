# SPDX-License-Identifier: Apache-2.0
"""Listing repositories with boto3: branches as prefixes, any delimiter, pages."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.s3.test_boto3 import code

KEYS = ["l/a", "l/b/1", "l/b/2", "l/b/3", "l/c", "l/d/1", "l/d/2/3", "l/e", "l/ü x/1"]
FORMS = pytest.mark.parametrize("form", ["list_objects", "list_objects_v2"])


@pytest.fixture(scope="module")
def repo(lake, s3):
    """Half of the keys are committed, half of them staged; others were there and are deleted."""
    name = lake.repository()
    for key in (*KEYS[::2], "l/gone", "l/b/gone"):
        s3.put_object(Bucket=name, Key=f"main/{key}", Body=b"123")
    lake.commit(name)
    for key in KEYS[1::2]:
        s3.put_object(Bucket=name, Key=f"main/{key}", Body=b"123")
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "main/l/gone"}, {"Key": "main/l/b/gone"}]})
    for branch in ("dev", "dev-2", "e2e"):
        lake.branch(name, branch)
    return name


def keys(page) -> list[str]:
    return [line["Key"] for line in page.get("Contents", [])]


def prefixes(page) -> list[str]:
    return [line["Prefix"] for line in page.get("CommonPrefixes", [])]


@FORMS
def test_branches_are_prefixes(s3, repo, form):
    listed = getattr(s3, form)
    for delimiter in ({}, {"Delimiter": "/"}):
        found = listed(Bucket=repo, **delimiter)
        assert (keys(found), prefixes(found)) == ([], ["dev/", "dev-2/", "e2e/", "main/"])
    assert prefixes(listed(Bucket=repo, Prefix="de", Delimiter="/")) == ["dev/", "dev-2/"]
    assert prefixes(listed(Bucket=repo, Prefix="main", Delimiter="/")) == ["main/"]
    assert prefixes(listed(Bucket=repo, Prefix="no such branch", Delimiter="/")) == []


@FORMS
@pytest.mark.parametrize("size", [1, 2, 3])
def test_branches_in_pages(s3, repo, form, size):
    pages = s3.get_paginator(form).paginate(Bucket=repo, Delimiter="/", PaginationConfig={"PageSize": size})
    assert [prefix for page in pages for prefix in prefixes(page)] == ["dev/", "dev-2/", "e2e/", "main/"]


@FORMS
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_delimiter_in_pages(s3, repo, form, size):
    seen = []
    for page in s3.get_paginator(form).paginate(
        Bucket=repo, Prefix="main/l/", Delimiter="/", PaginationConfig={"PageSize": size}
    ):
        found = keys(page) + prefixes(page)
        assert len(found) <= size
        seen += found
    assert sorted(seen) == [f"main/l/{name}" for name in ("a", "b/", "c", "d/", "e", "ü x/")]
    assert len(seen) == len(set(seen))


@FORMS
def test_everything_in_pages(s3, repo, form):
    pages = s3.get_paginator(form).paginate(Bucket=repo, Prefix="main/", PaginationConfig={"PageSize": 2})
    assert [key for page in pages for key in keys(page)] == [f"main/{key}" for key in KEYS]


@pytest.mark.parametrize(
    ("prefix", "delimiter", "want_keys", "want_prefixes"),
    [
        ("main/", "/", [], ["main/l/"]),
        ("main/l", "/", [], ["main/l/"]),
        ("main/l/", "2", ["a", "b/1", "b/3", "c", "d/1", "e", "ü x/1"], ["main/l/b/2", "main/l/d/2"]),
        ("main/l/", "/2", ["a", "b/1", "b/3", "c", "d/1", "e", "ü x/1"], ["main/l/b/2", "main/l/d/2"]),
        ("main/l/d", "l/", ["d/1", "d/2/3"], []),
        ("main/l/", "x/1", ["a", "b/1", "b/2", "b/3", "c", "d/1", "d/2/3", "e"], ["main/l/ü x/1"]),
    ],
)
def test_any_delimiter(s3, repo, prefix, delimiter, want_keys, want_prefixes):
    for size in (1, 1000):
        pages = list(
            s3.get_paginator("list_objects_v2").paginate(
                Bucket=repo, Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
            )
        )
        assert [key for page in pages for key in keys(page)] == [f"main/l/{key}" for key in want_keys]
        assert [one for page in pages for one in prefixes(page)] == want_prefixes


def test_other_refs_and_what_is_nowhere(s3, repo):
    assert keys(s3.list_objects_v2(Bucket=repo, Prefix="main@/l/b/")) == ["main@/l/b/2", "main@/l/b/gone"]
    for prefix in ("nowhere/", "bad~~^ref/x", "\x01/"):
        for form in (s3.list_objects, s3.list_objects_v2):
            found = form(Bucket=repo, Prefix=prefix)
            assert (keys(found), found["IsTruncated"]) == ([], False)


def test_parameters(s3, repo):
    assert s3.list_objects_v2(Bucket=repo, Prefix="main/l/", MaxKeys=0)["KeyCount"] == 0
    found = s3.list_objects_v2(Bucket=repo, Prefix="main/l/", StartAfter="main/l/d/1", FetchOwner=True)["Contents"]
    assert [line["Key"] for line in found] == ["main/l/d/2/3", "main/l/e", "main/l/ü x/1"]
    assert found[0]["Owner"]["ID"]
    assert (found[0]["Size"], found[0]["StorageClass"]) == (3, "STANDARD")
    assert found[0]["ETag"] == '"202cb962ac59075b964b07152d234b70"'
    assert len(keys(s3.list_objects_v2(Bucket=repo, Prefix="main/l/", StartAfter="a"))) == len(KEYS)
    assert keys(s3.list_objects_v2(Bucket=repo, Prefix="main/l/", StartAfter="z")) == []
    plain = s3.list_objects_v2(Bucket=repo, Prefix="main/l/", MaxKeys=2)
    assert plain["NextContinuationToken"] == "main/l/b/1"
    assert "NextMarker" not in s3.list_objects(Bucket=repo, Prefix="main/l/", MaxKeys=2)
    encoded = s3.list_objects_v2(Bucket=repo, Prefix="main/l/ü", EncodingType="url")
    assert keys(encoded) == ["main/l/%C3%BC%20x/1"]
    for bad in ({"Marker": "dev/x"},):
        with pytest.raises(ClientError) as caught:
            s3.list_objects(Bucket=repo, Prefix="main/l/", **bad)
        assert code(caught) == ("BadRequest", 400)
