# SPDX-License-Identifier: Apache-2.0
"""Refs by time and the reflog, over REST: in every place where a ref can stand."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from .conftest import make, refused

pytestmark = pytest.mark.anyio


def moment(server, seconds: int = 0) -> str:
    """The server's time, that many seconds ago, as one writes it in a ref."""
    return datetime.fromtimestamp(server.clock.now - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
async def aged(api, server):
    """A repository with three commits on main, a minute apart; the last one minute ago."""
    repo = await make(api)
    for number in range(3):
        server.clock.now += 60
        await repo.put("a", str(number).encode())
        await repo.put(f"dir/{number}")
        await repo.commit(f"c{number}")
    server.clock.now += 60
    await repo.put("a", b"uncommitted")
    return repo


def then(text: str) -> str:
    """A ref by time as a segment of a URL: every reserved character is encoded."""
    return quote(f"main@{{{text}}}", safe="")


async def content(repo, ref: str) -> str:
    return (await repo.ask("GET", f"/refs/{ref}/objects", params={"path": "a"})).text


@pytest.mark.parametrize(("seconds", "expected"), [(0, "2"), (60, "2"), (61, "1"), (121, "0")])
async def test_reads(aged, server, seconds: int, expected: str) -> None:
    ref = then(moment(server, seconds))
    assert await content(aged, ref) == expected
    assert (await aged.done("GET", f"/commits/{ref}"))["message"] == f"c{expected}"
    listed = await aged.paths(ref, prefix="dir/")
    assert listed == [f"dir/{number}" for number in range(int(expected) + 1)]
    stat = await aged.done("GET", f"/refs/{ref}/objects/stat", params={"path": "a"})
    assert stat["size_bytes"] == 1
    log = await aged.done("GET", f"/refs/{ref}/commits", params={"amount": 1})
    assert [one["message"] for one in log["results"]] == [f"c{expected}"]


@pytest.mark.parametrize(
    "spelled",
    ["main@{1}", "main%40%7B1%7D", "main@%7b1%7d", "main%40{1}", "main@{1}~0", "main@{0}~1", "main@{1}%5E0"],
)
async def test_spellings_of_one_ref(aged, spelled: str) -> None:
    assert await content(aged, spelled) == "1"


async def test_zones_and_words(aged, server) -> None:
    at = datetime.fromtimestamp(server.clock.now - 61 + 7200, UTC).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    assert await content(aged, then(at)) == "1"
    assert await content(aged, then("61.seconds.ago")) == "1"
    assert await content(aged, then("now")) == "2"


async def test_differences_between_then_and_now(aged, server) -> None:
    assert await aged.diff(f"/refs/{then('1')}/diff/main") == [("changed", "a"), ("added", "dir/2")]
    assert await aged.diff(f"/refs/{then('2')}/diff/{then('1')}", type="two_dot") == [
        ("changed", "a"),
        ("added", "dir/1"),
    ]


async def test_branches_tags_and_reverts_from_then(aged) -> None:
    assert await aged.branch("back", "main@{1}") == await aged.branch("same", "main~1")
    tag = await aged.done("POST", "/tags", json={"id": "then", "ref": "main@{2}"})
    assert await content(aged, "then") == "0"
    assert tag["commit_id"] == (await aged.done("GET", "/commits/main~2"))["id"]
    await aged.done("POST", "/branches/back/revert", json={"ref": "main@{1}", "parent_number": 0})
    assert await aged.paths("back") == ["a", "dir/0"]
    await aged.done("POST", "/branches/same/cherry-pick", json={"ref": "main@{0}"})
    assert await aged.paths("same", prefix="dir/") == ["dir/0", "dir/1", "dir/2"]
    await aged.branch("target", "main~2")
    await aged.merge(quote("main@{1}", safe=""), "target")
    assert await aged.paths("target") == ["a", "dir/0", "dir/1"]


async def test_a_hard_reset_is_taken_back(aged) -> None:
    await aged.done("PUT", "/branches/main", json={"type": "reset"})
    head = await aged.head()
    await aged.done("PUT", "/branches/main/hard_reset", params={"ref": "main~2"})
    assert await content(aged, "main") == "0"
    await aged.done("PUT", "/branches/main/hard_reset", params={"ref": "main@{1}"})
    assert await aged.head() == head
    moves = await aged.done("GET", "/branches/main/reflog", params={"amount": 2})
    assert [one["operation"] for one in moves["results"]] == ["hard_reset", "hard_reset"]
    assert moves["results"][0]["old_commit_id"] == moves["results"][1]["new_commit_id"]
    assert moves["results"][0]["new_commit_id"] == head


async def test_reflog(aged, server) -> None:
    whole = await aged.done("GET", "/branches/main/reflog")
    assert [one["number"] for one in whole["results"]] == [4, 3, 2, 1]
    assert [one["operation"] for one in whole["results"]] == ["commit", "commit", "commit", "create"]
    assert [int(server.clock.now) - one["time"] for one in whole["results"]] == [60, 120, 180, 240]
    assert whole["results"][-1]["old_commit_id"] == ""
    assert {one["actor"] for one in whole["results"][:3]} == {"admin"}
    assert len(whole["results"][0]["request_id"]) == 36
    first = await aged.done("GET", "/branches/main/reflog", params={"amount": 3})
    assert first["pagination"] == {"has_more": True, "next_offset": "2", "results": 3, "max_per_page": 1000}
    rest = await aged.done("GET", "/branches/main/reflog", params={"after": "2"})
    assert first["results"] + rest["results"] == whole["results"]
    assert rest["pagination"]["next_offset"] == ""


@pytest.mark.parametrize(
    ("ref", "status", "text"),
    [
        ("main@{1.year.ago}", 400, "not a moment such as"),
        ("main@{2026-13-01}", 400, "not a moment such as"),
        ("main@{}", 400, "invalid ref"),
        ("main@{1}$", 400, "invalid ref"),
        ("main@{999}", 404, "does not reach back"),
        ("main@{2001-01-01}", 404, "does not reach back"),
        ("nowhere@{1}", 404, "not found"),
    ],
)
async def test_moments_that_are_refused(aged, ref: str, status: int, text: str) -> None:
    refused(await aged.ask("GET", f"/refs/{quote(ref, safe='')}/objects/ls"), status, text)


async def test_only_branches_have_a_past(aged) -> None:
    await aged.done("POST", "/tags", json={"id": "v1", "ref": "main"})
    refused(await aged.ask("GET", f"/refs/{quote('v1@{1}', safe='')}/objects/ls"), 400, "only a branch has a past")
    refused(await aged.ask("GET", "/branches/nowhere/reflog"), 404, "branch not found")
    refused(await aged.ask("GET", "/branches/main/reflog", params={"after": "x"}), 400, "not the number of a move")
    refused(await aged.ask("GET", "/branches/main/reflog", params={"amount": 1001}), 400, "amount")
    refused(await aged.ask("PUT", f"/branches/{quote('main@{1}', safe='')}", json={"type": "reset"}), 404, "not found")
