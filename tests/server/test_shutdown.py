# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load: what was accepted is answered whole, what was acknowledged is there after the next start."""

from __future__ import annotations

import asyncio
import hashlib
import time

import httpx2
import pytest

from tests.running import KEY, SECRET, start_server

WRITERS = 12
ENOUGH = 60
"""Acknowledged writes before the signal."""
BODY = b"body of an object " * 2000


async def write(client, url, number, acknowledged, enough):
    """Upload until connections are refused. An answer that began must be whole, and none may be an error."""
    count = 0
    while True:
        path = f"w{number}/{count}"
        answer = await client.post(url, params={"path": path}, content=BODY)
        assert answer.status_code == 201, answer.text
        acknowledged[path] = answer.json()["checksum"]
        if len(acknowledged) >= ENOUGH:
            enough.set()
        count += 1


async def load(server):
    """Write until the server has ended; what was acknowledged, and how each client's last request failed."""
    acknowledged: dict[str, str] = {}
    enough = asyncio.Event()
    url = "/repositories/stopped/branches/main/objects"
    limits = httpx2.Limits(max_connections=WRITERS, max_keepalive_connections=WRITERS)
    async with httpx2.AsyncClient(
        base_url=f"{server.url}/api/v1", auth=(KEY, SECRET), timeout=30, limits=limits
    ) as client:
        tasks = [asyncio.ensure_future(write(client, url, number, acknowledged, enough)) for number in range(WRITERS)]
        await enough.wait()
        status = await asyncio.to_thread(server.stop)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    return status, acknowledged, ended


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_accepted_is_finished(tmp_path, workers):
    server = start_server(tmp_path, "--workers", str(workers))
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as client:
        client.post("/repositories", json={"name": "stopped"}).raise_for_status()
    began = time.monotonic()
    status, acknowledged, ended = asyncio.run(load(server))
    assert status in (0, -15), server.output
    assert time.monotonic() - began < 60  # the time-out of what never ends, far from what it takes
    # A connection that is closed between requests, or not opened any more, is all that a client may see.
    allowed = (httpx2.ConnectError, httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
    assert [repr(one) for one in ended if not isinstance(one, allowed)] == []
    assert "Traceback" not in server.output
    again = start_server(tmp_path)
    try:
        with httpx2.Client(base_url=f"{again.url}/api/v1", auth=(KEY, SECRET)) as client:
            query = {"amount": 1000, "prefix": "w"}
            shown = client.get("/repositories/stopped/refs/main/objects/ls", params=query).raise_for_status().json()
            found = {one["path"]: one["checksum"] for one in shown["results"]}
            assert acknowledged.items() <= found.items()
            assert set(acknowledged.values()) == {hashlib.md5(BODY).hexdigest()}
    finally:
        again.stop()
