# SPDX-License-Identifier: Apache-2.0
"""History of a path and blame over REST."""

from __future__ import annotations

import pytest

from .conftest import make, refused

pytestmark = pytest.mark.anyio


@pytest.fixture
async def told(api, server):
    """Three commits of `a`: made, removed, made again; beside it `dir/x`."""
    repo = await make(api)
    for message, step in [
        ("one", lambda: repo.put("a", b"1")),
        ("two", lambda: repo.put("dir/x", b"x")),
        ("three", lambda: repo.remove("a")),
        ("four", lambda: repo.put("a", b"22")),
    ]:
        server.clock.now += 1
        await step()
        await repo.commit(message)
    return repo


async def test_log_of_a_path(told) -> None:
    found = await told.done("GET", "/refs/main/objects/log?path=a")
    assert [(one["type"], one["commit"]["message"]) for one in found["results"]] == [
        ("added", "four"),
        ("removed", "three"),
        ("added", "one"),
    ]
    assert found["pagination"] == {"has_more": False, "next_offset": "", "results": 3, "max_per_page": 1000}
    now, gone, first = found["results"]
    assert now["commit"] == await told.done("GET", "/commits/main")
    assert now["object"] == await told.done("GET", "/refs/main/objects/stat?path=a")
    assert "object" not in gone
    assert first["object"] == await told.done("GET", "/refs/main~3/objects/stat?path=a")
    page = await told.done("GET", "/refs/main/objects/log?path=a&amount=2")
    assert page["results"] == found["results"][:2]
    assert page["pagination"]["next_offset"] == gone["commit"]["id"]
    after = page["pagination"]["next_offset"]
    page = await told.done("GET", "/refs/main/objects/log", params={"path": "a", "after": after})
    assert page["results"] == [first]
    assert (await told.done("GET", "/refs/main/objects/log?path=absent"))["results"] == []


async def test_first_parent(told) -> None:
    await told.branch("dev")
    await told.put("a", b"dev", branch="dev")
    await told.commit("on dev", branch="dev")
    await told.merge("dev", "main", message="merged")
    for query, expected in (("", "on dev"), ("&first_parent=true", "merged")):
        found = await told.done("GET", f"/refs/main/objects/log?path=a{query}")
        assert found["results"][0]["commit"]["message"] == expected


async def test_blame(told) -> None:
    found = await told.done("GET", "/refs/main/objects/blame?delimiter=/")
    assert [(one["path"], one["path_type"], one["commit"]["message"]) for one in found["results"]] == [
        ("a", "object", "four"),
        ("dir/", "common_prefix", "two"),
    ]
    assert found["results"][0]["commit"] == await told.done("GET", "/commits/main")
    page = await told.done("GET", "/refs/main/objects/blame?amount=1")
    assert page["pagination"] == {"has_more": True, "next_offset": "a", "results": 1, "max_per_page": 1000}
    page = await told.done("GET", "/refs/main/objects/blame?after=a&prefix=d")
    assert [one["path"] for one in page["results"]] == ["dir/x"]
    assert (await told.done("GET", "/refs/main~4/objects/blame"))["results"] == []


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/refs/main/objects/log", 400, "path"),
        ("/refs/main/objects/log?path=", 400, "path"),
        ("/refs/main/objects/log?path=a&amount=1001", 400, "amount"),
        ("/refs/main/objects/log?path=a&after=nowhere", 404, "not found"),
        ("/refs/nowhere/objects/log?path=a", 404, "not found"),
        ("/refs/main$/objects/log?path=a", 400, "reference to staging area"),
        ("/refs/nowhere/objects/blame", 404, "not found"),
        ("/refs/main$/objects/blame", 400, "reference to staging area"),
        ("/refs/main/objects/blame?amount=-2", 400, "amount"),
    ],
)
async def test_refused(told, path: str, status: int, text: str) -> None:
    refused(await told.ask("GET", path), status, text)
