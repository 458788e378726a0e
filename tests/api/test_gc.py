# SPDX-License-Identifier: Apache-2.0
"""Garbage collection over REST."""

from __future__ import annotations

import io

import pytest

from lakehouse.gc.collect import GRACE, MARGIN
from lakehouse.gc.prepare import prepare_uncommitted
from lakehouse.versioning.work.sweeping import sweep
from tests.api.conftest import Repo, refused

pytestmark = pytest.mark.anyio
RULES = "/settings/gc_rules"
SETTINGS = {"default_retention_days": 7, "branches": [{"branch_id": "main", "retention_days": 30}]}


async def run(server, repo: Repo, **body):
    """The report of a run."""
    task = (await repo.done("POST", "/gc/runs", json=body))["id"]
    await server.application._lake.tasks.wait(task)
    status = await repo.done("GET", f"/gc/runs/{task}")
    assert status["done"]
    assert "error" not in status
    assert status["listed"] == status["report"]["listed"]
    return status["report"]


async def test_rules(repo) -> None:
    refused(await repo.ask("GET", RULES), 404, "not found")
    answer = await repo.ask("PUT", RULES, json=SETTINGS)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await repo.done("GET", RULES) == SETTINGS
    assert await repo.done("GET", "/gc/rules") == SETTINGS
    await repo.done("PUT", RULES, json={"default_retention_days": 3, "branches": None})
    assert await repo.done("GET", RULES) == {"default_retention_days": 3, "branches": []}
    assert (await repo.ask("DELETE", RULES)).status_code == 204
    refused(await repo.ask("GET", RULES), 404, "not found")
    assert (await repo.ask("POST", "/gc/rules", json=SETTINGS)).status_code == 204
    assert await repo.done("GET", RULES) == SETTINGS
    assert (await repo.ask("DELETE", "/gc/rules")).status_code == 204
    assert (await repo.ask("GET", "/gc/rules/set_allowed")).status_code == 204
    refused(await repo.ask("PUT", RULES, json={"default_retention_days": 0, "branches": []}), 400, "invalid value")
    refused(await repo.ask("PUT", RULES, json={"branches": []}), 400)


async def test_rules_where_they_cannot_be(repo, frozen) -> None:
    refused(await frozen.ask("PUT", RULES, json=SETTINGS), 403, "read-only repository")
    refused(await frozen.ask("DELETE", RULES), 403, "read-only repository")
    gone = Repo(repo.api, "nowhere")
    for method, path, body in [
        ("GET", RULES, None),
        ("PUT", RULES, SETTINGS),
        ("DELETE", RULES, None),
        ("GET", "/gc/rules/set_allowed", None),
        ("POST", "/gc/prepare_commits", None),
        ("POST", "/gc/prepare_commits/async", None),
        ("GET", "/gc/prepare_commits/status?id=x", None),
        ("POST", "/gc/prepare_uncommited", None),
        ("POST", "/gc/runs", None),
        ("GET", "/gc/runs", None),
        ("GET", "/gc/runs/x", None),
        ("DELETE", "/gc/candidates", None),
    ]:
        refused(await gone.ask(method, path, json=body), 404, "repository not found")


async def test_runs(server, repo) -> None:
    await repo.put("a", b"lost")
    await repo.put("a", b"kept")
    await repo.commit()
    lake = server.application._lake
    assert (await run(server, repo))["young"] == 1
    server.clock.now += lake.address_validity + MARGIN + 1
    await sweep(lake)
    dry = await run(server, repo, dry_run=True)
    assert (dry["waiting"], dry["dry_run"]) == (1, True)
    first = await run(server, repo)
    assert (first["waiting"], first["waiting_bytes"], first["deleted"]) == (1, 4, 0)
    server.clock.now += GRACE
    await repo.done("DELETE", "/gc/candidates")
    assert (await run(server, repo))["deleted"] == 0
    server.clock.now += GRACE
    last = await run(server, repo)
    assert (last["deleted"], last["deleted_bytes"]) == (1, 4)
    listed = (await repo.done("GET", "/gc/runs"))["results"]
    assert listed[0] == last
    assert len(listed) == 4
    assert (await repo.ask("GET", "/refs/main/objects", params={"path": "a"})).content == b"kept"
    refused(await repo.ask("GET", "/gc/runs/none"), 404, "not found")


async def test_an_expired_commit_is_gone(server, repo) -> None:
    await repo.put("a", b"1")
    old = (await repo.commit())["id"]
    await repo.put("a", b"2")
    await repo.commit()
    await repo.done("PUT", RULES, json={"default_retention_days": 1, "branches": []})
    server.clock.now += 10 * 86_400
    assert (await run(server, repo))["commits_expired"] == 2
    refused(await repo.ask("GET", f"/refs/{old}/objects/ls"), 410, "resource expired")
    refused(await repo.ask("GET", f"/refs/{old}/objects", params={"path": "a"}), 410, "resource expired")
    refused(await repo.ask("POST", "/branches", json={"name": "b", "source": old}), 410, "resource expired")
    assert (await repo.done("GET", f"/commits/{old}"))["id"] == old
    assert len((await repo.done("GET", "/refs/main/commits"))["results"]) == 3


async def test_prepare_commits(server, repo) -> None:
    refused(await repo.ask("POST", "/gc/prepare_commits"), 404, "not found")
    refused(await repo.ask("POST", "/gc/prepare_commits/async"), 404, "not found")
    await repo.done("PUT", RULES, json={"default_retention_days": 7, "branches": []})
    await repo.put("a")
    made = await repo.commit()
    answer = await repo.ask("POST", "/gc/prepare_commits")
    assert answer.status_code == 201
    namespace = (await repo.done("GET"))["storage_namespace"]
    prepared = answer.json()
    run_id = prepared["run_id"]
    assert prepared["gc_commits_location"] == (
        f"{namespace}_lakehouse/retention/gc/commits/run_id={run_id}/commits.csv"
    )
    assert prepared["gc_addresses_location"] == f"{namespace}_lakehouse/retention/gc/addresses/"
    async with server.client() as client:
        lines = (await client.get(prepared["gc_commits_presigned_url"])).text.splitlines()
    initial = made["parents"][0]
    assert lines[0] == "commit_id,expired,metarange_id"
    assert sorted(lines[1:]) == sorted([f"{made['id']},false,{made['meta_range_id']}", f"{initial},false,"])
    answer = await repo.ask("POST", "/gc/prepare_commits/async")
    assert answer.status_code == 202
    task = answer.json()["id"]
    assert task.startswith("GCPC")
    await server.application._lake.tasks.wait(task)
    status = await repo.done("GET", "/gc/prepare_commits/status", params={"id": task})
    assert (status["task_id"], status["completed"]) == (task, True)
    assert status["result"]["gc_commits_location"].endswith("/commits.csv")
    refused(await repo.ask("GET", "/gc/prepare_commits/status", params={"id": "GCPC"}), 404, "not found")


async def test_prepare_uncommitted(server, repo, frozen) -> None:
    from pyarrow import parquet

    answer = await repo.ask("POST", "/gc/prepare_uncommited")
    assert answer.status_code == 201
    assert answer.json()["gc_uncommitted_location"] == ""
    refused(
        await repo.ask("POST", "/gc/prepare_uncommited", json={"continuation_token": "?"}),
        400,
        "invalid continuation token",
    )
    refused(await frozen.ask("POST", "/gc/prepare_uncommited"), 403, "read-only repository")
    namespace = (await repo.done("GET"))["storage_namespace"]
    expected = {}
    await repo.branch("dev")
    for path, branch in (("a", "main"), ("b", "main"), ("c", "main"), ("a", "dev")):
        stats = await repo.put(path, branch=branch)
        expected[stats["physical_address"].removeprefix(namespace)] = stats["mtime"]
    await repo.remove("none")
    lake = server.application._lake
    place = lake.stores.place(namespace)
    found, token, runs, locations = {}, "", set(), set()
    while token is not None:
        page = await prepare_uncommitted(lake, repo.name, token, rows=2)
        runs.add(page.run)
        locations.add(page.location or None)
        token = page.token
    assert len(runs) == 1
    stored, _ = await place.store.objects.list(
        place.bucket, prefix=f"{place.prefix}_lakehouse/retention/gc/uncommitted/{page.run}/uncommitted/"
    )
    from lakehouse.objects.port import Location

    for one in stored:
        body = await (await place.store.objects.get(Location(place.bucket, one.key))).read()
        table = parquet.read_table(io.BytesIO(body)).to_pydict()
        found |= dict(zip(table["physical_address"], table["creation_date"], strict=True))
    assert found == expected
    folder = f"{namespace}_lakehouse/retention/gc/uncommitted/{page.run}/uncommitted/"
    assert locations - {None} == {folder}
