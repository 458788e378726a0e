# SPDX-License-Identifier: Apache-2.0
"""Conflicts over REST: listed without merging, settled by path, by glob and by strategy."""

from __future__ import annotations

import pytest

from .conftest import make, refused

pytestmark = pytest.mark.anyio
BOTH = ["gone/here", "gone/there", "logs/1", "logs/2", "new", "tables/a", "tables/b"]
"""The paths in conflict."""


@pytest.fixture
async def torn(api):
    """main and dev disagree at all of BOTH; `agreed` they changed in the same way, `only/*` one of them alone."""
    repo = await make(api)
    for path in [*BOTH, "agreed", "only/main", "only/dev"]:
        if path != "new":
            await repo.put(path, b"base")
    await repo.commit("base")
    await repo.branch("dev")
    for branch in ("main", "dev"):
        for path in [*BOTH, f"only/{branch}"]:
            await repo.put(path, branch.encode(), branch=branch)
        await repo.put("agreed", b"same", branch=branch)
    await repo.remove("gone/here")
    await repo.remove("gone/there", branch="dev")
    await repo.commit("main")
    await repo.commit("dev", branch="dev")
    return repo


async def contents(repo, ref: str = "main") -> dict[str, str]:
    return {path: (await repo.ask("GET", f"/refs/{ref}/objects?path={path}")).text for path in await repo.paths(ref)}


CONFLICTS = "/refs/dev/merge/main/conflicts"


async def test_conflicts_are_listed(torn) -> None:
    head = await torn.head()
    found = await torn.done("GET", CONFLICTS)
    assert [one["path"] for one in found["results"]] == BOTH
    assert found["pagination"] == {"has_more": False, "next_offset": "", "results": 7, "max_per_page": 1000}
    by_path = {one.pop("path"): one for one in found["results"]}
    assert {path: sorted(one) for path, one in by_path.items()} == {
        "gone/here": ["base", "source"],
        "gone/there": ["base", "destination"],
        "logs/1": ["base", "destination", "source"],
        "logs/2": ["base", "destination", "source"],
        "new": ["destination", "source"],
        "tables/a": ["base", "destination", "source"],
        "tables/b": ["base", "destination", "source"],
    }
    for side, ref in (("base", "main~"), ("source", "dev"), ("destination", "main")):
        stat = await torn.done("GET", f"/refs/{ref}/objects/stat?path=tables/a")
        assert by_path["tables/a"][side] == stat
    assert await torn.head() == head


async def test_pages_of_conflicts(torn) -> None:
    found, after = [], ""
    while True:
        page = await torn.done("GET", CONFLICTS, params={"amount": 3, "after": after})
        found += [one["path"] for one in page["results"]]
        after = page["pagination"]["next_offset"]
        if not page["pagination"]["has_more"]:
            break
        assert after == found[-1]
    assert found == BOTH
    page = await torn.done("GET", CONFLICTS, params={"amount": 7})
    assert page["pagination"]["has_more"] is False
    for prefix, expected in (("logs/", ["logs/1", "logs/2"]), ("t", ["tables/a", "tables/b"]), ("only/", [])):
        page = await torn.done("GET", CONFLICTS, params={"prefix": prefix})
        assert [one["path"] for one in page["results"]] == expected
    page = await torn.done("GET", CONFLICTS, params={"prefix": "logs/", "after": "logs/1"})
    assert [one["path"] for one in page["results"]] == ["logs/2"]


async def test_no_conflicts(torn) -> None:
    await torn.branch("clean", "main~")
    assert (await torn.done("GET", "/refs/dev/merge/clean/conflicts"))["results"] == []
    assert (await torn.done("GET", "/refs/main/merge/main/conflicts"))["results"] == []
    await torn.put("tables/a", b"uncommitted", branch="clean")
    assert (await torn.done("GET", "/refs/dev/merge/clean/conflicts"))["results"] == []


async def test_choices_by_path_glob_and_strategy(torn) -> None:
    wish = {
        "strategy": "source-wins",
        "strategies": [{"glob": "logs/*", "strategy": "dest-wins"}],
        "resolutions": [
            {"path": "logs/2", "take": "source"},
            {"path": "tables/a", "take": "base"},
            {"path": "tables/b", "take": "delete"},
            {"path": "gone/there", "take": "destination"},
        ],
    }
    summary = (await torn.done("POST", "/refs/dev/merge/main", json=wish))["summary"]
    assert await contents(torn) == {
        "agreed": "same",
        "gone/here": "dev",
        "gone/there": "main",
        "logs/1": "main",
        "logs/2": "dev",
        "new": "dev",
        "only/dev": "dev",
        "only/main": "main",
        "tables/a": "base",
    }
    assert summary == {"added": 1, "removed": 1, "changed": 4, "conflict": 0}
    made = await torn.done("GET", "/commits/main")
    assert made["metadata"] == {".lakefs.merge.strategy": "source-wins"}
    changed = {path for _, path in await torn.diff("/refs/main~/diff/main", type="two_dot")}
    assert changed == {"gone/here", "logs/2", "new", "only/dev", "tables/a", "tables/b"}
    log = await torn.done("GET", "/refs/main/commits", params={"objects": "tables/b", "first_parent": True})
    assert [one["message"] for one in log["results"]] == ["main", "base"]


async def test_every_conflict_must_be_settled(torn) -> None:
    head = await torn.head()
    wish = {"strategies": [{"glob": "{logs,tables,gone}/*", "strategy": "dest-wins"}]}
    answer = await torn.ask("POST", "/refs/dev/merge/main", json=wish)
    assert (answer.status_code, answer.content) == (409, b'{"reference":""}\n')
    wish["strategies"].append({"glob": "n?w", "strategy": "source-wins"})
    wish["strategies"].append({"glob": "*", "strategy": "default"})
    assert await torn.head() == head
    assert (await torn.ask("POST", "/refs/dev/merge/main", json=wish)).status_code == 200
    assert (await contents(torn))["new"] == "dev"
    wish = {"strategy": "dest-wins", "strategies": [{"glob": "new", "strategy": "default"}]}
    await torn.branch("other", head)
    assert (await torn.ask("POST", "/refs/dev/merge/other", json=wish)).status_code == 409


async def test_choices_do_not_touch_what_is_in_no_conflict(torn) -> None:
    wish = {"strategies": [{"glob": "*", "strategy": "dest-wins"}]}
    await torn.merge("dev", "main", **wish)
    assert (await contents(torn))["only/dev"] == "dev"


async def test_resolutions_of_paths_in_no_conflict_are_refused(torn) -> None:
    head = await torn.head()
    for path in ("only/dev", "only/main", "agreed", "absent"):
        wish = {"strategy": "dest-wins", "resolutions": [{"path": path, "take": "source"}]}
        answer = await torn.ask("POST", "/refs/dev/merge/main", json=wish)
        refused(answer, 400, f"path {path} is not in conflict")
        assert answer.headers["x-lakehouse-error"] == "not_in_conflict"
    assert await torn.head() == head


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        ({"strategies": [{"glob": "*", "strategy": "ours"}]}, "invalid merge strategy"),
        ({"strategies": [{"glob": "[", "strategy": "dest-wins"}]}, "bracket"),
        ({"strategies": [{"glob": "", "strategy": "dest-wins"}]}, "strategies"),
        ({"strategies": [{"glob": "*"}]}, "strategy"),
        ({"strategies": {}}, "strategies"),
        ({"resolutions": [{"path": "new", "take": "ours"}]}, "take"),
        ({"resolutions": [{"path": "", "take": "source"}]}, "path"),
        ({"resolutions": [{"path": "a" * 1025, "take": "source"}]}, "path"),
        ({"resolutions": [{"path": "new", "take": "source"}] * 2}, "named twice"),
    ],
)
async def test_choices_that_are_refused(torn, wish: dict, text: str) -> None:
    refused(await torn.ask("POST", "/refs/dev/merge/main", json=wish), 400, text)


@pytest.mark.parametrize(
    ("source", "destination", "query", "status", "text"),
    [
        ("nowhere", "main", {}, 404, "not found"),
        ("dev", "nowhere", {}, 404, "not found"),
        ("dev$", "main", {}, 400, "reference to staging area"),
        ("dev", "main", {"amount": 1001}, 400, "amount"),
        ("dev", "main", {"prefix": "a" * 1025}, 400, "prefix"),
    ],
)
async def test_lists_that_are_refused(torn, source, destination, query, status, text) -> None:
    refused(await torn.ask("GET", f"/refs/{source}/merge/{destination}/conflicts", params=query), status, text)
