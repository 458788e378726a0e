# SPDX-License-Identifier: Apache-2.0
"""Imports over REST: from the embedded store and from directories."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.objects.port import Location
from tests.api.conftest import (
    KEY,
    SECRET,
    Hands,
    Repo,
    fresh_name,
    make,
    read_object,
    refused,
    settings_of,
    started,
    stat_object,
)
from tests.api.people import allow, as_user, make_user

pytestmark = pytest.mark.anyio
BUCKET = "lake.local"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def server(request, tmp_path_factory):
    """A server on each database that may import from a directory."""
    folder = tmp_path_factory.mktemp("shared")
    for path, content in {"one.csv": "1", "deep/two.csv": "22", "other/three.csv": "333"}.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    made = await started(
        tmp_path_factory.mktemp("data"), Hands(), directories=(f"shared={folder}",), **settings_of(request)
    )
    yield made
    await made.application.stop()


@pytest.fixture
async def outside(server) -> str:
    """A prefix in the embedded bucket that no repository has, with three objects below it."""
    name = fresh_name()
    store = server.application._lake.stores.default.objects
    for key in ("in/a", "in/b/c", "inner"):
        await store.put(Location(BUCKET, f"free/{name}/{key}"), key.encode(), content_type="text/plain")
    return f"s3://{BUCKET}/free/{name}/"


def source(path: str, destination: str = "", kind: str = "common_prefix") -> dict[str, str]:
    return {"type": kind, "path": path, "destination": destination}


async def begin(repo: Repo, *sources: dict[str, str], branch: str = "main", **more) -> str:
    body = {"paths": list(sources), "commit": {"message": ""}, **more}
    answer = await repo.ask("POST", f"/branches/{branch}/import", json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def status(repo: Repo, task: str):
    return await repo.done("GET", "/branches/main/import", params={"id": task})


async def imported(server, repo: Repo, *sources: dict[str, str], **more):
    """The status of an import that is over."""
    task = await begin(repo, *sources, **more)
    await server.application._lake.tasks.wait(task)
    return await status(repo, task)


async def test_a_prefix_becomes_a_commit(server, repo, outside) -> None:
    head = await repo.head()
    done = await imported(
        server, repo, source(f"{outside}in/", "here"), commit={"message": "m", "metadata": {"k": "v"}}
    )
    commit = done["commit"]
    assert done["completed"]
    assert "error" not in done
    assert done["ingested_objects"] == 2
    assert done["update_time"].endswith("Z")
    assert done["metarange_id"] == commit["meta_range_id"]
    assert (commit["parents"], commit["message"], commit["committer"]) == ([head], "m", "admin")
    assert commit["metadata"] == {"k": "v", ".lakefs.merge.strategy": "source-wins"}
    assert await repo.head() == commit["id"]
    assert await repo.paths() == ["here/a", "here/b/c"]
    stat = await stat_object(repo, "here/b/c")
    assert stat["physical_address"] == f"{outside}in/b/c"
    assert (stat["size_bytes"], stat["content_type"]) == (6, "text/plain")
    assert (await read_object(repo, "here/b/c")).content == b"in/b/c"
    metadata = await repo.done("GET", "/metadata")
    assert metadata[".lakefs.last.import.timestamp"] == str(commit["creation_date"])


async def test_a_prefix_without_a_slash_matches_siblings(server, repo, outside) -> None:
    done = await imported(server, repo, source(f"{outside}in"))
    assert done["commit"]["message"] == "Import objects"
    assert await repo.paths() == ["in/a", "in/b/c", "inner"]


async def test_what_stood_there_goes_unless_it_is_to_stay(server, repo, outside) -> None:
    for path in ("here/old", "here/a", "hereafter", "other"):
        await repo.put(path)
    await repo.commit()
    await imported(server, repo, source(f"{outside}in/", "here/"), mode="add")
    assert await repo.paths() == ["here/a", "here/b/c", "here/old", "hereafter", "other"]
    assert (await read_object(repo, "here/a")).content == b"in/a"
    await imported(server, repo, source(f"{outside}in/", "here/"))
    assert await repo.paths() == ["here/a", "here/b/c", "hereafter", "other"]
    await imported(server, repo, source(f"{outside}inner", "other", "object"), source(f"{outside}in/b/", "here"))
    assert await repo.paths() == ["here/c", "hereafter", "other"]


async def test_of_overlapping_sources_one_stands(server, repo, outside) -> None:
    done = await imported(server, repo, source(f"{outside}in/", "x"), source(f"{outside}inner", "x/a", "object"))
    assert done["ingested_objects"] == 2
    assert (await read_object(repo, "x/a")).content == b"inner"


async def test_a_directory(server, repo) -> None:
    await imported(server, repo, source("local://shared/", "d"), source("local://shared/deep/two.csv", "t", "object"))
    assert await repo.paths() == ["d/deep/two.csv", "d/one.csv", "d/other/three.csv", "t"]
    answer = await read_object(repo, "d/deep/two.csv")
    assert (answer.content, answer.headers["content-type"]) == (b"22", "text/csv")
    assert (await stat_object(repo, "t"))["physical_address"] == "local://shared/deep/two.csv"
    copied = await repo.ask("POST", "/branches/main/objects/copy", params={"dest_path": "copy"}, json={"src_path": "t"})
    assert copied.status_code == 201
    assert (await read_object(repo, "copy")).content == b"22"


async def test_nothing_to_import_is_a_commit(server, repo) -> None:
    done = await imported(server, repo)
    assert (done["completed"], done["ingested_objects"]) == (True, 0)
    assert await repo.head() == done["commit"]["id"]


async def test_a_second_import_keeps_entries_as_they_are(server, repo, outside) -> None:
    first = await imported(server, repo, source(outside))
    server.clock.now += 1
    second = await imported(server, repo, source(outside))
    assert second["commit"]["id"] != first["commit"]["id"]
    assert second["metarange_id"] == first["metarange_id"]


async def test_sources_that_are_refused(server, repo, api, outside) -> None:
    own = (await repo.done("GET"))["storage_namespace"]
    other = (await (await make(api)).done("GET"))["storage_namespace"]
    for bad in (own, f"{own}data/", other, f"{other}_lakehouse/", f"s3://{BUCKET}/", f"s3://{BUCKET}/rep", own[:-1]):
        answer = await repo.ask(
            "POST", "/branches/main/import", json={"paths": [source(bad)], "commit": {"message": ""}}
        )
        refused(answer, 400, "invalid import source")
    for bad in ("file:///etc/", "local://none/", "local:///etc/", "s3://b/../c", "x", "", "gs://b/c"):
        answer = await repo.ask(
            "POST", "/branches/main/import", json={"paths": [source(bad)], "commit": {"message": ""}}
        )
        refused(answer, 400, "invalid import source")
    body = {"paths": [source(f"{outside}inner", "", "object")], "commit": {"message": ""}}
    refused(await repo.ask("POST", "/branches/main/import", json=body), 400, "invalid import source")
    body = {"paths": [source(outside, kind="folder")], "commit": {"message": ""}}
    refused(await repo.ask("POST", "/branches/main/import", json=body), 400)
    assert await repo.paths() == []


async def test_what_is_not_there(repo, outside, frozen) -> None:
    body = {"paths": [source(outside)], "commit": {"message": ""}}
    refused(await repo.ask("POST", "/branches/none/import", json=body), 404, "branch not found")
    refused(
        await Repo(repo.api, "nowhere").ask("POST", "/branches/main/import", json=body), 404, "repository not found"
    )
    refused(await frozen.ask("POST", "/branches/main/import", json=body), 403, "read-only repository")
    for method in ("GET", "DELETE"):
        refused(await repo.ask(method, "/branches/main/import", params={"id": "none"}), 404, "not found")
        refused(await repo.ask(method, "/branches/main/import", params={"id": ""}), 400)


async def test_errors_are_in_the_status(server, repo, outside) -> None:
    missing = await imported(server, repo, source(f"{outside}nothing", "n", "object"))
    assert not missing["completed"]
    assert "no such object" in missing["error"]["message"]
    await repo.put("dirt")
    dirty = await imported(server, repo, source(outside))
    assert "dirty branch" in dirty["error"]["message"]
    assert "commit" not in dirty


async def test_import_into_protected_and_read_only(server, repo, frozen, outside) -> None:
    await repo.protect("*")
    assert (await imported(server, repo, source(outside)))["completed"]
    assert (await imported(server, frozen, source(outside), force=True))["completed"]


async def test_cancel(server, repo, outside, monkeypatch) -> None:
    store = server.application._lake.stores.default.objects
    reached, go = asyncio.Event(), asyncio.Event()
    listed = store.list

    async def held(*args, **query):
        reached.set()
        await go.wait()
        return await listed(*args, **query)

    monkeypatch.setattr(store, "list", held)
    before = await repo.head()
    task = await begin(repo, source(outside))
    await reached.wait()
    assert not (await status(repo, task))["completed"]
    answer = await repo.ask("DELETE", "/branches/main/import", params={"id": task})
    assert (answer.status_code, answer.content) == (204, b"")
    go.set()
    await server.application._lake.tasks.wait(task)
    assert (await repo.ask("DELETE", "/branches/main/import", params={"id": task})).status_code == 204
    canceled = await status(repo, task)
    assert (canceled["completed"], canceled["error"]["message"]) == (False, "Canceled")
    server.clock.now += 5
    assert (await status(repo, task))["update_time"] == canceled["update_time"]
    assert await repo.head() == before


async def test_what_is_done_cannot_be_canceled(server, repo) -> None:
    task = await begin(repo)
    await server.application._lake.tasks.wait(task)
    refused(await repo.ask("DELETE", "/branches/main/import", params={"id": task}), 409)


async def test_an_import_goes_on_after_a_restart(tmp_path) -> None:
    clock = Hands()
    first = await started(tmp_path / "data", clock)
    lake = first.application._lake
    store = lake.stores.default.objects
    for number in range(3):
        await store.put(Location(BUCKET, f"free/{number}"), b"x")
    reached = asyncio.Event()

    async def stuck(*_args, **_query):
        reached.set()
        await asyncio.Event().wait()

    store.list = stuck
    async with first.client(auth=(KEY, SECRET)) as api:
        repo = await make(api)
        task = await begin(repo, source(f"s3://{BUCKET}/free/"))
        await reached.wait()
    await first.application.stop()
    second = await started(tmp_path / "data", clock)
    from lakehouse.server.app import WORKS
    from lakehouse.versioning.work.working import resume_tasks

    clock.now += 1
    await resume_tasks(second.application._lake, WORKS)
    await second.application._lake.tasks.wait(task)
    async with second.client(auth=(KEY, SECRET)) as api:
        repo = Repo(api, repo.name)
        done = await status(repo, task)
        assert (done["completed"], done["ingested_objects"]) == (True, 3)
        assert await repo.paths() == ["0", "1", "2"]
    await second.application.stop()


async def test_importing_needs_the_source_and_the_destinations(server, api, repo, outside) -> None:
    user = await make_user(api)
    body = {"paths": [source(outside, "in")], "commit": {"message": ""}}
    url = f"/repositories/{repo.name}/branches/main/import"
    branch = f"arn:lakefs:fs:::repository/{repo.name}/branch/main"
    steps = [
        ("fs:WriteObject", branch),
        ("fs:CreateCommit", branch),
        ("fs:ImportFromStorage", f"arn:lakefs:fs:::namespace/{outside}*"),
        ("fs:WriteObject", f"arn:lakefs:fs:::repository/{repo.name}/object/in/*"),
    ]
    async with as_user(server, api, user) as client:
        for action, resource in steps:
            refused(await client.post(url, json=body), 401, f"not allowed to {action}")
            await allow(api, user, action, on=resource)
        assert (await client.post(url, json=body)).status_code == 202


async def test_nothing_below_a_prefix_may_be_denied(server, api, repo, outside) -> None:
    """Who may write and read around a denied place does not get there by taking all of it at once."""
    user = await make_user(api)
    await allow(api, user, "fs:*")
    body = {"paths": [source(outside, "here")], "commit": {"message": ""}}
    async with as_user(server, api, user) as client:
        url = f"{repo.url}/branches/main/import"
        for action, place in (
            ("fs:WriteObject", f"arn:lakefs:fs:::repository/{repo.name}/object/here/in/a"),
            ("fs:ImportFromStorage", f"arn:lakefs:fs:::namespace/{outside}in/b/*"),
        ):
            policy = await allow(api, user, action, on=place, effect="deny")
            refused(await client.post(url, json=body), 401, f"not allowed to {action} on everything below")
            one = {"paths": [source(f"{outside}inner", "there", "object")], "commit": {"message": ""}}
            answer = await client.post(url, json=one)
            assert answer.status_code == 202, answer.text
            await server.application._lake.tasks.wait(answer.json()["id"])
            await api.delete(f"/auth/users/{user}/policies/{policy}")
        answer = await client.post(url, json=body)
        assert answer.status_code == 202, answer.text
        await server.application._lake.tasks.wait(answer.json()["id"])
