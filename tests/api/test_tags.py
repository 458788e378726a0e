# SPDX-License-Identifier: Apache-2.0
"""Tags over REST."""

from __future__ import annotations

import pytest

from .conftest import Repo, refused

pytestmark = pytest.mark.anyio


async def test_a_tag(repo) -> None:
    await repo.put("a")
    made = await repo.commit()
    for name, ref in (("v1", "main"), ("v2", made["id"]), ("v3", "main@"), ("v4", "v1"), ("v5", made["id"][:16])):
        answer = await repo.ask("POST", "/tags", json={"id": name, "ref": ref})
        assert answer.status_code == 201
        assert answer.json() == {"id": name, "commit_id": made["id"]}
        assert await repo.done("GET", f"/tags/{name}") == answer.json()
    assert (await repo.done("POST", "/tags", json={"id": "v0", "ref": "main~1"}))["commit_id"] == made["parents"][0]
    assert await repo.paths("v1") == ["a"]
    assert await repo.paths("v1~1") == []
    refused(await repo.ask("GET", "/refs/v1@/objects/ls"), 400, "invalid ref")
    refused(await repo.ask("GET", "/refs/v1$/objects/ls"), 400, "invalid ref")


@pytest.mark.parametrize(
    "name",
    [
        "", "@", "a/b", "/a", "a.", "a.lock", "a..b", "a@{b", "a b", "a\tb", "a\x00", "a\x7f", "a^b", "a:b", "a?b",
        "a*b", "a[b", "a\\b", "a" * 256,
    ],
)  # fmt: skip
async def test_bad_names(repo, name: str) -> None:
    refused(await repo.ask("POST", "/tags", json={"id": name, "ref": "main"}), 400, "validation error")
    assert (await repo.done("GET", "/tags"))["results"] == []


@pytest.mark.parametrize("name", ["1.0", "v~1", "a@b", "-x", "ä", "a" * 255, "x$", "1"])
async def test_names_that_branches_cannot_have(repo, name: str) -> None:
    await repo.done("POST", "/tags", json={"id": name, "ref": "main"})
    answer = await repo.ask("POST", "/tags", json={"id": name, "ref": "main"})
    refused(answer, 409, "tag already exists: not unique")
    assert [one["id"] for one in (await repo.done("GET", "/tags"))["results"]] == [name]
    assert (await repo.done("GET", f"/tags/{name}"))["id"] == name
    assert (await repo.ask("DELETE", f"/tags/{name}")).status_code == 204


async def test_names_are_shared_with_branches_and_commits(repo) -> None:
    await repo.branch("dev")
    for name in ("dev", "main", await repo.head()):
        refused(await repo.ask("POST", "/tags", json={"id": name, "ref": "main"}), 409, "not unique")
    refused(await repo.ask("POST", "/tags", json={"id": "dev", "ref": "main", "force": True}), 409, "not unique")


@pytest.mark.parametrize(
    ("ref", "status", "text"),
    [
        ("main$", 400, "reference to staging area with $ is not a commit"),
        ("nowhere", 404, "not found"),
        ("main~1", 404, "not found"),
        ("", 400, "invalid ref"),
        ("main~x", 400, "invalid ref"),
    ],
)
async def test_bad_refs(repo, ref: str, status: int, text: str) -> None:
    refused(await repo.ask("POST", "/tags", json={"id": "v1", "ref": ref}), status, text)


async def test_deletion(repo) -> None:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    await repo.done("POST", "/tags", json={"id": "kept", "ref": "dev"})
    await repo.done("DELETE", "/branches/dev")
    assert await repo.paths("kept") == ["a"]
    answer = await repo.ask("DELETE", "/tags/kept")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await repo.ask("DELETE", "/tags/kept"), 404, "tag not found")
    refused(await repo.ask("GET", "/tags/kept"), 404, "tag not found")
    refused(await repo.ask("GET", "/tags/main"), 404, "tag not found")
    refused(await repo.ask("DELETE", "/tags/main"), 404, "tag not found")
    assert (await repo.ask("GET", "/branches/main")).status_code == 200


async def test_lists(repo) -> None:
    for name in ("Āb", "v2", "ÿa", "v10", "v1"):
        await repo.done("POST", "/tags", json={"id": name, "ref": "main"})

    async def page(**query: object) -> tuple[list[str], dict]:
        answer = await repo.done("GET", "/tags", params=query)
        return [one["id"] for one in answer["results"]], answer["pagination"]

    assert (await page())[0] == ["v1", "v10", "v2", "ÿa", "Āb"]
    assert await page(prefix="v", amount=2) == (
        ["v1", "v10"],
        {"has_more": True, "next_offset": "v10", "results": 2, "max_per_page": 1000},
    )
    assert (await page(prefix="v", after="v10"))[0] == ["v2"]
    assert (await page(prefix="ÿ"))[0] == ["ÿa"]
    assert (await page(after="ÿa"))[0] == ["Āb"]
    refused(await repo.ask("GET", "/tags?amount=1001"), 400, "amount")


async def test_unknown_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    refused(await gone.ask("GET", "/tags"), 404, "repository not found")
    refused(await gone.ask("POST", "/tags", json={"id": "v1", "ref": "main"}), 404, "repository not found")
    refused(await gone.ask("GET", "/tags/v1"), 404, "repository not found")
    refused(await gone.ask("DELETE", "/tags/v1"), 404, "repository not found")
