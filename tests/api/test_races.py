# SPDX-License-Identifier: Apache-2.0
"""Many REST requests at once: what can be had once is had once, and nothing else fails for being concurrent."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from lakehouse.versioning.refs.repositories import delete_repository

from .conftest import fresh_name, lines, make

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx2

pytestmark = pytest.mark.anyio


async def statuses(requests: Iterable) -> Counter[int]:
    answers: list[httpx2.Response] = await asyncio.gather(*requests)
    return Counter(answer.status_code for answer in answers)


async def test_one_repository_of_a_name(api) -> None:
    name = fresh_name()
    found = await statuses(api.post("/repositories", json={"name": name}) for _ in range(12))
    assert found == {201: 1, 409: 11}
    assert (await api.get(f"/repositories/{name}/branches/main")).status_code == 200


async def test_one_branch_or_tag_of_a_name(repo) -> None:
    branches = [repo.ask("POST", "/branches", json={"name": "one", "source": "main"}) for _ in range(8)]
    tags = [repo.ask("POST", "/tags", json={"id": "one", "ref": "main"}) for _ in range(8)]
    pairs = [request for pair in zip(branches, tags, strict=True) for request in pair]
    assert await statuses(pairs) == {201: 1, 409: 15}


async def test_one_creation_of_an_object(repo) -> None:
    headers = {"if-none-match": "*"}
    locations = [await repo.address("a") for _ in range(8)]
    uploads = [
        repo.ask("POST", "/branches/main/objects?path=a", content=f"{number}".encode(), headers=headers)
        for number in range(8)
    ]
    links = [
        repo.ask(
            "PUT",
            "/branches/main/staging/backing?path=a",
            json={"staging": location, "checksum": "c", "size_bytes": 1},
            headers=headers,
        )
        for location in locations
    ]
    found = await statuses(request for pair in zip(uploads, links, strict=True) for request in pair)
    assert found[412] == 15
    assert found[200] + found[201] == 1


async def test_commits_and_writes_at_once(repo) -> None:
    """Each write that was acknowledged is there, committed or not, whatever commits run beside it."""
    writes = [repo.ask("POST", f"/branches/main/objects?path=p{n:02}", content=b"x") for n in range(40)]
    commits = [repo.ask("POST", "/branches/main/commits", json={"message": str(n)}) for n in range(8)]
    answers = await asyncio.gather(*[task for n in range(8) for task in (*writes[n * 5 : n * 5 + 5], commits[n])])
    assert {answer.status_code for answer in answers} <= {201, 400}
    assert all("no changes" in answer.text for answer in answers if answer.status_code == 400)
    expected = [f"p{n:02}" for n in range(40)]
    assert await repo.paths() == expected
    await repo.ask("POST", "/branches/main/commits", json={"message": "rest"})
    assert await repo.paths("main@") == expected
    assert await repo.diff("/branches/main/diff") == []


async def test_merges_at_once(repo) -> None:
    for number in range(10):
        await repo.branch(f"b{number}")
        await repo.put(f"f{number}", branch=f"b{number}")
        await repo.commit(branch=f"b{number}")
    assert await statuses(repo.ask("POST", f"/refs/b{n}/merge/main") for n in range(10)) == {200: 10}
    assert await repo.paths() == [f"f{number}" for number in range(10)]
    log = await repo.done("GET", "/refs/main/commits?first_parent=true")
    assert log["pagination"]["results"] == 11


async def test_metadata_and_rules_at_once(repo) -> None:
    found = await statuses(repo.ask("POST", "/metadata", json={"metadata": {f"k{n}": "v"}}) for n in range(12))
    assert found == {204: 12}
    assert len(await repo.done("GET", "/metadata")) == 12
    found = await statuses(repo.ask("POST", "/branch_protection", json={"pattern": f"p{n}"}) for n in range(12))
    assert found == {204: 12}
    assert len(await repo.done("GET", "/branch_protection")) == 12


async def test_links_with_tokens_and_a_commit_at_once(repo) -> None:
    """A link is acknowledged or told to go on elsewhere; after one more round all are there."""
    locations = {f"p{n:02}": await repo.address(f"p{n:02}") for n in range(30)}
    await repo.put("first")
    links = [repo.link(path, location) for path, location in locations.items()]
    commits = [repo.ask("POST", "/branches/main/commits", json={"message": str(n)}) for n in range(3)]
    answers = await asyncio.gather(*links[:10], commits[0], *links[10:20], commits[1], *links[20:], commits[2])
    linked = [answer for answer in answers if "/staging/" in str(answer.url)]
    assert {answer.status_code for answer in linked} <= {200, 409}
    again = []
    for path, answer in zip(locations, linked, strict=True):
        if answer.status_code == 409:
            again.append({"path": path, "staging": answer.json(), "checksum": "c", "size_bytes": 1})
    answer = await repo.ask("PUT", "/branches/main/staging/links", content=lines(again))
    assert answer.json()["linked"] == len(again)
    assert set(locations) <= set(await repo.paths())


async def test_deletion_beside_everything_else(repo) -> None:
    await repo.put("a")
    await repo.commit()
    requests = [
        repo.ask("GET", "/refs/main/objects/ls"),
        repo.ask("POST", "/branches/main/objects?path=b", content=b"x"),
        repo.ask("POST", "/branches/main/commits", json={"message": "m"}),
        repo.ask("POST", "/branches", json={"name": "dev", "source": "main"}),
        repo.ask("DELETE"),
        repo.ask("DELETE"),
        repo.ask("GET", "/refs/main/commits"),
        repo.ask("PUT", "/branches/main/staging/links", content=b"[]"),
        repo.ask("PUT", "/settings/branch_protection", json=[{"pattern": "x"}]),
    ]
    found = await statuses(requests)
    assert max(found) < 500, found
    assert (await repo.ask("GET")).status_code == 404


@pytest.fixture
def before_call(server, monkeypatch):
    """A function: some work is done just before the `number`th call from now on that the engine makes to its database.
    It returns the list of works that are still to be done.
    """
    kind = type(server.application._lake.db)
    planned: list = []
    left = [0]

    def watched(name):
        real = getattr(kind, name)

        async def call(self, *arguments, **more):
            left[0] -= 1
            if planned and left[0] == 0:
                await planned.pop()()
            return await real(self, *arguments, **more)

        return call

    for name in ("one", "one_of_both", "all", "apply"):
        monkeypatch.setattr(kind, name, watched(name))

    def plan(number, work):
        left[0] = number
        planned[:] = [work]
        return planned

    return plan


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/refs/main/objects/ls", {}),
        ("GET", "/refs/main/commits", {}),
        ("POST", "/branches/main/objects?path=b", {"content": b"x"}),
        ("POST", "/branches/main/commits", {"json": {"message": "m"}}),
        ("POST", "/branches", {"json": {"name": "dev", "source": "main"}}),
        ("PUT", "/branches/main/staging/links", {"content": b""}),
        ("PUT", "/settings/branch_protection", {"json": [{"pattern": "x"}]}),
        ("DELETE", "", {}),
    ],
)
async def test_deletion_at_each_step(server, api, before_call, method, path, more) -> None:
    """The repository goes between any two calls of a request to the database: it is served or told so."""
    lake, steps, undisturbed = server.application._lake, 0, False
    while not undisturbed:
        repo, steps = await make(api), steps + 1
        await repo.put("a")
        await repo.commit()
        await repo.put("staged")
        planned = before_call(steps, lambda name=repo.name: delete_repository(lake, name, force=False))
        answer = await repo.ask(method, path, **more)
        undisturbed = bool(planned)
        planned.clear()
        await lake.background.drain()
        assert answer.status_code < 500, (steps, answer.text)
        assert answer.is_success or not undisturbed, answer.text
    assert steps > 2
