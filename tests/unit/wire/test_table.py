# SPDX-License-Identifier: Apache-2.0
"""The table of operations is consistent, and its types say on the wire what they should."""

from __future__ import annotations

import re
from importlib import import_module

import msgspec
import pytest

from lakehouse.auth.actions import KNOWN
from lakehouse.core.errors import InvalidArgument
from lakehouse.wire.commits import CommitCreation
from lakehouse.wire.config import StorageConfig
from lakehouse.wire.diffs import Diff
from lakehouse.wire.objects import ListObjectsQuery, ObjectStats, PathQuery, UploadObjectQuery
from lakehouse.wire.operation import DYNAMIC, Operation, Permission
from lakehouse.wire.paging import PageQuery, page_of
from lakehouse.wire.refs import LogCommitsQuery, parse_time
from lakehouse.wire.repositories import RepositoryCreation
from lakehouse.wire.setup import LoginConfig
from lakehouse.wire.staging import LinkItem, StagingLocation, StagingMetadata
from lakehouse.wire.table import OPERATIONS

WITHOUT_BODY = {
    "setup_comm_prefs": 200,
    "restore_refs": 200,
    "add_group_membership": 201,
    "attach_policy_to_group": 201,
    "attach_policy_to_user": 201,
    "begin_oidc_login": 302,
    "create_user_external_principal": 201,
    "oauth_callback": 302,
    "set_group_acl": 201,
}
"""What answers without a body and yet not 204."""


def test_names_ids_and_routes_are_unique() -> None:
    for key in ("name", "id"):
        values = [getattr(operation, key) for operation in OPERATIONS]
        assert sorted(values) == sorted(set(values))
    routes = [(operation.method, re.sub(r"\{\w+\}", "{}", operation.path)) for operation in OPERATIONS]
    assert sorted(routes) == sorted(set(routes))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_operation_is_well_formed(operation: Operation) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation.name)
    assert operation.name.replace("_", "").lower() == operation.id.lower()
    assert operation in import_module(f"lakehouse.wire.{operation.tag}").OPERATIONS
    assert operation.path.startswith("/")
    assert operation.summary
    assert not operation.summary.endswith(".")
    if operation.result is None and not operation.raw_result and operation.name not in WITHOUT_BODY:
        assert operation.status == 204
    if operation.body is not None:
        assert operation.mutates


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_resources_name_things_that_requests_have(operation: Operation) -> None:
    if not isinstance(operation.allow, tuple):
        return
    known = set(operation.parameters)
    for struct in (operation.query, operation.body):
        if isinstance(struct, type) and issubclass(struct, msgspec.Struct):
            known |= {field.encode_name for field in msgspec.structs.fields(struct)}
    for permission in operation.allow:
        assert isinstance(permission, Permission)
        assert set(re.findall(r"\{(\w+)\}", permission.resource)) <= known
        assert permission.action in KNOWN


def test_operations_that_authorize_item_by_item() -> None:
    assert {operation.name for operation in OPERATIONS if operation.allow is DYNAMIC} == {
        "list_repositories",
        "delete_objects",
        "copy_object",
        "get_physical_addresses",
        "link_physical_addresses",
        "import_start",
        "merge_pull_request",
    }


def test_unset_fields_are_left_out_and_required_ones_are_not() -> None:
    stats = ObjectStats(path="a/", path_type="common_prefix", physical_address="", checksum="", mtime=0)
    assert msgspec.to_builtins(stats) == {
        "path": "a/",
        "path_type": "common_prefix",
        "physical_address": "",
        "checksum": "",
        "mtime": 0,
    }
    with_metadata = msgspec.structs.replace(stats, metadata={})
    assert msgspec.to_builtins(with_metadata)["metadata"] == {}
    assert "size_bytes" not in msgspec.to_builtins(Diff(type="added", path="a", path_type="object"))


def test_odd_names_of_the_wire() -> None:
    storage = StorageConfig(
        blockstore_type="s3",
        blockstore_namespace_example="s3://example-bucket/",
        blockstore_namespace_validity_regex="^s3://",
        pre_sign_support=True,
        pre_sign_support_ui=True,
        import_support=True,
        import_validity_regex="^s3://",
    )
    assert msgspec.to_builtins(storage)["blockstore_namespace_ValidityRegex"] == "^s3://"
    login = LoginConfig(rbac="none", login_cookie_names=["internal_auth_session"])
    assert msgspec.to_builtins(login) == {
        "RBAC": "none",
        "login_url": "",
        "login_cookie_names": ["internal_auth_session"],
        "logout_url": "",
    }
    assert msgspec.to_builtins(UploadObjectQuery(path="a", storage_class="X")) == {"path": "a", "storageClass": "X"}


def test_unknown_members_are_ignored_and_types_are_checked() -> None:
    body = msgspec.json.decode(b'{"message":"m","later":[1]}', type=CommitCreation)
    assert body.metadata == {}
    assert body.date is msgspec.UNSET
    for bad in (b'{"message":1}', b"{}", b'{"message":"m","metadata":{"a":1}}', b'{"message":"m","date":"x"}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(bad, type=CommitCreation)


def test_repository_names_and_namespaces_are_patterns() -> None:
    assert RepositoryCreation(name="abc").storage_namespace is msgspec.UNSET
    msgspec.json.decode(b'{"name":"abc","storage_namespace":"s3://b"}', type=RepositoryCreation)
    for bad in (b'{"name":"AB"}', b'{"name":"abc","storage_namespace":"x"}', b'{"name":"abc","storage_namespace":""}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(bad, type=RepositoryCreation)


def test_staging_locations_of_old_and_new_clients() -> None:
    sent = b'{"staging":{"physical_address":"s3://a","presigned_url":null},"checksum":"x","size_bytes":1,"path":"p"}'
    item = msgspec.json.decode(sent, type=LinkItem)
    assert item.path == "p"
    assert item.staging == StagingLocation(physical_address="s3://a", presigned_url=None)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"staging":{},"checksum":"x","size_bytes":-1}', type=StagingMetadata)


@pytest.mark.parametrize("amount", [-2, 1001, "x", "1.5", ""])
def test_amounts_outside_the_range(amount: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": amount}, ListObjectsQuery, strict=False)


def test_amount_below_one_is_the_default() -> None:
    assert [PageQuery(amount=n).limit for n in (-1, 0, 1, 1000)] == [100, 100, 1, 1000]
    assert [LogCommitsQuery(amount=n).items for n in (-1, 7)] == [100, 7]


def test_required_query_strings_are_not_empty() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": ""}, PathQuery, strict=False)


def test_page_of_has_an_offset_only_when_there_is_more() -> None:
    assert msgspec.to_builtins(page_of(2, last="b", has_more=True)) == {
        "has_more": True,
        "next_offset": "b",
        "results": 2,
        "max_per_page": 1000,
    }
    assert page_of(2, last="b", has_more=False).next_offset == ""


def test_times() -> None:
    assert parse_time("1970-01-01T00:01:00Z", argument="since") == 60
    assert parse_time("1970-01-01T00:01:00", argument="since") == 60
    assert parse_time("1970-01-01T01:00:59.5+01:00", argument="since") == 60
    assert LogCommitsQuery().since_seconds is None
    with pytest.raises(InvalidArgument, match="since"):
        LogCommitsQuery(since="yesterday").since_seconds  # noqa: B018
