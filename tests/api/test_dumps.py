# SPDX-License-Identifier: Apache-2.0
"""Dump and restore over REST: a repository comes back on its storage namespace."""

from __future__ import annotations

import pytest

from lakehouse.versioning.work.dump import FOLDER, MANIFEST
from tests.api.conftest import Repo, make, refused

pytestmark = pytest.mark.anyio
NOTHING = {"commits_meta_range_id": "0" * 64, "tags_meta_range_id": "0" * 64, "branches_meta_range_id": "0" * 64}


@pytest.fixture
async def filled(repo: Repo) -> Repo:
    """Branches (one is hidden), a tag, a merge."""
    await repo.put("a")
    await repo.commit(metadata={"k": "v"})
    await repo.branch("dev")
    await repo.put("b", branch="dev")
    await repo.commit(branch="dev")
    await repo.merge("dev", "main")
    await repo.branch("hidden", hidden=True)
    await repo.done("POST", "/tags", json={"id": "v1.0", "ref": "main~1"})
    return repo


async def again(repo: Repo) -> Repo:
    """A bare repository on the same namespace."""
    namespace = (await repo.done("GET"))["storage_namespace"]
    return await make(repo.api, bare="true", storage_namespace=namespace)


async def history(repo: Repo):
    """What a restore must bring back."""
    branches = (await repo.done("GET", "/branches", params={"show_hidden": True}))["results"]
    shown = (await repo.done("GET", "/branches"))["results"]
    tags = (await repo.done("GET", "/tags"))["results"]
    log = (await repo.done("GET", "/refs/main/commits"))["results"]
    return branches, shown, tags, log, await repo.paths()


async def test_dump_and_restore(server, filled) -> None:
    answer = await filled.ask("PUT", "/refs/dump")
    assert answer.status_code == 201
    dump = answer.json()
    assert set(dump) == set(NOTHING)
    assert (await filled.done("PUT", "/refs/dump")) == dump
    place = server.application._lake.stores.place((await filled.done("GET"))["storage_namespace"])
    manifest = await (await place.store.objects.get(place.locate(MANIFEST))).read()
    assert b"\n  " in manifest
    copy = await again(filled)
    answer = await copy.ask("PUT", "/refs/restore", json=dump)
    assert (answer.status_code, answer.content) == (200, b"")
    assert await history(copy) == await history(filled)
    await copy.put("c")
    await copy.commit()
    refused(await copy.ask("PUT", "/refs/restore", json=dump), 400, "can only restore into a bare repository")


async def test_as_tasks(server, filled) -> None:
    lake = server.application._lake
    answer = await filled.ask("POST", "/dump")
    assert answer.status_code == 202
    task = answer.json()["id"]
    assert (task[:2], len(task)) == ("DR", 22)
    await lake.tasks.wait(task)
    done = await filled.done("GET", "/dump", params={"task_id": task})
    assert (done["id"], done["done"], done["update_time"][-1]) == (task, True, "Z")
    copy = await again(filled)
    answer = await copy.ask("POST", "/restore", json=done["refs"])
    assert answer.status_code == 202
    task = answer.json()["id"]
    assert (task[:2], len(task)) == ("RR", 22)
    await lake.tasks.wait(task)
    done = await copy.done("GET", "/restore", params={"task_id": task})
    assert done["done"]
    assert "error" not in done
    assert await history(copy) == await history(filled)
    for path, wrong in (("/dump", task), ("/restore", "RR"), ("/dump", "x"), ("/restore", "DR" + "0" * 20)):
        refused(await copy.ask("GET", path, params={"task_id": wrong}), 404, "not found")


async def test_a_restore_that_was_cut_off_begins_again(server, filled, monkeypatch) -> None:
    from lakehouse.core.errors import StorageUnavailable
    from lakehouse.versioning.work import restore

    dump = await filled.done("PUT", "/refs/dump")
    copy = await again(filled)
    branch = restore._branch

    def broken(lake, repository, ref, actor):
        if ref.name == "hidden":
            raise StorageUnavailable
        return branch(lake, repository, ref, actor)

    monkeypatch.setattr(restore, "_branch", broken)
    refused(await copy.ask("PUT", "/refs/restore", json=dump), 503)
    assert (await copy.done("GET", "/tags"))["results"]
    refused(await copy.ask("GET", "/branches/main"), 404, "branch not found")
    monkeypatch.setattr(restore, "_branch", branch)
    await copy.done("PUT", "/refs/restore", json=dump)
    assert await history(copy) == await history(filled)


async def test_dumps_that_are_not_there_or_damaged(server, filled) -> None:
    copy = await again(filled)
    refused(await copy.ask("PUT", "/refs/restore", json=NOTHING), 404, "not found")
    refused(await copy.ask("PUT", "/refs/restore", json=NOTHING | {"tags_meta_range_id": "../x"}), 404, "not found")
    dump = await filled.done("PUT", "/refs/dump")
    swapped = dump | {"commits_meta_range_id": dump["tags_meta_range_id"]}
    refused(await copy.ask("PUT", "/refs/restore", json=swapped), 503, "not a dump of commits")
    place = server.application._lake.stores.place((await filled.done("GET"))["storage_namespace"])
    for key, spoil in (("commits_meta_range_id", -30), ("branches_meta_range_id", 20)):
        where = place.locate(FOLDER + dump[key])
        whole = await (await place.store.objects.get(where)).read()
        other = bytearray(whole)
        other[spoil] ^= 1
        for bad in (bytes(other), whole[:-12], whole[:10]):
            await place.store.objects.put(where, bad)
            assert (await copy.ask("PUT", "/refs/restore", json=dump)).status_code == 503
        await place.store.objects.put(where, whole)
    other = await make(copy.api, bare="true", default_branch="trunk", storage_namespace=place.uri)
    refused(await other.ask("PUT", "/refs/restore", json=dump), 404, "branch not found")
    assert (await other.done("GET", "/branches"))["results"] != []


async def test_where_it_is_refused(filled, frozen) -> None:
    dump = await filled.done("PUT", "/refs/dump")
    for method, path in (("PUT", "/refs/restore"), ("POST", "/restore")):
        refused(await filled.ask(method, path, json=dump), 400, "can only restore into a bare repository")
        refused(await frozen.ask(method, path, json=dump), 403, "read-only repository")
        refused(await Repo(filled.api, "nowhere").ask(method, path, json=dump), 404, "repository not found")
        refused(await filled.ask(method, path, json={}), 400)
    for method, path in (("PUT", "/refs/dump"), ("POST", "/dump"), ("GET", "/dump?task_id=x")):
        refused(await Repo(filled.api, "nowhere").ask(method, path), 404, "repository not found")


async def test_garbage_collection_leaves_dumps_alone(server, filled) -> None:
    from lakehouse.gc.collect import GRACE, MARGIN, Options, collect_garbage

    dump = await filled.done("PUT", "/refs/dump")
    lake = server.application._lake
    copy = await again(filled)
    server.clock.now += lake.address_validity + MARGIN + 1
    for _ in range(2):
        await collect_garbage(lake, filled.name, Options())
        server.clock.now += GRACE
    await copy.done("PUT", "/refs/restore", json=dump)
    assert await history(copy) == await history(filled)
