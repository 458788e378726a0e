# SPDX-License-Identifier: Apache-2.0
"""The table of operations against the protocol as its clients speak it (`tests/data/openapi-wire.json`).

What we add to the protocol is named here, one by one; everything else must agree. What it has and we have not yet is
named in `tests/data/undeclared-operations.txt`, which only ever shrinks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.api.openapi import openapi_document
from lakehouse.wire.operation import Access
from lakehouse.wire.table import OPERATIONS

DATA = Path(__file__).parent.parent / "data"
WIRE = json.loads((DATA / "openapi-wire.json").read_text())
UNDECLARED = (DATA / "undeclared-operations.txt").read_text().split()
OURS = openapi_document(OPERATIONS, version="0")
ROUTES = {
    operation["operationId"]: (method, path, operation)
    for path, methods in WIRE["paths"].items()
    for method, operation in methods.items()
    if method != "parameters"
}

ADDED_OPERATIONS = {
    "getCacheEntry",
    "putCacheEntry",
    "deleteCacheEntry",
    "claimCacheReservation",
    "releaseCacheReservation",
    "listAuditEvents",
    "verifyAuditLog",
    "beginOidcLogin",
    "createSession",
    "revokeSessions",
    "blamePrefix",
    "startGarbageCollection",
    "getMergeRules",
    "setMergeRules",
    "reviewPullRequest",
    "pullRequestReadiness",
    "reportCheck",
    "garbageCollectionStatus",
    "listGarbageCollections",
    "forgetGarbage",
    "copyPrefix",
    "getPhysicalAddresses",
    "getPrefixUsage",
    "linkPhysicalAddresses",
    "listMergeConflicts",
    "listReflog",
    "logPath",
    "movePrefix",
}
ADDED_PARAMETERS = {("oauthCallback", "query", name) for name in ("code", "state", "error", "error_description")}
"""Operation, place and name of optional parameters."""
ADDED_FIELDS = {
    ("ImportCreation", "mode"),
    ("Merge", "resolutions"),
    ("Merge", "strategies"),
    ("MergeResult", "summary"),
    ("RepositoryCreation", "metadata"),
    ("StagingLocation", "token"),
    ("UIConfig", "RBAC"),
    ("UserCreation", "email"),
    ("UserCreation", "friendly_name"),
    ("VersionConfig", "lakehouse_version"),
}
NOT_REQUIRED_HERE = {("RepositoryCreation", "storage_namespace")}
REQUIRED_HERE = {
    ("SetupState", "state"),
}
ADDED_VALUES = {("HookRun", "status", "skipped")}
"""Schema, field and value: the protocol's document forgets it, its servers send it."""
RESULTS = {"MergeResult", "StagingLocation", "VersionConfig"}
"""Schemas that the server sends: what it always sends may be called required there."""
OTHER_STATUS = {"updateObjectUserMetadata": "204", "updatePullRequest": "204"}
"""The protocol's document says 200 or 201 and its servers send 204: clients read no body either way."""
OPTIONAL_BODY = {
    "mergeIntoBranch",
    "prepareGarbageCollectionUncommitted",
    "login",
    "uploadObject",
    "completePresignMultipartUpload",
    "abortPresignMultipartUpload",
    "createUserExternalPrincipal",
}
BODY_REQUIRED_HERE = {"createUser", "createGroup", "externalPrincipalLogin"}
"""Requests without a body that could never succeed: they are 400 for everybody."""


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = WIRE
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def parameters_of(path: str, operation: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    listed = WIRE["paths"][path].get("parameters", []) + operation.get("parameters", [])
    return {(one["in"], one["name"]): one for one in map(resolved, listed)}


SHARED = [operation for operation in OPERATIONS if operation.id not in ADDED_OPERATIONS]


def test_what_is_added_is_not_in_the_protocol() -> None:
    assert {operation.id for operation in OPERATIONS} - set(ROUTES) == ADDED_OPERATIONS


def test_what_is_not_declared_yet_is_named() -> None:
    """A line goes when its operation comes; none is ever added."""
    assert sorted(set(ROUTES) - {operation.id for operation in OPERATIONS}) == UNDECLARED


def test_added_fields_are_optional() -> None:
    for schema, field in ADDED_FIELDS:
        assert field not in WIRE["components"]["schemas"][schema].get("required", ())
        assert field not in OURS["components"]["schemas"].get(schema, {}).get("required", ()) or schema in RESULTS


@pytest.mark.parametrize("operation", SHARED, ids=lambda operation: operation.id)
def test_operation_agrees(operation: Any) -> None:
    method, path, theirs = ROUTES[operation.id]
    assert (operation.method.lower(), operation.path) == (method, path)
    ours = OURS["paths"][path][method]
    success = next(status for status in sorted(theirs["responses"]) if status[0] in "23")
    assert str(operation.status) == OTHER_STATUS.get(operation.id, success)
    assert {status for status in ours["responses"] if status.isdigit()} - set(theirs["responses"]) <= {
        str(operation.status)
    }
    body = theirs.get("requestBody")
    assert (body is None) == (operation.body is None)
    if body is not None:
        assert (body.get("required", False) or operation.id in BODY_REQUIRED_HERE) == operation.body_required
        assert operation.body_required == (operation.id not in OPTIONAL_BODY)
    assert (theirs.get("security") == []) == (operation.allow is Access.NOBODY_ASKED)
    their_parameters = parameters_of(path, theirs)
    our_parameters = {(one["in"], one["name"]): one for one in ours["parameters"]}
    added = {(place, name) for one, place, name in ADDED_PARAMETERS if one == operation.id}
    assert set(our_parameters) - set(their_parameters) == added
    assert set(their_parameters) <= set(our_parameters)
    assert not any(our_parameters[key]["required"] for key in added)
    for key, parameter in our_parameters.items():
        if key in added:
            continue
        assert parameter["required"] == their_parameters[key].get("required", False), key
        if key[0] == "query":
            schema, expected = parameter["schema"], their_parameters[key]["schema"]
            assert schema.get("type") == expected.get("type") or "enum" in schema, key
            for bound in ("minimum", "maximum"):
                assert schema.get(bound) == expected.get(bound), key
            assert sorted(schema.get("enum", [])) == sorted(expected.get("enum", [])), key
            assert schema.get("default", expected.get("default")) == expected.get("default", schema.get("default")), key


@pytest.mark.parametrize("operation", SHARED, ids=lambda operation: operation.id)
def test_results_are_of_the_same_type(operation: Any) -> None:
    theirs = ROUTES[operation.id][2]["responses"]
    answers = {operation.status: operation.result, **operation.also}
    for status, kind in answers.items():
        if not isinstance(kind, type) or kind in (bytes, str):
            continue
        expected = resolved(theirs[str(status)])["content"]["application/json"]["schema"]
        assert expected.get("$ref", "").removeprefix("#/components/schemas/") == kind.__name__


def _schemas() -> list[str]:
    return sorted(set(OURS["components"]["schemas"]) & set(WIRE["components"]["schemas"]))


def _flat(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what its `allOf` adds."""
    parts = [_flat(resolved(part)) for part in schema.get("allOf", [])] + [schema]
    return schema | {
        "properties": {name: value for part in parts for name, value in part.get("properties", {}).items()},
        "required": [name for part in parts for name in part.get("required", [])],
    }


@pytest.mark.parametrize("name", _schemas())
def test_schema_agrees(name: str) -> None:
    ours, theirs = OURS["components"]["schemas"][name], _flat(WIRE["components"]["schemas"][name])
    assert set(ours["properties"]) - set(theirs.get("properties", {})) == {
        field for schema, field in ADDED_FIELDS if schema == name
    }
    assert set(theirs.get("properties", {})) <= set(ours["properties"])
    our_required, their_required = set(ours.get("required", [])), set(theirs.get("required", []))
    missing = {field for field in their_required - our_required if "default" not in ours["properties"][field]}
    assert missing == {field for schema, field in NOT_REQUIRED_HERE if schema == name}
    assert our_required - their_required == {field for schema, field in REQUIRED_HERE if schema == name}
    for field, schema in theirs.get("properties", {}).items():
        mine = ours["properties"][field]
        assert mine.get("pattern") == schema.get("pattern"), field
        if "enum" in schema:
            added = [value for one, member, value in ADDED_VALUES if (one, member) == (name, field)]
            assert sorted(mine["enum"]) == sorted(schema["enum"] + added), field


def test_what_is_added_is_documented() -> None:
    """Each operation and member that other servers of the protocol do not have stands in the reference."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "api.md").read_text()
    for operation in OPERATIONS:
        if operation.id in ADDED_OPERATIONS:
            short = operation.path.removeprefix("/repositories/{repository}")
            assert f"| `{operation.name}` | `{operation.method} {short}` |" in page, operation.name
    for _, field in ADDED_FIELDS:
        assert f"| `{field}` |" in page, field


def test_document_is_whole() -> None:
    text = json.dumps(OURS)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}:
        assert reference in OURS["components"]["schemas"]
    assert sum(len(methods) for methods in OURS["paths"].values()) == len(OPERATIONS)
