# SPDX-License-Identifier: Apache-2.0
"""Commits over REST: making them, finding them by ref expressions."""

from __future__ import annotations

import pytest

from .conftest import Repo, make, refused

pytestmark = pytest.mark.anyio


async def test_a_commit(repo, server) -> None:
    parent = await repo.head()
    await repo.put("a")
    body = {"message": "words", "metadata": {"k": "v", "": "empty"}}
    answer = await repo.ask("POST", "/branches/main/commits", json=body)
    assert answer.status_code == 201
    made = answer.json()
    assert len(made["id"]) == len(made["meta_range_id"]) == 64
    assert {key: made[key] for key in made if key not in ("id", "meta_range_id")} == {
        "parents": [parent],
        "committer": "admin",
        "message": "words",
        "creation_date": int(server.clock()),
        "metadata": {"k": "v", "": "empty"},
        "generation": 2,
        "version": 1,
    }
    assert await repo.head() == made["id"]
    assert await repo.done("GET", f"/commits/{made['id']}") == made
    assert await repo.diff("/branches/main/diff") == []


async def test_nothing_to_commit(repo) -> None:
    async def attempt():
        return await repo.ask("POST", "/branches/main/commits", json={"message": "m"})

    refused(await attempt(), 400, "commit: no changes")
    await repo.remove("never-there")
    refused(await attempt(), 400, "commit: no changes")
    await repo.put("a", b"same", headers={"content-type": "text/plain"})
    await repo.commit()
    await repo.put("a", b"same", headers={"content-type": "text/plain"})
    refused(await attempt(), 400, "commit: no changes")
    await repo.put("b")
    await repo.remove("b")
    refused(await attempt(), 400, "commit: no changes")
    await repo.put("a", b"same", headers={"content-type": "text/html"})
    assert (await attempt()).status_code == 201
    tree = (await repo.done("GET", "/commits/main"))["meta_range_id"]
    made = await repo.commit(allow_empty=True)
    assert made["meta_range_id"] == tree


async def test_a_failed_commit_leaves_what_is_uncommitted(repo) -> None:
    await repo.put("a")
    await repo.commit()
    await repo.put("a")
    await repo.ask("POST", "/branches/main/commits", json={"message": "m"})
    assert await repo.paths() == ["a"]
    await repo.put("b")
    await repo.ask("POST", "/branches/main/commits", json={"message": "m"})
    assert await repo.paths("main@") == ["a", "b"]


async def test_empty_message_and_date(repo) -> None:
    await repo.put("a")
    made = await repo.commit("", date=1_000_000_000)
    assert (made["message"], made["creation_date"]) == ("", 1_000_000_000)
    log = (await repo.done("GET", "/refs/main/commits"))["results"]
    assert log[0]["id"] == made["id"]


async def test_messages_of_any_text(repo) -> None:
    for text in ("a\x00b", "\n", "\U0001f30a" * 10_000):
        made = await repo.commit(text, metadata={text: text}, allow_empty=True)
        found = await repo.done("GET", f"/commits/{made['id']}")
        assert (found["message"], found["metadata"]) == (text, {text: text})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "message"),
        ({"message": 1}, "message"),
        ({"message": "m", "metadata": {"a": 1}}, "metadata"),
        ({"message": "m", "metadata": []}, "metadata"),
        ({"message": "m", "date": "today"}, "date"),
        ({"message": "m", "date": 2**63}, "date"),
        ({"message": "m", "date": 10**30}, "date"),
        ({"message": "m", "date": -1}, "date"),
        ({"message": "m", "date": 10**15}, "date"),
        ({"message": "m", "allow_empty": 1}, "allow_empty"),
    ],
)
async def test_bad_bodies(repo, body: dict, text: str) -> None:
    await repo.put("a")
    refused(await repo.ask("POST", "/branches/main/commits", json=body), 400, text)
    assert (await repo.done("GET", "/commits/main"))["generation"] == 1


async def test_a_given_tree(repo) -> None:
    await repo.put("a")
    tree = (await repo.commit())["meta_range_id"]
    await repo.branch("empty", "main~1")
    path = "/branches/empty/commits"
    made = await repo.done("POST", path, params={"source_metarange": tree}, json={"message": "m"})
    assert made["meta_range_id"] == tree
    assert await repo.paths("empty") == ["a"]
    await repo.put("dirt", branch="empty")
    answer = await repo.ask("POST", path, params={"source_metarange": tree}, json={"message": "m"})
    refused(answer, 400, "cannot use source MetaRange on a branch with uncommitted changes")
    await repo.done("PUT", "/branches/empty", json={"type": "reset"})
    answer = await repo.ask("POST", path, params={"source_metarange": "0" * 64}, json={"message": "m"})
    refused(answer, 404, "not found")
    for odd in ("../../x", "x", "A" * 64):
        answer = await repo.ask("POST", path, params={"source_metarange": odd}, json={"message": "m"})
        assert answer.status_code in (400, 404), answer.text


async def test_commits_by_any_expression(repo) -> None:
    ids = [await repo.head()]
    for number in range(3):
        await repo.put(f"f{number}")
        ids.append((await repo.commit())["id"])
    await repo.branch("side", ids[1])
    await repo.put("s", branch="side")
    side = (await repo.commit(branch="side"))["id"]
    merged = await repo.merge("side", "main")
    await repo.put("uncommitted")
    for text, expected in {
        "main": merged,
        "main@": merged,
        "main~0": merged,
        "main^0": merged,
        "main~": ids[3],
        "main^": ids[3],
        "main^2": side,
        "main^2~": ids[1],
        "main~2": ids[2],
        "main~2^1~1": ids[0],
        f"{merged}~4": ids[0],
        merged[:24]: merged,
        f"{merged[:24]}^2": side,
    }.items():
        assert (await repo.done("GET", f"/commits/{text}"))["id"] == expected, text


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("nowhere", 404, "not found"),
        ("main~1", 404, "commit not found"),
        ("main~2147483647", 404, "commit not found"),
        ("0" * 64, 404, "not found"),
        ("main^1", 400, "invalid ref"),
        ("main$", 400, "reference to staging area with $ is not a commit"),
        ("main~~", 404, "commit not found"),
        ("main~99999999999999999999", 400, "invalid ref"),
        ("main@@", 400, "invalid ref"),
        ("main@~1", 400, "invalid ref"),
        ("main~0@", 400, "invalid ref"),
        ("main@{9999}", 404, "not found"),
        ("main%20", 400, "invalid ref"),
        ("%5E", 400, "invalid ref"),
        ("%00", 404, "not found"),
        ("main%00", 404, "not found"),
    ],
)
async def test_expressions_that_name_no_commit(repo, text: str, status: int, message: str) -> None:
    refused(await repo.ask("GET", f"/commits/{text}"), status, message)


async def test_unknown_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    refused(await gone.ask("GET", "/commits/main"), 404, "repository not found")
    refused(await gone.ask("POST", "/branches/main/commits", json={"message": "m"}), 404, "repository not found")


def record(made: dict, **changes: object) -> dict:
    """The body that adds a commit again."""
    return {
        "commit_id": made["id"],
        "version": made["version"],
        "committer": made["committer"],
        "message": made["message"],
        "metarange_id": made["meta_range_id"],
        "creation_date": made["creation_date"],
        "parents": made["parents"],
        "metadata": made["metadata"],
        "generation": made["generation"],
    } | changes


async def test_records_of_commits(api, repo) -> None:
    """A history is added to a bare repository on the same storage, and a branch begins at its end."""
    await repo.put("a")
    made = await repo.commit("first", metadata={"k": "v"})
    await repo.put("b")
    last = await repo.commit("second")
    root = await repo.done("GET", "/commits/main~2")
    namespace = (await repo.done("GET"))["storage_namespace"]
    bare = await make(api, bare=True, storage_namespace=namespace)
    for one in (last, made, root):
        answer = await bare.ask("POST", "/commits", json=record(one))
        assert (answer.status_code, answer.content) == (204, b"")
        assert await bare.done("GET", f"/commits/{one['id']}") == one
    assert (await bare.done("GET", "/branches"))["results"] == []
    assert await bare.branch("main", last["id"]) == last["id"]
    log = await bare.done("GET", "/refs/main/commits", params={"objects": "a"})
    assert log["results"] == [made]
    assert await bare.paths() == ["a", "b"]
    refused(await bare.ask("POST", "/commits", json=record(made)), 409, "commit already exists: not unique")
    assert await bare.done("GET", f"/commits/{made['id']}") == made


async def test_records_that_are_refused(repo, frozen) -> None:
    made = await repo.done("GET", "/commits/main")
    other = "ab" * 32
    for body, text in [
        (record(made, commit_id=other), f"give {made['id']}"),
        (record(made, message="other"), "commit_id"),
        (record(made, commit_id="x", version=0), "64 hex digits"),
        (record(made, commit_id=other, version=0, parents=["x"]), "parents"),
        (record(made, commit_id=other, version=0, metarange_id="../x"), "metarange_id"),
        (record(made, version=2), "version"),
        (record(made, creation_date=-1), "creation_date"),
        (record(made, generation="x"), "generation"),
        ({}, "commit_id"),
    ]:
        refused(await repo.ask("POST", "/commits", json=body), 400, text)
    foreign = record(made, commit_id=other, version=0)
    refused(await frozen.ask("POST", "/commits", json=foreign), 403, "read-only repository")
    assert (await frozen.ask("POST", "/commits", json=foreign | {"force": True})).status_code == 204
    assert (await repo.ask("POST", "/commits", json=foreign)).status_code == 204
    assert (await repo.done("GET", f"/commits/{other}"))["version"] == 0
    refused(await repo.ask("GET", f"/commits/{'cd' * 32}"), 404, "not found")


async def test_histories_without_a_common_commit(repo) -> None:
    made = await repo.done("GET", "/commits/main")
    foreign = record(made, commit_id="ab" * 32, version=0)
    await repo.done("POST", "/commits", json=foreign)
    await repo.branch("stranger", "ab" * 32)
    await repo.put("a", branch="stranger")
    await repo.commit(branch="stranger")
    for method, path in (
        ("GET", "/refs/stranger/merge/main"),
        ("POST", "/refs/stranger/merge/main"),
        ("GET", "/refs/main/diff/stranger"),
        ("GET", "/refs/stranger/merge/main/conflicts"),
    ):
        refused(await repo.ask(method, path), 400, "no merge base")
    assert await repo.diff("/refs/main/diff/stranger", type="two_dot") == [("added", "a")]
