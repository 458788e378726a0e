# SPDX-License-Identifier: Apache-2.0
"""The commit history of paths as object versions, with boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.s3.test_boto3 import code


@pytest.fixture(scope="module")
def story(lake, s3):
    """A repository whose `a` was written, changed and deleted; commits by number."""
    repo = lake.repository()
    commits = []
    for step in (
        {"a": b"1", "dir/x": b"x"}, {"a": b"22", "b": b"b"}, {"a": None, "dir/y": b"y"}, {"a": b"4444"},
    ):  # fmt: skip
        for path, body in step.items():
            if body is None:
                s3.delete_object(Bucket=repo, Key=f"main/{path}")
            else:
                s3.put_object(Bucket=repo, Key=f"main/{path}", Body=body)
        commits.append(lake.commit(repo))
    s3.put_object(Bucket=repo, Key="main/b", Body=b"uncommitted")
    return repo, commits


def listed(page):
    found = [(line["Key"], line["VersionId"], line["IsLatest"], line["Size"]) for line in page.get("Versions", [])]
    gone = [(line["Key"], line["VersionId"], line["IsLatest"], None) for line in page.get("DeleteMarkers", [])]
    return found + gone


def test_each_commit_that_changed_a_path_is_a_version(s3, story):
    repo, (one, two, three, four) = story
    found = listed(s3.list_object_versions(Bucket=repo, Prefix="main/"))
    assert sorted(found, key=str) == sorted(
        [
            ("main/a", four, True, 4), ("main/a", three, False, None), ("main/a", two, False, 2),
            ("main/a", one, False, 1), ("main/b", "null", True, 11), ("main/b", two, False, 1),
            ("main/dir/x", one, True, 1), ("main/dir/y", three, True, 1),
        ],
        key=str,
    )  # fmt: skip
    at_two = listed(s3.list_object_versions(Bucket=repo, Prefix=f"{two}/a"))
    assert at_two == [(f"{two}/a", two, True, 2), (f"{two}/a", one, False, 1)]
    assert listed(s3.list_object_versions(Bucket=repo, Prefix="nowhere/")) == []
    page = s3.list_object_versions(Bucket=repo, Prefix="ma")
    assert [line["Prefix"] for line in page["CommonPrefixes"]] == ["main/"]


def test_versions_are_read_by_their_ids(s3, story):
    repo, (one, two, three, _) = story
    for version, body in ((one, b"1"), (two, b"22"), ("null", b"4444")):
        got = s3.get_object(Bucket=repo, Key="main/a", VersionId=version)
        assert got["Body"].read() == body
        assert s3.head_object(Bucket=repo, Key="main/a", VersionId=version)["ContentLength"] == len(body)
    for version in (three, "f" * 64, "no ref~~{"):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=repo, Key="main/a", VersionId=version)
        assert code(caught) == ("NoSuchVersion", 404)
    s3.copy_object(Bucket=repo, Key="main/restored", CopySource={"Bucket": repo, "Key": "main/a", "VersionId": two})
    assert s3.get_object(Bucket=repo, Key="main/restored")["Body"].read() == b"22"
    s3.delete_object(Bucket=repo, Key="main/restored")
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket=repo, Key="main/a", VersionId=two)
    assert code(caught) == ("ERRLakeFSNotSupported", 405)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages(s3, story, size, delimiter):
    repo, _ = story
    whole = s3.list_object_versions(Bucket=repo, Prefix="main/", Delimiter=delimiter)
    seen, groups = [], []
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=repo, Prefix="main/", Delimiter=delimiter, PaginationConfig={"PageSize": size}
    ):
        assert len(listed(page)) + len(page.get("CommonPrefixes", [])) <= size
        seen += listed(page)
        groups += [line["Prefix"] for line in page.get("CommonPrefixes", [])]
    assert sorted(seen, key=str) == sorted(listed(whole), key=str)
    assert groups == (["main/dir/"] if delimiter else [])
