# SPDX-License-Identifier: Apache-2.0
"""Branches over REST: create, list, delete, reset, hard reset, revert, cherry-pick, uncommitted changes."""

from __future__ import annotations

import pytest

from .conftest import Repo, make, refused

pytestmark = pytest.mark.anyio

BAD_NAMES = ["", "a/b", "a.b", "-a", "a b", "a~", "a^1", "a@", "a$", "é", "a\x00", "a\n", "a" * 256, ".."]


async def test_a_new_branch_is_its_commit_as_plain_text(repo) -> None:
    answer = await repo.ask("POST", "/branches", json={"name": "dev", "source": "main"})
    assert answer.status_code == 201
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == await repo.head()
    found = await repo.ask("GET", "/branches/dev")
    assert found.json() == {"id": "dev", "commit_id": answer.text}
    assert found.text.endswith("\n")


async def test_a_branch_begins_at_the_commit_of_its_source(repo) -> None:
    await repo.put("a")
    first = await repo.commit()
    await repo.put("b")
    await repo.branch("dev")
    assert await repo.paths("dev") == ["a"]
    assert await repo.paths("main") == ["a", "b"]
    for source in (first["id"], first["id"][:20], "main~0", "main@", "dev"):
        answer = await repo.ask("POST", "/branches", json={"name": f"x{abs(hash(source))}", "source": source})
        assert answer.text == first["id"]
    assert await repo.branch("old", "main~1") == first["parents"][0]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_names(repo, name: str) -> None:
    answer = await repo.ask("POST", "/branches", json={"name": name, "source": "main"})
    refused(answer, 400, "validation error")
    assert [one["id"] for one in (await repo.done("GET", "/branches"))["results"]] == ["main"]


@pytest.mark.parametrize(
    ("source", "status", "text"),
    [
        ("nowhere", 404, "not found"),
        ("0" * 64, 404, "not found"),
        ("main~1", 404, "not found"),
        ("main^1", 400, "invalid ref"),
        ("main^x", 400, "invalid ref"),
        ("main~1@", 400, "invalid ref"),
        ("main@1", 400, "invalid ref"),
        ("main$", 400, "reference to staging area with $ is not a commit"),
        ("", 400, "invalid ref"),
        ("a b", 400, "invalid ref"),
        ("~", 400, "invalid ref"),
    ],
)
async def test_bad_sources(repo, source: str, status: int, text: str) -> None:
    refused(await repo.ask("POST", "/branches", json={"name": "dev", "source": source}), status, text)
    refused(await repo.ask("GET", "/branches/dev"), 404, "branch not found")


async def test_names_are_shared_with_tags_and_commits(repo) -> None:
    head = await repo.head()
    await repo.done("POST", "/tags", json={"id": "v1", "ref": "main"})
    for name in ("main", "v1", head):
        answer = await repo.ask("POST", "/branches", json={"name": name, "source": "main"})
        refused(answer, 409, "branch already exists: not unique")


async def test_short_hexadecimal_names_are_names(repo) -> None:
    head = await repo.head()
    name = head[:3]
    await repo.put("a")
    later = await repo.commit()
    assert await repo.branch(name) == later["id"]
    assert (await repo.done("GET", f"/commits/{name}"))["id"] == later["id"]
    assert (await repo.done("GET", f"/commits/{head[:40]}"))["id"] == head


async def test_unknown_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    for method, path, body in [
        ("GET", "/branches", None),
        ("POST", "/branches", {"name": "a", "source": "main"}),
        ("GET", "/branches/main", None),
        ("DELETE", "/branches/main", None),
        ("PUT", "/branches/main", {"type": "reset"}),
        ("PUT", "/branches/main/hard_reset?ref=main", None),
        ("POST", "/branches/main/revert", {"ref": "main", "parent_number": 0}),
        ("POST", "/branches/main/cherry-pick", {"ref": "main"}),
        ("GET", "/branches/main/diff", None),
    ]:
        refused(await gone.ask(method, path, json=body), 404, "repository not found")


async def test_unknown_branch(repo) -> None:
    for method, path, body in [
        ("GET", "/branches/nope", None),
        ("DELETE", "/branches/nope", None),
        ("PUT", "/branches/nope", {"type": "reset"}),
        ("PUT", "/branches/nope", {"type": "object", "path": "a"}),
        ("PUT", "/branches/nope/hard_reset?ref=main", None),
        ("POST", "/branches/nope/revert", {"ref": "main", "parent_number": 0}),
        ("POST", "/branches/nope/cherry-pick", {"ref": "main"}),
        ("GET", "/branches/nope/diff", None),
        ("POST", "/branches/nope/commits", {"message": "m"}),
    ]:
        refused(await repo.ask(method, path, json=body), 404, "branch not found")


async def test_lists(repo) -> None:
    head = await repo.head()
    for name in ("b2", "b1", "a", "b10"):
        await repo.branch(name)
    await repo.branch("b3", hidden=True)

    async def page(**query: object) -> tuple[list[str], dict]:
        answer = await repo.done("GET", "/branches", params=query)
        assert all(one["commit_id"] == head for one in answer["results"])
        return [one["id"] for one in answer["results"]], answer["pagination"]

    last = {"has_more": False, "next_offset": "", "max_per_page": 1000}
    assert await page() == (["a", "b1", "b10", "b2", "main"], last | {"results": 5})
    assert (await page(show_hidden=True))[0] == ["a", "b1", "b10", "b2", "b3", "main"]
    assert await page(prefix="b", amount=2) == (
        ["b1", "b10"],
        {"has_more": True, "next_offset": "b10", "results": 2, "max_per_page": 1000},
    )
    assert await page(prefix="b", amount=2, after="b10") == (["b2"], last | {"results": 1})
    assert await page(after="zzz") == ([], last | {"results": 0})
    assert (await page(prefix="ba"))[0] == []
    assert (await page(amount=4))[1]["next_offset"] == "b2"
    assert (await page(amount=5))[1]["next_offset"] == ""
    refused(await repo.ask("GET", "/branches?amount=1001"), 400, "amount")
    refused(await repo.ask("GET", "/branches?show_hidden=perhaps"), 400, "show_hidden")


async def test_hidden_branches_work_like_others(repo) -> None:
    await repo.branch("tx-1", hidden=True)
    await repo.put("a", branch="tx-1")
    await repo.commit(branch="tx-1")
    await repo.merge("tx-1", "main")
    assert (await repo.ask("DELETE", "/branches/tx-1")).status_code == 204
    assert await repo.paths() == ["a"]


async def test_deletion(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    answer = await repo.ask("DELETE", "/branches/dev")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await repo.ask("DELETE", "/branches/dev"), 404, "branch not found")
    refused(await repo.ask("DELETE", "/branches/main"), 403, "cannot delete repository default branch")
    await repo.branch("dev")
    assert await repo.paths("dev") == []


async def test_a_branch_with_a_failed_commit_is_deleted(repo) -> None:
    await repo.branch("tx", hidden=True)
    await repo.remove("never-there", branch="tx")
    refused(await repo.ask("POST", "/branches/tx/commits", json={"message": "m"}), 400, "commit: no changes")
    assert (await repo.ask("DELETE", "/branches/tx")).status_code == 204


async def test_reset(repo) -> None:
    for path in ("bar/one", "bar/two", "foo", "foobar", "gone"):
        await repo.put(path)
    await repo.commit()

    async def stage() -> None:
        await repo.put("bar/one", b"changed")
        await repo.put("foo", b"changed")
        await repo.put("foobar", b"changed")
        await repo.put("new")
        await repo.remove("gone")

    async def reset(**body: object) -> list[str]:
        answer = await repo.ask("PUT", "/branches/main", json=body)
        assert (answer.status_code, answer.content) == (204, b"")
        return [path for _, path in await repo.diff("/branches/main/diff")]

    await stage()
    assert await reset(type="object", path="bar/") == ["bar/one", "foo", "foobar", "gone", "new"]
    assert await reset(type="object", path="never") == ["bar/one", "foo", "foobar", "gone", "new"]
    assert await reset(type="object", path="gone") == ["bar/one", "foo", "foobar", "new"]
    assert await reset(type="common_prefix", path="foo") == ["bar/one", "new"]
    assert await reset(type="reset") == []
    assert await repo.paths() == ["bar/one", "bar/two", "foo", "foobar", "gone"]
    await stage()
    assert await reset(type="reset", path="ignored") == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"type": "everything"}, "type"),
        ({}, "type"),
        ({"type": "object"}, "missing path: required value"),
        ({"type": "object", "path": ""}, "missing path: required value"),
        ({"type": "common_prefix"}, "missing path: required value"),
        ({"type": "object", "path": "a" * 1025}, "validation error"),
        ({"type": "object", "path": None}, "path"),
    ],
)
async def test_bad_resets(repo, body: dict, text: str) -> None:
    refused(await repo.ask("PUT", "/branches/main", json=body), 400, text)


async def test_hard_reset(repo) -> None:
    await repo.put("a")
    first = await repo.commit("first")
    await repo.put("b")
    await repo.commit("second")
    await repo.put("uncommitted")
    answer = await repo.ask("PUT", "/branches/main/hard_reset", params={"ref": "main~"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await repo.done("GET", "/commits/main") == first
    assert await repo.diff("/branches/main/diff") == [("added", "uncommitted")]
    assert await repo.paths() == ["a", "uncommitted"]
    for query, status, text in [
        ({}, 400, "ref"),
        ({"ref": ""}, 400, "ref"),
        ({"ref": "nowhere"}, 404, "not found"),
        ({"ref": "main$"}, 400, "reference to staging area with $ is not a commit"),
        ({"ref": "main^9"}, 400, "invalid ref"),
        ({"ref": "main~9"}, 404, "not found"),
    ]:
        refused(await repo.ask("PUT", "/branches/main/hard_reset", params=query), status, text)
    assert await repo.head() == first["id"]


async def test_revert(repo) -> None:
    await repo.put("a")
    await repo.put("b")
    await repo.commit("both")
    await repo.put("a", b"changed")
    changed = await repo.commit("change")
    answer = await repo.ask("POST", "/branches/main/revert", json={"ref": "main", "parent_number": 0})
    assert (answer.status_code, answer.content) == (204, b"")
    made = await repo.done("GET", "/commits/main")
    assert (made["message"], made["parents"], made["generation"]) == ("Revert main", [changed["id"]], 4)
    assert (await repo.ask("GET", "/refs/main/objects?path=a")).content == b"x"
    overrides = {"message": "own words", "metadata": {"k": "v"}}
    body = {"ref": changed["id"], "parent_number": 1, "allow_empty": True, "commit_overrides": overrides}
    await repo.done("POST", "/branches/main/revert", json=body)
    made = await repo.done("GET", "/commits/main")
    assert (made["message"], made["metadata"]) == ("own words", {"k": "v"})


async def test_reverts_that_are_refused(repo) -> None:
    await repo.put("a")
    await repo.commit("first")
    await repo.put("a", b"second")
    second = await repo.commit("second")
    await repo.put("a", b"third")
    await repo.commit("third")
    await repo.branch("side", "main~2")
    await repo.put("other", branch="side")
    await repo.commit(branch="side")
    merged = await repo.merge("side", "main")

    async def revert(**body: object):
        return await repo.ask("POST", "/branches/main/revert", json=body)

    refused(await revert(ref="main"), 400, "parent_number")
    refused(await revert(ref="main", parent_number="x"), 400, "parent_number")
    refused(await revert(ref="nowhere", parent_number=0), 404, "not found")
    refused(await revert(ref="main$", parent_number=0), 400, "reference to staging area with $ is not a commit")
    refused(
        await revert(ref=merged, parent_number=0),
        409,
        "must specify 1-based parent number for reverting merge commit",
    )
    for number in (3, -1):
        refused(await revert(ref=merged, parent_number=number), 400, "does not have the given parent number")
    refused(await revert(ref=second["id"], parent_number=0), 409, "conflict found")
    await repo.put("dirt")
    refused(await revert(ref="nowhere", parent_number=0), 404, "not found")
    refused(await revert(ref=merged, parent_number=9), 400, "parent number")
    refused(await revert(ref=merged, parent_number=1), 400, "uncommitted changes (dirty branch)")
    await repo.done("PUT", "/branches/main", json={"type": "reset"})
    assert (await revert(ref=merged, parent_number=1)).status_code == 204
    assert await repo.paths() == ["a"]
    refused(await revert(ref=merged, parent_number=1), 400, "no changes")


async def test_cherry_pick(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    picked = await repo.commit("pick me", branch="dev", metadata={"k": "v"})
    answer = await repo.ask("POST", "/branches/main/cherry-pick", json={"ref": "dev"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["message"] == "pick me"
    assert made["metadata"] == {
        "k": "v",
        "cherry-pick-origin": picked["id"],
        "cherry-pick-committer": picked["committer"],
    }
    assert made == await repo.done("GET", "/commits/main")
    assert await repo.paths() == ["a"]


async def test_cherry_picks_that_are_refused(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", b"dev", branch="dev")
    await repo.commit(branch="dev")
    await repo.branch("side")
    await repo.put("s", branch="side")
    await repo.commit(branch="side")
    merged = await repo.merge("side", "dev")

    async def pick(**body: object):
        return await repo.ask("POST", "/branches/main/cherry-pick", json=body)

    refused(await pick(), 400, "ref")
    refused(await pick(ref="nowhere"), 404, "not found")
    refused(await pick(ref="dev$"), 400, "reference to staging area with $ is not a commit")
    refused(await pick(ref=merged), 400, "must specify 1-based parent number for cherry-picking merge commit")
    for number in (0, -1, 3):
        refused(await pick(ref=merged, parent_number=number), 400, "parent number")
    await repo.put("a", b"main")
    refused(await pick(ref="dev~1"), 400, "uncommitted changes (dirty branch)")
    await repo.commit()
    refused(await pick(ref="dev~1"), 409, "conflict found")
    assert (await pick(ref=merged, parent_number=1)).status_code == 201
    refused(await pick(ref=merged, parent_number=1), 400, "no changes")


async def test_uncommitted_changes(repo) -> None:
    for path in ("a", "dir/b", "dir/c", "z"):
        await repo.put(path, b"12345")
    await repo.commit()
    await repo.put("a", b"12345")
    await repo.remove("never")
    assert await repo.diff("/branches/main/diff") == []
    await repo.put("a", b"123456789")
    await repo.remove("dir/b")
    await repo.put("new", b"1")
    found = await repo.done("GET", "/branches/main/diff")
    assert found["results"] == [
        {"type": "changed", "path": "a", "path_type": "object", "size_bytes": 9},
        {"type": "removed", "path": "dir/b", "path_type": "object", "size_bytes": 0},
        {"type": "added", "path": "new", "path_type": "object", "size_bytes": 1},
    ]
    assert found["pagination"] == {"has_more": False, "next_offset": "", "results": 3, "max_per_page": 1000}
    rolled = await repo.done("GET", "/branches/main/diff?delimiter=/&amount=2")
    assert rolled["results"][1] == {"type": "prefix_changed", "path": "dir/", "path_type": "common_prefix"}
    assert rolled["pagination"] == {"has_more": True, "next_offset": "dir/", "results": 2, "max_per_page": 1000}
    assert await repo.diff("/branches/main/diff", delimiter="/", after="dir/") == [("added", "new")]
    assert await repo.diff("/branches/main/diff", prefix="dir/") == [("removed", "dir/b")]
    assert await repo.diff("/branches/main/diff", after="a", amount=1) == [("removed", "dir/b")]
    refused(await repo.ask("GET", "/branches/main/diff?amount=-5"), 400, "amount")


async def test_names_in_the_path(repo) -> None:
    assert (await repo.done("GET", "/branches/m%61in"))["id"] == "main"
    for name in ("main%7E1", "main%40", "%2Fmain", "a%2Fb", "%00", "main%20", "%2E%2E", "%C3%A9"):
        answer = await repo.ask("GET", f"/branches/{name}")
        assert answer.status_code in (400, 404), (name, answer.text)
        assert answer.json()["message"]
    refused(await repo.ask("GET", "/branches/%FF"), 400, "not UTF-8")
    refused(await repo.ask("GET", "/branches//diff"), 400, "branch")
    refused(await repo.ask("GET", "/branches/"), 404, "invalid API endpoint")
    refused(await repo.ask("GET", f"/branches/{'n' * 3000}"), 400, "validation error")


async def test_a_branch_of_a_bare_repository(api) -> None:
    repo = await make(api, bare=True)
    refused(await repo.ask("POST", "/branches", json={"name": "dev", "source": "main"}), 404, "not found")
