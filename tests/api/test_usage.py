# SPDX-License-Identifier: Apache-2.0
"""The usage report: what the servers counted themselves."""

from __future__ import annotations

import pytest

from lakehouse.asgi.usage import UsageCounter

from .conftest import refused

pytestmark = pytest.mark.anyio


async def report(api):
    answer = await api.get("/usage-report/summary")
    assert answer.status_code == 200
    return answer.json()


async def test_requests_are_counted_by_month(server, api) -> None:
    first = await report(api)
    assert set(first) == {"installation_id", "reports"}
    assert first["reports"][-1].items() >= {"year": 2025, "month": 6}.items()
    await api.get("/user")
    async with server.client(base_url="http://localhost:8000") as anybody:
        await anybody.get("/s3/")
        await anybody.get("/_health")
    again = await report(api)
    assert again["installation_id"] == first["installation_id"]
    assert again["reports"][-1]["count"] == first["reports"][-1]["count"] + 3
    before = server.clock.now
    server.clock.now += 31 * 86_400
    try:
        later = await report(api)
        assert later["reports"] == [*again["reports"], {"year": 2025, "month": 7, "count": 1}]
    finally:
        server.clock.now = before


async def test_processes_add_up(server, api) -> None:
    count = (await report(api))["reports"][0]["count"]
    another = UsageCounter(server.application._lake.db, clock=server.clock)
    another.count()
    another.count()
    await another.flush()
    await another.flush()
    assert (await report(api))["reports"][0]["count"] == count + 3


async def test_as_text(api) -> None:
    answer = await api.get("/usage-report/summary", headers={"accept": "text/plain"})
    assert answer.headers["content-type"].startswith("text/plain")
    name = (await report(api))["installation_id"]
    assert answer.text.startswith(f"Usage of installation {name}\n2025-06  ")


async def test_it_is_for_users(nobody) -> None:
    refused(await nobody.get("/usage-report/summary"), 401, "error authenticating request")
