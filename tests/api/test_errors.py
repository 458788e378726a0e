# SPDX-License-Identifier: Apache-2.0
"""Every error has a status, a line in the reference, and comes back from the SDK as itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lakehouse.api.errors import OVERRIDES, STATUSES, error_response, status_of
from lakehouse.core import errors
from lakehouse.core.errors import KINDS, InsufficientPermissions, LakehouseError, MergeConflict, StagingMoved
from lakehouse.core.staging_location import StagingLocation
from lakehouse.sdk.errors import error_of
from lakehouse.wire.refs import FIND_MERGE_BASE, MERGE_INTO_BRANCH
from lakehouse.wire.staging import LINK_PHYSICAL_ADDRESS

if TYPE_CHECKING:
    from pathlib import Path


def descendants(kind: type[LakehouseError]) -> list[type[LakehouseError]]:
    return [one for child in kind.__subclasses__() for one in (child, *descendants(child))]


ALL = sorted(
    {one for one in descendants(LakehouseError) if one.__module__.startswith(f"{errors.__name__}.")},
    key=lambda one: one.code,
)


def headers_of(error: LakehouseError, operation: Any = None) -> tuple[int, dict[str, str], bytes]:
    response = error_response(error, operation)
    assert isinstance(response.body, bytes)
    return response.status, {name.decode(): value.decode() for name, value in response.headers}, response.body


def test_errors_are_declared_in_one_place() -> None:
    elsewhere = {one.__qualname__ for one in descendants(LakehouseError) if one.__module__.startswith("lakehouse.")}
    assert elsewhere == {one.__qualname__ for one in ALL}


def test_codes_are_unique_and_kinds_have_statuses() -> None:
    assert len({one.code for one in ALL}) == len(ALL)
    assert set(STATUSES) == set(KINDS)
    assert set(OVERRIDES) <= set(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.code)
def test_every_error_has_one_kind_and_its_status(kind: type[LakehouseError]) -> None:
    kinds = [one for one in kind.__mro__ if one in KINDS]
    assert len(kinds) == 1
    assert status_of(kind) == OVERRIDES.get(kind, STATUSES[kinds[0]])
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.code)
def test_the_sdk_raises_the_same_class(kind: type[LakehouseError]) -> None:
    status, headers, body = headers_of(kind(message="what happened"))
    rebuilt = error_of(status, headers, body)
    assert type(rebuilt) is kind
    assert rebuilt.message == "what happened"


def test_what_is_no_kind_is_hidden() -> None:
    assert status_of(LakehouseError("x")) == 500
    assert type(error_of(500, {}, b"oops")) is LakehouseError


def test_permissions_are_401() -> None:
    assert status_of(InsufficientPermissions()) == 401


def test_merge_conflicts_have_a_body_of_their_own_on_merge_only() -> None:
    assert headers_of(MergeConflict(), MERGE_INTO_BRANCH)[2] == b'{"reference":""}\n'
    assert headers_of(MergeConflict(), FIND_MERGE_BASE)[2] == b'{"message":"conflict found"}\n'


def test_a_moved_staging_area_says_where_to_go_on() -> None:
    location = StagingLocation("s3://lake.local/a", "token", "http://put", 12)
    status, headers, body = headers_of(StagingMoved(location), LINK_PHYSICAL_ADDRESS)
    assert status == 409
    assert msgspec.json.decode(body) == {
        "physical_address": "s3://lake.local/a",
        "token": "token",
        "presigned_url": "http://put",
        "presigned_url_expiry": 12,
    }
    rebuilt = error_of(status, headers, body)
    assert isinstance(rebuilt, StagingMoved)
    assert rebuilt.location == location
    plain = error_of(*headers_of(StagingMoved(StagingLocation("a", "b"))))
    assert isinstance(plain, StagingMoved)
    assert plain.location == StagingLocation("a", "b")


def test_ranges_and_retries_have_their_headers() -> None:
    assert headers_of(errors.RangeNotSatisfiable(size=3))[1]["content-range"] == "bytes */3"
    assert "content-range" not in headers_of(errors.RangeNotSatisfiable())[1]
    rebuilt = error_of(*headers_of(errors.RangeNotSatisfiable(size=3)))
    assert isinstance(rebuilt, errors.RangeNotSatisfiable)
    assert rebuilt.size == 3
    for kind in (errors.Exhausted, errors.Unavailable):
        assert headers_of(kind())[1]["retry-after"] == "1"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"message":"commit: no changes"}', errors.NoChanges),
        (400, b'{"message":"uncommitted changes (dirty branch)"}', errors.DirtyBranch),
        (400, b'{"message":"other"}', errors.InvalidArgument),
        (401, b'{"message":"error authenticating request"}', errors.Unauthenticated),
        (401, b'{"message":"insufficient permissions"}', errors.InsufficientPermissions),
        (403, b"", errors.PermissionDenied),
        (404, b'{"message":"branch not found"}', errors.BranchNotFound),
        (404, b"<html>", errors.NotFound),
        (409, b'{"reference":""}', errors.MergeConflict),
        (409, b'{"physical_address":"s3://a","token":"t"}', errors.StagingMoved),
        (409, b'{"message":"branch already exists: not unique"}', errors.BranchExists),
        (409, b'{"message":"x"}', errors.Conflict),
        (410, b"", errors.Gone),
        (412, b"", errors.FailedPrecondition),
        (416, b"", errors.RangeNotSatisfiable),
        (429, b"", errors.Exhausted),
        (501, b"", errors.Unsupported),
        (502, b"", errors.Unavailable),
        (503, b"", errors.Unavailable),
        (418, b"", LakehouseError),
    ],
)
def test_servers_without_codes_are_understood_by_status_and_text(status: int, body: bytes, kind: type) -> None:
    rebuilt = error_of(status, {}, body)
    assert type(rebuilt) is kind
    assert rebuilt.message


def test_the_reference_lists_every_error(repository_root: Path) -> None:
    text = (repository_root / "docs/reference/errors.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted((one.code, str(status_of(one)), one.__name__) for one in ALL)
