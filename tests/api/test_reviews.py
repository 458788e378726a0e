# SPDX-License-Identifier: Apache-2.0
"""Approvals and checks of pull requests over REST."""

from __future__ import annotations

import pytest

from tests.api.conftest import Repo, refused
from tests.api.people import as_user, make_user

pytestmark = pytest.mark.anyio
RULES = "/settings/merge_rules"


@pytest.fixture
async def pull(repo: Repo) -> str:
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    body = {"title": "t", "source_branch": "dev", "destination_branch": "main"}
    return (await repo.done("POST", "/pulls", json=body))["id"]


async def readiness(repo: Repo, pull: str):
    return await repo.done("GET", f"/pulls/{pull}/readiness")


async def test_rules(repo, frozen) -> None:
    assert await repo.done("GET", RULES) == []
    rules = [{"pattern": "main", "approvals": 2, "checks": ["tests"]}, {"pattern": "release-*"}]
    assert (await repo.ask("PUT", RULES, json=rules)).status_code == 204
    assert await repo.done("GET", RULES) == rules
    for bad in ([{"pattern": "["}], [{"pattern": "a", "approvals": -1}], [{"pattern": "a", "checks": [""]}], [{}]):
        refused(await repo.ask("PUT", RULES, json=bad), 400)
    refused(await frozen.ask("PUT", RULES, json=rules), 403, "read-only repository")


async def test_without_a_rule_that_matches_it_merges(repo, pull) -> None:
    await repo.done("PUT", RULES, json=[{"pattern": "release-*", "approvals": 9}])
    assert (await readiness(repo, pull))["ready"]
    await repo.done("PUT", f"/pulls/{pull}/merge")


async def test_approvals_and_checks(server, api, repo, pull) -> None:
    await repo.done("PUT", RULES, json=[{"pattern": "m*", "approvals": 1, "checks": ["tests"]}])
    found = await readiness(repo, pull)
    assert found["commit_id"] == await repo.head("dev")
    assert found["missing"] == ["0 of 1 approvals", "check tests has not passed"]
    refused(await repo.ask("PUT", f"/pulls/{pull}/merge"), 412, "0 of 1 approvals")
    refused(await repo.ask("PUT", f"/pulls/{pull}/review", json={"verdict": "approve"}), 400, "author")
    refused(await repo.ask("PUT", f"/pulls/{pull}/review", json={"verdict": "maybe"}), 400)
    async with as_user(server, api, await make_user(api, "Admins")) as ben:
        theirs = Repo(ben, repo.name)
        for state in ("pending", "failure"):
            await theirs.done("PUT", "/refs/dev/checks/tests", json={"state": state})
            assert "check tests has not passed" in (await readiness(repo, pull))["missing"]
        await theirs.done("PUT", "/refs/dev/checks/tests", json={"state": "success", "description": "all"})
        await theirs.done("PUT", f"/pulls/{pull}/review", json={"verdict": "reject", "comment": "no"})
        assert len((await readiness(repo, pull))["missing"]) == 2
        await theirs.done("PUT", f"/pulls/{pull}/review", json={"verdict": "approve"})
        found = await readiness(repo, pull)
        assert (found["ready"], found["missing"], len(found["reviews"])) == (True, [], 1)
        assert found["checks"][0]["description"] == "all"
        await repo.put("b", branch="dev")
        await repo.commit(branch="dev")
        assert len((await readiness(repo, pull))["missing"]) == 2
        refused(await repo.ask("PUT", f"/pulls/{pull}/merge"), 412, "cannot be merged yet")
        await theirs.done("PUT", f"/pulls/{pull}/review", json={"verdict": "approve"})
        await theirs.done("PUT", "/refs/dev/checks/tests", json={"state": "success"})
    await repo.done("PUT", f"/pulls/{pull}/merge")
    log = await repo.done("GET", "/refs/main/commits")
    assert log["results"][0]["message"] == "Merge 'dev' into 'main'"
    assert (await readiness(repo, pull))["missing"] == []


async def test_what_moves_on_while_it_is_merged_is_not_merged(server, repo, pull, monkeypatch) -> None:
    from lakehouse.versioning.pulls import reviews

    require = reviews.require_ready
    reviewed = await repo.head("dev")

    async def late(lake, repository, number):
        found = await require(lake, repository, number)
        await repo.put("b", branch="dev")
        await repo.commit(branch="dev")
        return found

    monkeypatch.setattr(reviews, "require_ready", late)
    merged = (await repo.done("PUT", f"/pulls/{pull}/merge"))["reference"]
    assert (await repo.done("GET", f"/commits/{merged}"))["parents"][1] == reviewed
    assert await repo.paths() == ["a"]


async def test_what_is_not_there(repo) -> None:
    none = "0" * 20
    refused(await repo.ask("GET", f"/pulls/{none}/readiness"), 404, "pull request not found")
    refused(await repo.ask("PUT", f"/pulls/{none}/review", json={"verdict": "reject"}), 404, "pull request not found")
    refused(await repo.ask("PUT", "/refs/none/checks/x", json={"state": "success"}), 404, "not found")
