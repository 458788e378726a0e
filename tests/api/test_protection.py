# SPDX-License-Identifier: Apache-2.0
"""Branch protection over REST: the rules, their versions, what they stop and what they do not."""

from __future__ import annotations

import pytest

from .conftest import Repo, refused

pytestmark = pytest.mark.anyio

RULES = "/settings/branch_protection"


async def test_rules_and_their_version(repo) -> None:
    answer = await repo.ask("GET", RULES)
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, [], "")
    body = [{"pattern": "main"}, {"pattern": "release-*"}, {"pattern": "main"}]
    answer = await repo.ask("PUT", RULES, json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    answer = await repo.ask("GET", RULES)
    assert sorted(one["pattern"] for one in answer.json()) == ["main", "release-*"]
    version = answer.headers["etag"]
    assert version
    assert '"' not in version

    async def replace(expected: str, *patterns: str):
        body = [{"pattern": one} for one in patterns]
        return await repo.ask("PUT", RULES, json=body, headers={"if-match": expected})

    refused(await replace("", "x"), 412, "Precondition failed")
    refused(await replace("another", "x"), 412, "Precondition failed")
    assert (await repo.ask("GET", RULES)).headers["etag"] == version
    assert (await replace(version, "x")).status_code == 204
    refused(await replace(version, "y"), 412, "Precondition failed")
    newer = (await repo.ask("GET", RULES)).headers["etag"]
    assert (await replace(f'"{newer}"')).status_code == 204
    assert await repo.done("GET", RULES) == []


async def test_only_when_nothing_is_stored(repo) -> None:
    for expected in (204, 412):
        answer = await repo.ask("PUT", RULES, json=[{"pattern": "a"}], headers={"if-match": ""})
        assert answer.status_code == expected


async def test_the_older_operations(repo) -> None:
    path = "/branch_protection"
    assert await repo.done("GET", path) == []
    for pattern in ("b", "a", "a"):
        assert (await repo.ask("POST", path, json={"pattern": pattern})).status_code == 204
    assert await repo.done("GET", path) == [{"pattern": "a"}, {"pattern": "b"}]
    assert (await repo.ask("DELETE", path, json={"pattern": "a"})).status_code == 204
    answer = await repo.ask("DELETE", path, json={"pattern": "a"})
    assert (answer.status_code, answer.content) == (404, b"")
    assert await repo.done("GET", RULES) == [{"pattern": "b"}]
    answer = await repo.ask("GET", f"{path}/set_allowed")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("body", [None, {}, [{}], [{"pattern": ""}], [{"pattern": 1}], ["main"]])
async def test_bad_bodies(repo, body: object) -> None:
    refused(await repo.ask("PUT", RULES, json=body), 400, "validation error")


@pytest.mark.parametrize(
    "pattern", ["[z-a]", "[", "a[", "[!]", "[]", "{a", "{a,{b}", "a}b", "*" * 300, "a" * 300, "\\"]
)
async def test_odd_patterns_are_refused_or_harmless(repo, pattern: str) -> None:
    """What is stored never makes a later write fail in any other way than by protection."""
    answer = await repo.ask("PUT", RULES, json=[{"pattern": pattern}])
    if answer.status_code != 204:
        refused(answer, 400, "pattern")
        assert await repo.done("GET", RULES) == []
        return
    answer = await repo.ask("POST", "/branches/main/objects?path=a", content=b"x")
    assert answer.status_code in (201, 403), answer.text


@pytest.mark.parametrize(
    ("pattern", "protected", "free"),
    [
        ("main", ["main"], ["mains", "xmain"]),
        ("rel-*", ["rel-", "rel-1"], ["rel", "xrel-1"]),
        ("v?", ["v1"], ["v", "v12"]),
        ("v[0-9]", ["v1"], ["va"]),
        ("v[!0-9]", ["va"], ["v1"]),
        ("{dev,prod}-*", ["dev-1", "prod-2"], ["test-1"]),
        ("*", ["anything"], []),
    ],
)
async def test_globs(repo, pattern: str, protected: list[str], free: list[str]) -> None:
    for name in {*protected, *free} - {"main"}:
        await repo.branch(name)
    await repo.protect(pattern)
    for name in protected:
        answer = await repo.ask("POST", f"/branches/{name}/objects?path=a", content=b"x")
        refused(answer, 403, "cannot write to protected branch")
    for name in free:
        await repo.put("a", branch=name)


async def test_many_stars_cost_little(repo) -> None:
    name = "a" * 250
    await repo.branch(name)
    await repo.protect("*a" * 120 + "b")
    assert (await repo.ask("POST", f"/branches/{name}/objects?path=a", content=b"x")).status_code == 201


async def test_what_protection_stops(repo) -> None:
    for path in ("a", "b"):
        await repo.put(path)
    await repo.commit()
    location = await repo.address("x")
    await repo.put("uncommitted")
    await repo.protect("main")
    link = {"staging": location, "checksum": "c", "size_bytes": 1, "force": True}
    stage = {"physical_address": location["physical_address"], "checksum": "c", "size_bytes": 1}
    for method, path, body in [
        ("POST", "/objects?path=x", None),
        ("PUT", "/objects?path=x", stage),
        ("DELETE", "/objects?path=a", None),
        ("POST", "/objects/copy?dest_path=x", {"src_path": "a"}),
        ("PUT", "/objects/stat/user_metadata?path=a", {"set": {}}),
        ("PUT", "/staging/backing?path=x", link),
        ("PUT", "/staging/links", [{**link, "path": "x"}]),
        ("PUT", "", {"type": "reset"}),
        ("PUT", "", {"type": "object", "path": "uncommitted"}),
        ("PUT", "", {"type": "common_prefix", "path": "u"}),
        ("PUT", "/hard_reset?ref=main~1", None),
        ("GET", "/objects/stage_allowed?path=x", None),
    ]:
        refused(await repo.ask(method, f"/branches/main{path}", json=body), 403, "cannot write to protected branch")
    answer = await repo.ask("POST", "/branches/main/commits", json={"message": "m", "force": True})
    refused(answer, 403, "cannot commit to protected branch")
    assert await repo.paths() == ["a", "b", "uncommitted"]


async def test_what_protection_does_not_stop(repo) -> None:
    await repo.put("a")
    await repo.commit()
    await repo.branch("dev")
    await repo.put("b", branch="dev")
    picked = await repo.commit(branch="dev")
    await repo.put("c", branch="dev")
    await repo.commit(branch="dev")
    await repo.branch("other")
    await repo.protect("*")
    assert (await repo.ask("POST", "/branches/main/cherry-pick", json={"ref": picked["id"]})).status_code == 201
    assert (await repo.ask("POST", "/refs/dev/merge/main")).status_code == 200
    body = {"ref": "main", "parent_number": 1}
    assert (await repo.ask("POST", "/branches/main/revert", json=body)).status_code == 204
    assert (await repo.ask("DELETE", "/branches/other")).status_code == 204
    assert (await repo.ask("POST", "/branches", json={"name": "new", "source": "main"})).status_code == 201


async def test_rules_of_a_read_only_repository(frozen) -> None:
    refused(await frozen.ask("PUT", RULES, json=[{"pattern": "x"}]), 403, "read-only repository")
    refused(await frozen.ask("POST", "/branch_protection", json={"pattern": "x"}), 403, "read-only repository")
    refused(await frozen.ask("DELETE", "/branch_protection", json={"pattern": "x"}), 403, "read-only repository")


async def test_unknown_repository(api) -> None:
    gone = Repo(api, "no-such-repository")
    for method, path, body in [
        ("GET", RULES, None),
        ("PUT", RULES, []),
        ("GET", "/branch_protection", None),
        ("POST", "/branch_protection", {"pattern": "x"}),
        ("DELETE", "/branch_protection", {"pattern": "x"}),
        ("GET", "/branch_protection/set_allowed", None),
    ]:
        refused(await gone.ask(method, path, json=body), 404, "repository not found")
