# SPDX-License-Identifier: Apache-2.0
"""The whole server, killed with SIGKILL under load, again and again on one data directory, on both databases.

Every write that was acknowledged must be there after the restart: links and uploads in the branch, with the content
that was acknowledged last (or one that was under way), commits in the log. Nothing half-written may be visible.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.crash.progress import Progress
from tests.running import KEY, SECRET, start_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.running import RunningServer

REPOSITORY = "/repositories/killed"
WRITERS = 8
ENVIRONMENT = {"LAKEHOUSE_SECRET": "a secret that outlives every server"}


class Witness:
    """What clients were told, and what they had asked for when the server died."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}
        self.under_way: dict[str, set[str]] = {}
        self.commits: set[str] = set()
        self.progress = Progress()

    def allowed(self, path: str) -> set[str]:
        return {self.acknowledged[path]} | self.under_way.get(path, set())


async def write(client: httpx2.AsyncClient, witness: Witness, number: int, chance: random.Random) -> None:
    """Upload and link until the server is gone."""
    for count in range(100_000):
        path = f"w{number}/{chance.randrange(40)}"
        body = f"{number} {count} {chance.random()}".encode() * chance.randrange(1, 400)
        checksum = hashlib.md5(body).hexdigest()
        witness.under_way.setdefault(path, set()).add(checksum)
        if count % 2:
            answer = await client.post(f"{REPOSITORY}/branches/main/objects", params={"path": path}, content=body)
        else:
            staging = f"{REPOSITORY}/branches/main/staging/backing"
            where = (await client.get(staging, params={"path": path, "presign": "true"})).json()
            upload = await client.put(where["presigned_url"], content=body, auth=None)
            assert upload.status_code == 200, upload.text
            link = {"staging": {"physical_address": where["physical_address"]}, "checksum": checksum}
            answer = await client.put(staging, params={"path": path}, json={**link, "size_bytes": len(body)})
        assert answer.status_code in (200, 201), answer.text
        witness.acknowledged[path] = checksum
        witness.under_way[path] = set()
        witness.progress.note(writes=1)


async def commit(client: httpx2.AsyncClient, witness: Witness) -> None:
    """Commit over and over until the server is gone."""
    for number in range(100_000):
        answer = await client.post(f"{REPOSITORY}/branches/main/commits", json={"message": f"commit {number}"})
        assert answer.status_code in (201, 400), answer.text
        if answer.status_code == 201:
            witness.commits.add(answer.json()["id"])
            witness.progress.note(commits=1)


async def load(server: RunningServer, witness: Witness, writes: int, seed: int) -> None:
    """Run all clients and kill the server in the middle, after so many writes."""
    goal = witness.progress.writes + writes
    async with httpx2.AsyncClient(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET), timeout=120) as client:
        work = [write(client, witness, number, random.Random(seed * 100 + number)) for number in range(WRITERS)]
        tasks = [asyncio.ensure_future(one) for one in (*work, commit(client, witness))]
        try:
            await witness.progress.reach(tasks, writes=goal, commits=1)
        finally:
            await asyncio.to_thread(server.kill)
        for task in tasks:
            with contextlib.suppress(httpx2.TransportError):
                await task


def check(server: RunningServer, witness: Witness) -> None:
    """Everything that was acknowledged is there, whole."""
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET), timeout=30) as client:
        shown = {}
        after, more = "", True
        while more:
            query = {"amount": 1000, "after": after}
            page = client.get(f"{REPOSITORY}/refs/main/objects/ls", params=query).raise_for_status().json()
            shown.update({each["path"]: each for each in page["results"]})
            after, more = page["pagination"]["next_offset"], page["pagination"]["has_more"]
        for path in witness.acknowledged:
            assert path in shown, f"{path} was acknowledged and is gone"
            assert shown[path]["checksum"] in witness.allowed(path), f"{path} shows what nobody wrote last"
        for path in random.Random(len(shown)).sample(sorted(shown), min(40, len(shown))):
            answer = client.get(f"{REPOSITORY}/refs/main/objects", params={"path": path}).raise_for_status()
            assert hashlib.md5(answer.content).hexdigest() == shown[path]["checksum"], f"{path} is half-written"
            witness.acknowledged[path] = shown[path]["checksum"]
        log = set()
        after, more = "", True
        while more:
            query = {"amount": 1000, "after": after}
            page = client.get(f"{REPOSITORY}/refs/main/commits", params=query).raise_for_status().json()
            log |= {each["id"] for each in page["results"]}
            after, more = page["pagination"]["next_offset"], page["pagination"]["has_more"]
        assert witness.commits <= log, "an acknowledged commit is gone"


def run_rounds(folder: Path, rounds: int, *options: str) -> Witness:
    witness = Witness()
    chance = random.Random(rounds)
    for number in range(rounds):
        server = start_server(folder, *options, environment=ENVIRONMENT)
        if number == 0:
            with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as client:
                client.post("/repositories", json={"name": "killed"}).raise_for_status()
        else:
            check(server, witness)
        asyncio.run(load(server, witness, chance.randrange(40, 160), seed=number))
    server = start_server(folder, *options, environment=ENVIRONMENT)
    check(server, witness)
    assert server.stop() in (0, -15)
    return witness


@pytest.fixture(params=["sqlite", "postgres"])
def options(request):
    """The flags that name the metadata database: none for the embedded one."""
    if request.param == "sqlite":
        return ()
    return ("--database", request.getfixturevalue("postgres").new_database())


def test_killed_under_load_loses_nothing(tmp_path, test_rounds, options):
    witness = run_rounds(tmp_path / "data", test_rounds, *options)
    assert len(witness.acknowledged) > 20
    assert witness.commits


@pytest.mark.deep
def test_killed_fifty_times(tmp_path, test_rounds, options):
    started = time.monotonic()
    witness = run_rounds(tmp_path / "data", max(50, test_rounds), *options)
    print(f"{len(witness.commits)} commits, {time.monotonic() - started:.0f} s")
