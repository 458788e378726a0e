# SPDX-License-Identifier: Apache-2.0
"""The bucket interface has the names, parameters, defaults and fields that are documented, and no others."""

from __future__ import annotations

import abc
import dataclasses
import inspect
import typing
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

import pytest
from yarl import URL

from lakehouse.core.errors import NotFound
from lakehouse.sdk import buckets as sdk
from lakehouse.sdk.buckets import Bucket, Buckets

WHOSE = "cluster_name=None, bucket_owner=None"
METHODS = {
    "list": "(cluster_name=None)",
    "create": "(name, cluster_name=None, org_name=None)",
    "import_external": "(provider, provider_bucket_name, credentials, name=None, cluster_name=None, org_name=None)",
    "get": f"(bucket_id_or_name, {WHOSE})",
    "rm": f"(bucket_id_or_name, {WHOSE})",
    "request_tmp_credentials": f"(bucket_id_or_name, {WHOSE})",
    "set_public_access": f"(bucket_id_or_name, public_access, {WHOSE})",
    "head_blob": f"(bucket_id_or_name, key, {WHOSE})",
    "put_blob": f"(bucket_id_or_name, key, body, {WHOSE})",
    "fetch_blob": f"(bucket_id_or_name, key, offset=0, {WHOSE})",
    "delete_blob": f"(bucket_id_or_name, key, {WHOSE})",
    "list_blobs": "(uri, recursive=False, limit=10000)",
    "glob_blobs": "(uri)",
    "upload_file": "(src, dst, *, update=False, progress=None)",
    "download_file": "(src, dst, *, update=False, continue_=False, progress=None)",
    "upload_dir": "(src, dst, *, update=False, filter=None, ignore_file_names=frozenset(), progress=None)",
    "download_dir": "(src, dst, *, update=False, continue_=False, filter=None, progress=None)",
    "blob_is_dir": "(uri)",
    "blob_rm": "(uri, *, recursive=False, progress=None)",
    "make_signed_url": "(uri, expires_in_seconds=3600)",
    "get_disk_usage": f"(bucket_id_or_name, {WHOSE})",
    "persistent_credentials_list": "(cluster_name=None)",
    "persistent_credentials_create": "(bucket_ids, name, *, read_only=False, cluster_name=None)",
    "persistent_credentials_get": "(credential_id_or_name, cluster_name=None)",
    "persistent_credentials_rm": "(credential_id_or_name, cluster_name=None)",
}
STREAMS = {
    "list": "Bucket",
    "fetch_blob": "bytes",
    "list_blobs": "BucketEntry",
    "glob_blobs": "BucketEntry",
    "get_disk_usage": "BucketUsage",
    "persistent_credentials_list": "PersistentBucketCredentials",
}
"""What is an asynchronous context manager around an asynchronous iterator, and of what."""
RESULTS = {
    "create": "Bucket",
    "import_external": "Bucket",
    "get": "Bucket",
    "rm": "None",
    "request_tmp_credentials": "records.BucketCredentials",
    "set_public_access": "Bucket",
    "head_blob": "BucketEntry",
    "put_blob": "None",
    "delete_blob": "None",
    "upload_file": "None",
    "download_file": "None",
    "upload_dir": "None",
    "download_dir": "None",
    "blob_is_dir": "bool",
    "blob_rm": "None",
    "make_signed_url": "URL",
    "persistent_credentials_create": "PersistentBucketCredentials",
    "persistent_credentials_get": "PersistentBucketCredentials",
    "persistent_credentials_rm": "None",
}
ENTRY = ["key", "bucket", "size", "created_at", "modified_at"]
FIELDS = {
    "Bucket": [
        "id", "owner", "name", "uri", "cluster_name", "org_name", "created_at", "provider", "imported", "public",
    ],
    "BucketCredentials": ["bucket_id", "provider", "credentials"],
    "PersistentBucketCredentials": ["id", "owner", "name", "read_only", "cluster_name", "credentials"],
    "BucketEntry": ENTRY,
    "BlobObject": ENTRY,
    "BlobCommonPrefix": ENTRY,
    "BucketUsage": ["total_bytes", "object_count"],
}  # fmt: skip
PROGRESS = {
    "AbstractFileProgress": {"start", "step", "complete"},
    "AbstractRecursiveFileProgress": {"start", "step", "complete", "enter", "leave", "fail"},
    "AbstractDeleteProgress": {"delete"},
}


def plain(function: object) -> str:
    """A signature without annotations and `self`."""
    signature = inspect.signature(function)
    mine = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return str(signature.replace(parameters=mine, return_annotation=inspect.Signature.empty))


def test_methods() -> None:
    public = {name for name, value in vars(Buckets).items() if not name.startswith("_") and callable(value)}
    assert public == set(METHODS)
    assert {name: plain(getattr(Buckets, name)) for name in public} == METHODS


@pytest.mark.parametrize("name", sorted(METHODS))
def test_results(name) -> None:
    function = getattr(Buckets, name)
    said = inspect.signature(function).return_annotation
    if name in STREAMS:
        assert not inspect.iscoroutinefunction(function)
        assert said == f"AsyncGenerator[{STREAMS[name]}, None]"
        made = function(object(), *["x"] * METHODS[name].partition("*")[0].count(",") or ["x"])
        assert hasattr(made, "__aenter__")
    else:
        assert inspect.iscoroutinefunction(function)
        assert said == RESULTS[name]


def test_annotations_of_bodies_and_uris() -> None:
    body = inspect.signature(Buckets.put_blob).parameters["body"].annotation
    assert set(body.split(" | ")) == {"AsyncIterator[bytes]", "bytes"}
    for name in ("list_blobs", "glob_blobs", "blob_is_dir", "blob_rm", "make_signed_url"):
        assert inspect.signature(getattr(Buckets, name)).parameters["uri"].annotation == "URL"


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_dataclasses(name) -> None:
    kind = getattr(sdk, name)
    assert kind.__dataclass_params__.frozen
    assert [field.name for field in dataclasses.fields(kind)] == FIELDS[name]


def test_types_of_fields() -> None:
    names = {"URL": URL, "datetime": datetime, "Mapping": Mapping, "AsyncIterator": AsyncIterator}
    found = typing.get_type_hints(Bucket, localns=names)
    assert (found["uri"], found["created_at"], found["name"]) == (URL, datetime, str | None)
    assert found["provider"] is Bucket.Provider
    hints = typing.get_type_hints(sdk.BucketEntry, localns=names)
    assert (hints["size"], hints["modified_at"]) == (int, datetime | None)


def test_providers() -> None:
    assert {"AWS": "aws", "MINIO": "minio", "AZURE": "azure"}.items() <= {
        one.name: one.value for one in Bucket.Provider
    }.items()


def test_entries() -> None:
    assert abc.ABC in sdk.BucketEntry.__mro__
    with pytest.raises(TypeError):
        sdk.BucketEntry("k", None, 0)
    assert plain(sdk.BucketEntry.is_dir) == plain(sdk.BucketEntry.is_file) == "(uri=None)"
    assert isinstance(sdk.BucketEntry.uri, property)
    assert isinstance(sdk.BucketEntry.name, property)


@pytest.mark.parametrize("name", sorted(PROGRESS))
def test_progress(name) -> None:
    kind = getattr(sdk, name)
    assert kind.__abstractmethods__ == PROGRESS[name]
    assert all(plain(getattr(kind, method)) == "(data)" for method in PROGRESS[name])
    for bar in (sdk.TransferBar, sdk.DeleteBar):
        assert not bar.__abstractmethods__


def test_errors() -> None:
    assert issubclass(sdk.ResourceNotFound, NotFound)
