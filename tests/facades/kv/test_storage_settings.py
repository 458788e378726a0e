# SPDX-License-Identifier: Apache-2.0
"""What the configuration decides of the storage interface: whether it is there, what is audited, what is too large."""

from __future__ import annotations

import pytest

from lakehouse.config.load import load
from lakehouse.config.model import Audit, Facades, Limits
from lakehouse.core.errors import BadConfiguration
from tests.api.conftest import KEY, SECRET, Hands, started
from tests.facades.kv.conftest import HOST, account_of

pytestmark = pytest.mark.anyio


async def test_it_can_be_switched_off_and_on_again(tmp_path) -> None:
    clock = Hands()
    for switch, statuses in (("on", (200, 400)), ("off", (404, 404)), ("on", (200, 400))):
        server = await started(tmp_path, clock, facades=Facades(descartes=switch))
        account = await account_of(server, "admin", (KEY, SECRET))
        if switch == "on" and await account.get("k") == 404:
            await account.set("k", b"value")
        found = await account.key("GET", "k")
        token = await account.bare.post(f"{HOST}/iam/token", json={})
        assert (found.status_code, token.status_code) == statuses
        there = await account.rest.get("/repositories/descartes-data-admin/refs/main/objects", params={"path": "k"})
        assert there.content == b"value", "what was stored stays in the lake"
        await account.close()
        await server.application.stop()


async def test_writes_are_audited_where_it_is_asked_for(tmp_path) -> None:
    """With the actor in whose name a signed URL acts, and without the URL's signature or anybody's secret."""
    server = await started(tmp_path, Hands(), audit=Audit(level="writes"))
    account = await account_of(server, "admin", (KEY, SECRET))
    await account.set("a/b", b"value")
    await account.key("DELETE", "a/b", word="")
    grant = {"client_id": KEY, "grant_type": "refresh_token", "refresh_token": SECRET}
    assert (await account.bare.post(f"{HOST}/iam/token", json=grant)).status_code == 200
    await server.application._audit.flush()
    answer = await account.rest.get("/auth/audit", params={"amount": 100})
    found = {one["operation"]: (one["actor"], one["resources"]) for one in answer.json()["results"]}
    assert found["upload_signed"] == ("admin", {"storage_type": "data", "key": "a/b"})
    assert found["delete_value"] == ("admin", {"storage_type": "data", "key": "a/b"})
    assert "create_token" in found
    assert SECRET not in answer.text
    assert "signature" not in answer.text
    await account.close()
    await server.application.stop()


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_values_have_a_largest_size(tmp_path, chunked) -> None:
    async def pieces():
        yield b"x" * 600
        yield b"x" * 600

    server = await started(tmp_path, Hands(), limits=Limits(object_size=1000))
    account = await account_of(server, "admin", (KEY, SECRET))
    refused = await account.set("k", pieces() if chunked else b"x" * 1001)
    assert (refused.status_code, "1000 bytes" in refused.text) == (400, True)
    assert await account.get("k") == 404
    assert (await account.set("k", b"x" * 1000)).status_code == 200
    await account.close()
    await server.application.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [("FACADES__DESCARTES", "maybe"), ("DESCARTES__TMP_DAYS", "0"), ("DESCARTES__TMP_DAYS", "a week")],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, name, value) -> None:
    with pytest.raises(BadConfiguration, match=r"descartes"):
        load(environment={f"LAKEHOUSE_{name}": value}, flags={}, folder=tmp_path)


def test_settings_come_from_the_environment(tmp_path) -> None:
    environment = {"LAKEHOUSE_FACADES__DESCARTES": "off", "LAKEHOUSE_DESCARTES__TMP_DAYS": "30"}
    config = load(environment=environment, flags={}, folder=tmp_path).config
    assert (config.facades.descartes, config.descartes.tmp_days) == ("off", 30)
