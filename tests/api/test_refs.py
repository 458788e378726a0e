# SPDX-License-Identifier: Apache-2.0
"""Log, diff and merge over REST."""

from __future__ import annotations

import pytest

from .conftest import Repo, make, refused

pytestmark = pytest.mark.anyio


async def log(repo: Repo, ref: str = "main", **query: object) -> tuple[list[str], dict]:
    answer = await repo.done("GET", f"/refs/{ref}/commits", params=query)
    return [one["message"] for one in answer["results"]], answer["pagination"]


# -- log ---------------------------------------------------------------------------------------------------------------


async def test_log_within_one_second_is_in_order(repo) -> None:
    for number in range(30):
        await repo.commit(f"c{number}", allow_empty=True)
    expected = [f"c{number}" for number in reversed(range(30))] + ["Repository created"]
    assert (await log(repo))[0] == expected
    page = await repo.done("GET", "/refs/main/commits?amount=7")
    assert page["pagination"] == {
        "has_more": True,
        "next_offset": page["results"][-1]["id"],
        "results": 7,
        "max_per_page": 1000,
    }
    found, after = [], ""
    while True:
        page = await repo.done("GET", "/refs/main/commits", params={"amount": 7, "after": after})
        found += [one["message"] for one in page["results"]]
        after = page["pagination"]["next_offset"]
        if not page["pagination"]["has_more"]:
            assert after == ""
            break
    assert found == expected
    assert (await log(repo, "main~28"))[0] == ["c1", "c0", "Repository created"]
    assert (await log(repo, after="main~28"))[0] == ["c0", "Repository created"]


async def test_limit_means_in_all(repo) -> None:
    for number in range(5):
        await repo.commit(f"c{number}", allow_empty=True)
    messages, pagination = await log(repo, limit=True, amount=3)
    assert messages == ["c4", "c3", "c2"]
    assert pagination == {"has_more": False, "next_offset": "", "results": 3, "max_per_page": 1000}
    assert (await log(repo, amount=6))[1]["has_more"] is False
    assert (await log(repo, amount=5))[1]["has_more"] is True
    assert len((await log(repo, amount=-1))[0]) == 6
    assert len((await log(repo, amount=0))[0]) == 6


async def test_log_of_merges(repo, server) -> None:
    await repo.branch("dev")
    server.clock.now += 1
    await repo.put("m")
    await repo.commit("on main")
    server.clock.now += 1
    await repo.put("d", branch="dev")
    await repo.commit("on dev", branch="dev")
    server.clock.now += 1
    await repo.merge("dev", "main", message="merged")
    assert (await log(repo))[0] == ["merged", "on dev", "on main", "Repository created"]
    assert (await log(repo, first_parent=True))[0] == ["merged", "on main", "Repository created"]
    assert (await log(repo, objects="d"))[0] == ["on dev"]
    assert (await log(repo, stop_at="dev"))[0] == ["merged", "on dev"]
    assert (await log(repo, stop_at="dev"))[1]["has_more"] is False


async def test_log_of_paths(repo) -> None:
    await repo.put("a/1")
    await repo.commit("a1")
    await repo.put("a/2")
    await repo.put("b")
    await repo.commit("a2 and b")
    await repo.remove("a/1")
    await repo.commit("without a1")
    await repo.commit("nothing", allow_empty=True)
    assert (await log(repo, objects="a/1"))[0] == ["without a1", "a1"]
    assert (await log(repo, objects=["a/1", "b"]))[0] == ["without a1", "a2 and b", "a1"]
    assert (await log(repo, prefixes="a/"))[0] == ["without a1", "a2 and b", "a1"]
    assert (await log(repo, prefixes="a/", objects="b", limit=True, amount=2))[0] == ["without a1", "a2 and b"]
    assert (await log(repo, objects="a/"))[0] == []
    assert (await log(repo, prefixes=""))[0] == ["without a1", "a2 and b", "a1"]


async def test_log_by_time(repo) -> None:
    for date in (1_800_000_000, 1_900_000_000, 2_000_000_000):
        await repo.commit(f"at {date}", date=date, allow_empty=True)
    assert (await log(repo, since="2030-03-17T17:46:40Z"))[0] == ["at 2000000000", "at 1900000000"]
    assert (await log(repo, since="2030-03-17T18:46:40+01:00"))[0] == ["at 2000000000", "at 1900000000"]
    assert (await log(repo, since="2030-03-17T17:46:41.5Z"))[0] == ["at 2000000000"]


@pytest.mark.parametrize(
    ("ref", "query", "status", "text"),
    [
        ("nowhere", {}, 404, "not found"),
        ("main$", {}, 400, "reference to staging area with $ is not a commit"),
        ("main^7", {}, 400, "invalid ref"),
        ("main", {"amount": 1001}, 400, "amount"),
        ("main", {"amount": -2}, 400, "amount"),
        ("main", {"since": "yesterday"}, 400, "since"),
        ("main", {"since": "1700000000"}, 400, "since"),
        ("main", {"after": "nowhere"}, 404, "not found"),
        ("main", {"stop_at": "nowhere"}, 404, "not found"),
        ("main", {"objects": ""}, 400, "path"),
        ("main", {"objects": "a" * 1025}, 400, "validation error"),
        ("main", {"limit": "3"}, 400, "limit"),
    ],
)
async def test_logs_that_are_refused(repo, ref: str, query: dict, status: int, text: str) -> None:
    refused(await repo.ask("GET", f"/refs/{ref}/commits", params=query), status, text)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_times_at_the_edge(repo, since: str) -> None:
    assert (await repo.ask("GET", "/refs/main/commits", params={"since": since})).status_code == 200


# -- diff --------------------------------------------------------------------------------------------------------------


async def diverged(api) -> Repo:
    """main and dev changed the same path differently, and others each on its own."""
    repo = await make(api)
    for path in ("both", "dir/x", "dir/y", "gone", "same"):
        await repo.put(path, b"12345")
    await repo.commit("base")
    await repo.branch("dev")
    await repo.put("both", b"main")
    await repo.put("only-main", b"m")
    await repo.commit("main")
    await repo.put("both", b"developed", branch="dev")
    await repo.put("dir/x", b"new", branch="dev")
    await repo.put("dir/z", b"z", branch="dev")
    await repo.remove("gone", branch="dev")
    await repo.put("same", b"12345", branch="dev")
    await repo.commit("dev", branch="dev")
    return repo


async def test_three_dots(api) -> None:
    repo = await diverged(api)
    found = await repo.done("GET", "/refs/main/diff/dev")
    assert found["results"] == [
        {"type": "conflict", "path": "both", "path_type": "object", "size_bytes": 9},
        {"type": "changed", "path": "dir/x", "path_type": "object", "size_bytes": 3},
        {"type": "added", "path": "dir/z", "path_type": "object", "size_bytes": 1},
        {"type": "removed", "path": "gone", "path_type": "object", "size_bytes": 5},
    ]
    assert found["pagination"] == {"has_more": False, "next_offset": "", "results": 4, "max_per_page": 1000}
    assert await repo.done("GET", "/refs/main/diff/dev?type=three_dot") == found
    assert await repo.diff("/refs/dev/diff/main") == [("conflict", "both"), ("added", "only-main")]


async def test_two_dots(api) -> None:
    repo = await diverged(api)
    assert await repo.diff("/refs/main/diff/dev", type="two_dot") == [
        ("changed", "both"),
        ("changed", "dir/x"),
        ("added", "dir/z"),
        ("removed", "gone"),
        ("removed", "only-main"),
    ]
    assert await repo.diff("/refs/dev/diff/dev", type="two_dot") == []
    await repo.put("staged", branch="dev")
    await repo.remove("dir/z", branch="dev")
    assert await repo.diff("/refs/dev/diff/dev", type="two_dot") == []
    assert await repo.diff("/refs/dev/diff/dev$", type="two_dot") == [("removed", "dir/z"), ("added", "staged")]
    assert await repo.diff("/refs/main/diff/dev$", type="two_dot", prefix="s") == [("added", "staged")]


async def test_diffs_ignore_what_is_uncommitted(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.put("b")
    assert await repo.diff("/refs/main/diff/dev") == []
    assert await repo.diff("/refs/main/diff/dev", type="two_dot") == []


async def test_pages_and_prefixes(api) -> None:
    repo = await diverged(api)
    path = "/refs/main/diff/dev"
    page = await repo.done("GET", path, params={"amount": 2, "delimiter": "/"})
    assert page["results"][1] == {"type": "prefix_changed", "path": "dir/", "path_type": "common_prefix"}
    assert page["pagination"] == {"has_more": True, "next_offset": "dir/", "results": 2, "max_per_page": 1000}
    assert await repo.diff(path, delimiter="/", after="dir/") == [("removed", "gone")]
    assert await repo.diff(path, delimiter="/", prefix="dir/") == [("changed", "dir/x"), ("added", "dir/z")]
    assert await repo.diff(path, after="both", amount=1) == [("changed", "dir/x")]


async def test_right_stats(api) -> None:
    repo = await diverged(api)
    found = await repo.done("GET", "/refs/main/diff/dev", params={"include_right_stats": True, "prefix": "dir/z"})
    [one] = found["results"]
    stat = await repo.done("GET", "/refs/dev/objects/stat", params={"path": "dir/z"})
    assert one["right"] == {key: stat[key] for key in ("checksum", "mtime", "content_type", "metadata")}
    found = await repo.done("GET", "/refs/main/diff/dev", params={"include_right_stats": True, "prefix": "gone"})
    assert "right" not in found["results"][0]


@pytest.mark.parametrize(
    ("left", "right", "query", "status", "text"),
    [
        ("nowhere", "main", "", 404, "not found"),
        ("main", "nowhere", "", 404, "not found"),
        ("main", "main", "type=one_dot", 400, "type"),
        ("main", "main", "type=", 400, "type"),
        ("main$", "main", "type=two_dot", 400, "reference to staging area with $ is not a commit"),
        ("main", "main$", "", 400, "reference to staging area with $ is not a commit"),
        ("main", "main", "amount=1001", 400, "amount"),
        ("main", "main~", "", 404, "not found"),
    ],
)
async def test_diffs_that_are_refused(repo, left: str, right: str, query: str, status: int, text: str) -> None:
    refused(await repo.ask("GET", f"/refs/{left}/diff/{right}?{query}"), status, text)


# -- merge -------------------------------------------------------------------------------------------------------------


async def test_a_merge(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    source = await repo.commit(branch="dev")
    destination = await repo.head()
    answer = await repo.ask("POST", "/refs/dev/merge/main")
    assert answer.status_code == 200
    assert len(answer.json()["reference"]) == 64
    made = await repo.done("GET", "/commits/main")
    assert made["id"] == answer.json()["reference"]
    assert made["parents"] == [destination, source["id"]]
    assert made["message"] == "Merge 'dev' into 'main'"
    assert made["metadata"] == {".lakefs.merge.strategy": "default"}
    assert made["generation"] == source["generation"] + 1
    assert made["meta_range_id"] == source["meta_range_id"]
    again = await repo.ask("POST", "/refs/dev/merge/main", json={})
    refused(again, 400, "no changes")
    assert again.json()["message"].endswith("no changes")
    for wish in ({"allow_empty": True}, {"force": True}):
        assert (await repo.ask("POST", "/refs/dev/merge/main", json=wish)).status_code == 200


async def test_what_a_merge_is_told_to_say(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    source = await repo.commit(branch="dev")
    destination = await repo.head()
    wish = {"message": "mine", "metadata": {"k": "v"}, "strategy": "source-wins", "squash_merge": True}
    await repo.merge("dev", "main", **wish)
    made = await repo.done("GET", "/commits/main")
    assert made["message"] == "mine"
    assert made["metadata"] == {"k": "v", ".lakefs.merge.strategy": "source-wins"}
    assert made["parents"] == [destination]
    assert made["generation"] == source["generation"] + 1


async def test_both_sides_made_the_same_change(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    await repo.put("a")
    await repo.commit()
    assert (await repo.ask("POST", "/refs/dev/merge/main")).status_code == 200


async def test_conflicts(api) -> None:
    repo = await diverged(api)
    head = await repo.head()
    answer = await repo.ask("POST", "/refs/dev/merge/main")
    assert answer.status_code == 409
    assert answer.reason_phrase == "Conflict"
    assert answer.content == b'{"reference":""}\n'
    assert await repo.head() == head
    await repo.branch("other")
    await repo.merge("dev", "main", strategy="dest-wins")
    assert (await repo.ask("GET", "/refs/main/objects?path=both")).content == b"main"
    await repo.merge("dev", "other", strategy="source-wins")
    assert (await repo.ask("GET", "/refs/other/objects?path=both")).content == b"developed"
    assert await repo.paths("other") == ["both", "dir/x", "dir/y", "dir/z", "only-main", "same"]


async def test_changed_here_and_deleted_there(repo) -> None:
    await repo.put("a")
    await repo.commit()
    await repo.branch("dev")
    await repo.put("a", b"changed")
    await repo.commit()
    await repo.remove("a", branch="dev")
    await repo.commit(branch="dev")
    assert (await repo.ask("POST", "/refs/dev/merge/main")).status_code == 409
    await repo.branch("other")
    await repo.merge("dev", "main", strategy="dest-wins")
    assert await repo.paths() == ["a"]
    await repo.merge("dev", "other", strategy="source-wins")
    assert await repo.paths("other") == []


async def test_merges_that_are_refused(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    for source, destination, body, status, text in [
        ("nowhere", "main", {}, 404, "not found"),
        ("dev", "nowhere", {}, 404, "branch not found"),
        ("dev", "main~", {}, 400, "validation error"),
        ("dev", "main@", {}, 400, "validation error"),
        ("dev$", "main", {}, 400, "reference to staging area with $ is not a commit"),
        ("dev", "main", {"strategy": "ours"}, 400, "invalid merge strategy"),
        ("dev", "main", {"message": 1}, 400, "message"),
        ("dev", "main", [], 400, "request body"),
    ]:
        refused(await repo.ask("POST", f"/refs/{source}/merge/{destination}", json=body), status, text)
    answer = await repo.ask("POST", "/refs/dev/merge/main", content=b"{", headers={"content-type": "application/json"})
    refused(answer, 400, "not JSON")
    assert await repo.paths() == []


async def test_a_dirty_destination(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    await repo.put("uncommitted", branch="dev")
    await repo.put("dirt")
    answer = await repo.ask("POST", "/refs/dev/merge/main")
    refused(answer, 400)
    assert answer.json()["message"] == "uncommitted changes (dirty branch)"
    await repo.remove("dirt")
    assert (await repo.ask("POST", "/refs/dev/merge/main")).status_code == 200
    assert await repo.paths() == ["a"]


async def test_merge_base(repo) -> None:
    base = await repo.head()
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    source = await repo.commit(branch="dev")
    await repo.put("b")
    destination = await repo.commit()
    assert await repo.done("GET", "/refs/dev/merge/main") == {
        "source_commit_id": source["id"],
        "destination_commit_id": destination["id"],
        "base_commit_id": base,
    }
    refused(await repo.ask("GET", "/refs/dev/merge/nowhere"), 404, "not found")
    refused(await repo.ask("GET", "/refs/nowhere/merge/main"), 404, "not found")
    refused(await repo.ask("GET", "/refs/dev$/merge/main"), 400, "reference to staging area")


async def test_unknown_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    refused(await gone.ask("GET", "/refs/main/commits"), 404, "repository not found")
    refused(await gone.ask("GET", "/refs/main/diff/main"), 404, "repository not found")
    refused(await gone.ask("POST", "/refs/main/merge/main"), 404, "repository not found")
    refused(await gone.ask("GET", "/refs/main/merge/main"), 404, "repository not found")
