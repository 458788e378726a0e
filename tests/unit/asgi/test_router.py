# SPDX-License-Identifier: Apache-2.0
"""Paths find their operations, and only theirs."""

from __future__ import annotations

import pytest

from lakehouse.asgi.router import MethodNotAllowed, Router
from lakehouse.core.errors import EndpointNotFound, InvalidArgument
from lakehouse.wire.table import OPERATIONS


@pytest.fixture
def router() -> Router[str]:
    router: Router[str] = Router()
    for operation in OPERATIONS:
        router.add(operation.method, operation.path, operation.name)
    return router


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_found(router: Router[str], operation) -> None:
    path = operation.path
    for name in operation.parameters:
        path = path.replace(f"{{{name}}}", f"value-of-{name}")
    assert router.find(operation.method, path.encode()) == (
        operation.name,
        {name: f"value-of-{name}" for name in operation.parameters},
    )


def test_segments_are_decoded_one_by_one(router: Router[str]) -> None:
    found, path = router.find("GET", b"/repositories/a%2Fb/branches/%C3%A9%00")
    assert found == "get_branch"
    assert path == {"repository": "a/b", "branch": "é\x00"}
    assert router.find("GET", b"/repositories/a/%62ranches/b")[0] == "get_branch"


@pytest.mark.parametrize(
    "path", [b"/", b"", b"/nothing", b"/repositories/", b"/repositories/a/", b"/repositories/a/b/c"]
)
def test_unknown_paths(router: Router[str], path: bytes) -> None:
    with pytest.raises(EndpointNotFound, match="invalid API endpoint"):
        router.find("GET", path)


@pytest.mark.parametrize("path", [b"/repositories/a/branches/", b"/repositories/a/tags/"])
def test_empty_last_segment(router: Router[str], path: bytes) -> None:
    with pytest.raises(EndpointNotFound):
        router.find("GET", path)


@pytest.mark.parametrize("path", [b"/repositories//branches/x", b"/repositories/a/branches//commits"])
def test_empty_segment_in_the_middle(router: Router[str], path: bytes) -> None:
    with pytest.raises(InvalidArgument, match="is empty"):
        router.find("POST" if path.endswith(b"commits") else "GET", path)


@pytest.mark.parametrize("path", [b"/repositories/%FF", b"/repositories/\xff"])
def test_not_utf8(router: Router[str], path: bytes) -> None:
    with pytest.raises(InvalidArgument, match="UTF-8"):
        router.find("GET", path)


def test_wrong_method_names_the_right_ones(router: Router[str]) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        router.find("PATCH", b"/repositories/a")
    assert caught.value.allowed == ("DELETE", "GET")


def test_static_segments_win(router: Router[str]) -> None:
    mixed: Router[str] = Router()
    mixed.add("GET", "/a/{x}", "parameter")
    mixed.add("GET", "/a/b", "static")
    assert mixed.find("GET", b"/a/b") == ("static", {})
    assert mixed.find("GET", b"/a/c") == ("parameter", {"x": "c"})


def test_a_route_cannot_be_taken_twice(router: Router[str]) -> None:
    with pytest.raises(ValueError, match="two operations"):
        router.add("GET", "/repositories/{other}", "x")
