# SPDX-License-Identifier: Apache-2.0
"""Values of the storage type `tmp`: gone when their time is over, and deleted some time after."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from lakehouse.config.model import Descartes
from lakehouse.core.paths import parse_path
from lakehouse.facades.kv import expiry, service
from lakehouse.facades.kv.service import DAY, Values
from lakehouse.meta import leases
from lakehouse.versioning.objects import objects
from tests.api.conftest import KEY, SECRET, Hands, started
from tests.facades.kv.conftest import account_of, new_account

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path):
    running = await started(tmp_path, Hands(), descartes=Descartes(tmp_days=2))
    yield running
    await running.application.stop()


@pytest.fixture
async def admin(server):
    account = await account_of(server, "admin", (KEY, SECRET))
    yield account
    await account.close()


def values_of(server) -> Values:
    """What the server's background work is given."""
    lake = server.application._lake
    return Values(lake, None, 2 * DAY)


async def objects_of(admin, kind: str) -> list[str]:
    """What the lake shows, whatever the storage interface says of it."""
    answer = await admin.rest.get(f"/repositories/descartes-{kind}-admin/refs/main/objects/ls")
    return [one["path"] for one in answer.json()["results"]]


async def test_what_is_over_is_not_there_any_more(server, admin) -> None:
    await admin.set("old", b"x", kind="tmp")
    await admin.set("old", b"x")
    server.clock.now += DAY
    await admin.set("young", b"x", kind="tmp")
    server.clock.now += DAY - 1
    assert await admin.get("old", kind="tmp") == b"x"
    down = await admin.url("get_signed_url", "old", kind="tmp")
    server.clock.now += 1
    assert await admin.get("old", kind="tmp") == 404
    assert (await admin.key("HEAD", "old", kind="tmp")).status_code == 404
    assert (await admin.key("DELETE", "old", kind="tmp", word="")).status_code == 404
    assert (await admin.bare.get(down)).status_code == 404
    assert await admin.list(kind="tmp") == ["young"]
    assert await admin.get("young", kind="tmp") == b"x"
    assert await admin.get("old") == b"x", "other types are kept"
    assert await objects_of(admin, "tmp") == ["old", "young"], "nobody has deleted it yet"
    assert await expiry.expire(values_of(server)) == 1
    assert await objects_of(admin, "tmp") == ["young"]
    assert await objects_of(admin, "data") == ["old"]
    assert await expiry.expire(values_of(server)) == 0, "a repeat is harmless"


async def test_it_can_be_set_again_when_it_is_over(server, admin) -> None:
    await admin.set("k", b"old", kind="tmp")
    server.clock.now += 2 * DAY
    await admin.set("k", b"new", kind="tmp")
    assert await admin.get("k", kind="tmp") == b"new"
    assert await expiry.expire(values_of(server)) == 0
    assert await admin.get("k", kind="tmp") == b"new"


async def test_a_value_that_is_written_while_others_go_stays(server, admin, monkeypatch) -> None:
    """Written between the look at the list and the deletion."""
    for key in ("a", "b"):
        await admin.set(key, b"old", kind="tmp")
    server.clock.now += 2 * DAY
    remove = objects.remove_object

    async def late(lake, repository, branch, path, **options) -> None:
        if path == b"b":
            upload = objects.Upload(parse_path("b"), size=3)
            await objects.upload_object(lake, repository, branch, upload, b"new")
        await remove(lake, repository, branch, path, **options)

    monkeypatch.setattr(objects, "remove_object", late)
    assert await expiry.expire(values_of(server)) == 1
    assert await admin.get("b", kind="tmp") == b"new"
    assert await objects_of(admin, "tmp") == ["b"]


async def test_committed_values_go_too_and_stay_in_history(server, admin) -> None:
    await admin.set("k", b"x", kind="tmp")
    repository = "/repositories/descartes-tmp-admin"
    commit = await admin.rest.post(f"{repository}/branches/main/commits", json={"message": "kept"})
    server.clock.now += 2 * DAY
    assert await expiry.expire(values_of(server)) == 1
    assert await objects_of(admin, "tmp") == []
    old = await admin.rest.get(f"{repository}/refs/{commit.json()['id']}/objects", params={"path": "k"})
    assert old.content == b"x"


async def test_pages_of_a_list_are_full_although_some_of_it_is_over(server, admin, monkeypatch) -> None:
    monkeypatch.setattr(service, "PAGE", 10)
    for number in range(1, 12, 2):
        await admin.set(f"k/{number:02}", b"x", kind="tmp")
    server.clock.now += 2 * DAY
    for number in range(0, 24, 2):
        await admin.set(f"k/{number:02}", b"x", kind="tmp")
    first = await admin.ask("GET", "tmp/list")
    assert first.json() == [f"k/{number:02}" for number in range(0, 20, 2)]
    more = await admin.ask("GET", "tmp/list", headers={"x-next": first.headers["x-next"]})
    assert more.json() == ["k/20", "k/22"]


async def test_what_is_protected_stays_and_holds_nobody_up(server, admin, caplog) -> None:
    await admin.set("k", b"x", kind="tmp")
    other = await new_account(server, admin.rest, "Developers", name="zoe")
    await other.set("k", b"x", kind="tmp")
    rules = [{"pattern": "main"}]
    await admin.rest.put("/repositories/descartes-tmp-admin/settings/branch_protection", json=rules)
    server.clock.now += 2 * DAY
    assert await expiry.expire(values_of(server)) == 1
    assert await objects_of(admin, "tmp") == ["k"]
    assert "temporary values of descartes-tmp-admin could not be deleted" in caplog.text
    await other.close()


async def test_one_process_looks_at_a_time(server) -> None:
    values = values_of(server)
    with anyio.fail_after(30):
        while await leases.holder(values.lake.db, expiry.LEASE, now=values.lake.now) is None:
            await asyncio.sleep(0)  # the server itself looks when it starts
    server.clock.now += expiry.PAUSE
    assert [await expiry.claimed(values, "one"), await expiry.claimed(values, "other")] == [True, False]
    server.clock.now += expiry.PAUSE
    assert await expiry.claimed(values, "other")


async def test_the_server_does_it_by_itself(tmp_path) -> None:
    """A server that starts finds what is over, without being asked."""
    clock = Hands()
    first = await started(tmp_path, clock, descartes=Descartes(tmp_days=2))
    account = await account_of(first, "admin", (KEY, SECRET))
    await account.set("k", b"x", kind="tmp")
    await account.close()
    await first.application.stop()
    clock.now += 2 * DAY
    second = await started(tmp_path, clock, descartes=Descartes(tmp_days=2))
    account = await account_of(second, "admin", (KEY, SECRET))
    with anyio.fail_after(30):
        while await objects_of(account, "tmp"):
            await asyncio.sleep(0)
    await account.close()
    await second.application.stop()
