# SPDX-License-Identifier: Apache-2.0
"""Pull requests over REST."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.api.conftest import Repo, make, refused
from tests.api.people import allow, as_user, make_user

pytestmark = pytest.mark.anyio
NOBODY = "0" * 20


@pytest.fixture
async def proposed(repo: Repo) -> str:
    """A pull request from `dev`, which adds `b`, to `main`."""
    await repo.put("a")
    await repo.commit()
    await repo.branch("dev")
    await repo.put("b", branch="dev")
    await repo.commit(branch="dev")
    return await propose(repo)


async def propose(repo: Repo, source: str = "dev", destination: str = "main", **more: str) -> str:
    body = {"title": "t", "source_branch": source, "destination_branch": destination, **more}
    return (await repo.done("POST", "/pulls", json=body))["id"]


async def test_create_and_get(repo, proposed, server) -> None:
    pull = await propose(repo, description="why")
    assert re.fullmatch(r"[0-9a-v]{20}", pull)
    answer = await repo.ask("GET", f"/pulls/{pull}")
    assert answer.json() == {
        "id": pull,
        "status": "open",
        "title": "t",
        "description": "why",
        "author": "admin",
        "creation_date": "2025-06-15T15:06:40Z",
        "source_branch": "dev",
        "destination_branch": "main",
    }
    assert (await repo.done("GET", f"/pulls/{proposed}"))["description"] == ""


async def test_what_cannot_be_created(repo, proposed, frozen) -> None:
    def body(source: str, destination: str) -> dict[str, str]:
        return {"title": "t", "source_branch": source, "destination_branch": destination}

    refused(await repo.ask("POST", "/pulls", json=body("a/b", "main")), 400, "src")
    refused(await repo.ask("POST", "/pulls", json=body("dev", "main~1")), 400, "dest")
    refused(await repo.ask("POST", "/pulls", json=body("none", "main")), 404, "branch not found")
    refused(await repo.ask("POST", "/pulls", json=body("dev", "none")), 404, "branch not found")
    refused(await repo.ask("POST", "/pulls", json=body("dev", "dev")), 400, "same branch")
    refused(await repo.ask("POST", "/pulls", json={"title": "t"}), 400)
    refused(await frozen.ask("POST", "/pulls", json=body("main", "main")), 400, "same branch")
    refused(await Repo(repo.api, "nowhere").ask("POST", "/pulls", json=body("a", "b")), 404, "repository not found")


async def test_ids_that_are_none(repo) -> None:
    for method, path in [("GET", ""), ("PATCH", ""), ("PUT", "/merge")]:
        body = {} if method == "PATCH" else None
        refused(await repo.ask(method, f"/pulls/{NOBODY}{path}", json=body), 404, "pull request not found")
        refused(await repo.ask(method, f"/pulls/nonsense{path}", json=body), 400, "pull request id: invalid value")


async def test_lists_are_newest_first_and_by_status(repo, proposed, server) -> None:
    server.clock.now += 1
    second = await propose(repo, description="not in lists")
    server.clock.now += 1
    third = await propose(repo)
    await repo.done("PATCH", f"/pulls/{second}", json={"status": "closed"})
    await repo.done("PUT", f"/pulls/{proposed}/merge")

    async def ids(**query: object) -> list[str]:
        return [one["id"] for one in (await repo.done("GET", "/pulls", params=query))["results"]]

    assert await ids() == await ids(status="all") == [third, second, proposed]
    assert await ids(status="open") == [third]
    assert await ids(status="closed") == [second, proposed]
    assert await ids(after=third) == [second, proposed]
    assert await ids(prefix=second) == [second]
    refused(await repo.ask("GET", "/pulls", params={"status": "merged"}), 400)
    page = await repo.done("GET", "/pulls", params={"amount": 2})
    assert page["pagination"] == {"has_more": True, "next_offset": second, "results": 2, "max_per_page": 1000}
    assert all(one["description"] == "" and "merged_commit_id" not in one for one in page["results"])


async def test_update(repo, proposed) -> None:
    url = f"/pulls/{proposed}"
    answer = await repo.ask("PATCH", url, json={"title": "new"})
    assert (answer.status_code, answer.content) == (204, b"")
    await repo.done("PATCH", url, json={"description": "d"})
    found = await repo.done("GET", url)
    assert (found["title"], found["description"], found["status"]) == ("new", "d", "open")
    for status in ("closed", "merged"):
        await repo.done("PATCH", url, json={"status": status})
        found = await repo.done("GET", url)
        assert (found["status"], found["closed_date"]) == (status, found["creation_date"])
    await repo.done("PATCH", url, json={"status": "open"})
    assert "closed_date" not in await repo.done("GET", url)
    refused(await repo.ask("PATCH", url, json={"status": "done"}), 400)


async def test_merge(repo, proposed) -> None:
    merged = await repo.done("PUT", f"/pulls/{proposed}/merge")
    assert merged["reference"] == await repo.head()
    assert await repo.paths() == ["a", "b"]
    found = await repo.done("GET", f"/pulls/{proposed}")
    assert (found["status"], found["merged_commit_id"]) == ("merged", merged["reference"])
    assert "closed_date" in found
    refused(await repo.ask("PUT", f"/pulls/{proposed}/merge"), 400, "bad pull request status")


async def test_what_cannot_be_merged(repo, proposed) -> None:
    merge = f"/pulls/{proposed}/merge"
    await repo.put("dirt")
    refused(await repo.ask("PUT", merge), 400, "uncommitted changes (dirty branch)")
    await repo.remove("dirt")
    await repo.put("b", b"other")
    await repo.commit()
    refused(await repo.ask("PUT", merge), 409, "conflict found")
    await repo.done("PATCH", f"/pulls/{proposed}", json={"status": "closed"})
    refused(await repo.ask("PUT", merge), 400, "bad pull request status")
    await repo.branch("same")
    nothing = await propose(repo, "same")
    refused(await repo.ask("PUT", f"/pulls/{nothing}/merge"), 400, "no changes")
    assert (await repo.done("GET", f"/pulls/{nothing}"))["status"] == "open"


async def test_a_branch_that_is_gone(repo, proposed) -> None:
    await repo.done("DELETE", "/branches/dev")
    await repo.done("POST", "/tags", json={"id": "dev", "ref": "main"})
    refused(await repo.ask("PUT", f"/pulls/{proposed}/merge"), 404, "branch not found")


async def test_one_of_two_mergers_wins(repo, proposed) -> None:
    before = await repo.head()
    answers = await asyncio.gather(*[repo.ask("PUT", f"/pulls/{proposed}/merge") for _ in range(4)])
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    log = await repo.done("GET", "/refs/main/commits", params={"first_parent": True})
    assert log["results"][1]["id"] == before


async def test_pull_requests_go_with_their_repository(api, repo, proposed) -> None:
    await repo.done("DELETE")
    again = await make(api, name=repo.name)
    assert (await again.done("GET", "/pulls"))["results"] == []


async def test_merging_needs_the_destination_and_the_pull_request(api, server, repo, proposed) -> None:
    user = await make_user(api)
    async with as_user(server, api, user) as client:
        url = f"/repositories/{repo.name}/pulls/{proposed}/merge"
        refused(await client.put(url), 401, "insufficient permissions: not allowed to fs:CreateCommit")
        await allow(api, user, "fs:CreateCommit", on=f"arn:lakefs:fs:::repository/{repo.name}/branch/main")
        refused(await client.put(url), 401, "insufficient permissions: not allowed to pr:WritePullRequest")
        await allow(api, user, "pr:WritePullRequest", on=f"arn:lakefs:fs:::repository/{repo.name}")
        assert (await client.put(url)).status_code == 200
