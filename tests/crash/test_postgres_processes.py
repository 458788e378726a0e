# SPDX-License-Identifier: Apache-2.0
"""Several server processes on one PostgreSQL database and one object store, under load, one of them killed.

Every write that was acknowledged by any of them is in exactly one place: in what one commit brought, or in what is
uncommitted. Nobody is told of a failure that only comes from others being at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.crash.progress import Progress
from tests.running import KEY, SECRET, start_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import RunningServer

REPOSITORY = "/repositories/shared"
BRANCH = f"{REPOSITORY}/branches/main"
WRITERS = 6
ENVIRONMENT = {"LAKEHOUSE_SECRET": "a secret that every server has"}


class Witness:
    """What clients were told, and what they had asked for when a server died."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.under_way: set[str] = set()
        self.commits: list[str] = []
        self.progress = Progress()


def client_of(server: RunningServer) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET), timeout=60)


async def write(client: httpx2.AsyncClient, witness: Witness, name: str, stop: asyncio.Event) -> None:
    """Link or upload a new path, again and again."""
    count = 0
    while not stop.is_set():
        count += 1
        path = f"{name}/{count:05}"
        witness.under_way.add(path)
        query = {"path": path}
        if count % 4:
            where = (await client.get(f"{BRANCH}/staging/backing", params=query)).raise_for_status().json()
            staging = {"physical_address": where["physical_address"]}
            link = {"staging": staging, "checksum": hashlib.md5(path.encode()).hexdigest(), "size_bytes": count}
            answer = await client.put(f"{BRANCH}/staging/backing", params=query, json=link)
        else:
            answer = await client.post(f"{BRANCH}/objects", params=query, content=path.encode())
        assert answer.status_code in (200, 201), answer.text
        witness.acknowledged.add(path)
        witness.progress.note(writes=1)


async def commit(client: httpx2.AsyncClient, witness: Witness, name: str, stop: asyncio.Event) -> None:
    """Commit over and over. Nothing to commit is no failure: the other server's commit took it all."""
    count = 0
    while not stop.is_set():
        count += 1
        answer = await client.post(f"{BRANCH}/commits", json={"message": f"{name} {count}"})
        assert answer.status_code == 201 or (answer.status_code == 400 and "no changes" in answer.text), answer.text
        if answer.status_code == 201:
            witness.commits.append(answer.json()["id"])
            witness.progress.note(commits=1)


async def load(
    servers: list[RunningServer], witness: Witness, *, writes: int, commits: int, kill: int | None, seed: str
) -> None:
    """All clients on all servers for so many more writes, and so many commits ever; in the middle, one server is killed
    if asked for.
    """
    stop, progress = asyncio.Event(), witness.progress
    goal = progress.writes + writes
    async with contextlib.AsyncExitStack() as stack:
        tasks: list[list[asyncio.Future[None]]] = []
        for number, server in enumerate(servers):
            client = await stack.enter_async_context(client_of(server))
            work = [write(client, witness, f"{seed}-{number}-{writer}", stop) for writer in range(WRITERS)]
            work.append(commit(client, witness, f"{seed} {number}", stop))
            tasks.append([asyncio.ensure_future(one) for one in work])
        await progress.reach(itertools.chain(*tasks), writes=goal - writes // 2, commits=commits)
        if kill is not None:
            victims = tasks.pop(kill)
            await asyncio.to_thread(servers[kill].kill)
            for task in victims:
                with contextlib.suppress(httpx2.TransportError):
                    await task
        await progress.reach(itertools.chain(*tasks), writes=goal, commits=commits)
        stop.set()
        await asyncio.gather(*itertools.chain(*tasks))


def pages(client: httpx2.Client, path: str, **query: str) -> Iterator[dict[str, str]]:
    """Every result of a list, page by page."""
    after, more = "", True
    while more:
        page = client.get(path, params={"amount": "1000", "after": after, **query}).raise_for_status().json()
        yield from page["results"]
        after, more = page["pagination"]["next_offset"], page["pagination"]["has_more"]


def places(client: httpx2.Client) -> tuple[Counter[str], list[str]]:
    """How many commits brought each path, or whether it is uncommitted; and the ids of all commits."""
    found: Counter[str] = Counter(each["path"] for each in pages(client, f"{BRANCH}/diff"))
    log = [each["id"] for each in pages(client, f"{REPOSITORY}/refs/main/commits")]
    for newer, older in itertools.pairwise(log):
        changes = pages(client, f"{REPOSITORY}/refs/{older}/diff/{newer}", type="two_dot")
        for each in changes:
            assert each["type"] == "added", each
            found[each["path"]] += 1
    return found, log


def check(server: RunningServer, witness: Witness) -> None:
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET), timeout=60) as client:
        found, log = places(client)
        assert [path for path, count in found.items() if count != 1] == []
        assert witness.acknowledged - set(found) == set(), "acknowledged and gone"
        assert set(found) - witness.under_way == set(), "nobody wrote this"
        assert set(witness.commits) <= set(log), "an acknowledged commit is gone"


@pytest.fixture
def place(tmp_path, postgres):
    """How to start one more server on the same database and object store; all are ended."""
    url = postgres.new_database()
    running: list[RunningServer] = []

    def start(*options: str) -> RunningServer:
        server = start_server(tmp_path / "data", "--database", url, *options, environment=ENVIRONMENT)
        running.append(server)
        return server

    yield start
    for server in running:
        if server.process.poll() is None:
            server.kill()


def make_repository(server: RunningServer) -> None:
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as client:
        client.post("/repositories", json={"name": "shared"}).raise_for_status()


def test_two_servers_put_every_write_in_one_place(place):
    servers = [place(), place()]
    make_repository(servers[0])
    witness = Witness()
    asyncio.run(load(servers, witness, writes=240, commits=4, kill=None, seed="load"))
    assert witness.acknowledged == witness.under_way
    assert len(witness.acknowledged) > 50
    assert len(witness.commits) > 3
    for server in servers:
        check(server, witness)
        assert server.stop() in (0, -15)


def test_one_of_two_servers_killed_loses_nothing(place, test_rounds):
    servers = [place(), place("--workers", "2")]
    make_repository(servers[1])
    witness = Witness()
    for number in range(test_rounds):
        victim = number % 2
        asyncio.run(load(servers, witness, writes=120, commits=1, kill=victim, seed=f"round {number}"))
        check(servers[1 - victim], witness)
        servers[victim] = place(*(("--workers", "2") if victim else ()))
        check(servers[victim], witness)
    assert len(witness.acknowledged) > 20
    assert witness.commits


async def merge_through(servers: list[RunningServer], count: int) -> None:
    """Merge `count` branches into one, all at once, through all servers, beside commits to another branch."""
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(server)) for server in servers]
        stop, witness = asyncio.Event(), Witness()
        (await clients[0].post(f"{REPOSITORY}/branches", json={"name": "clean", "source": "main"})).raise_for_status()

        async def prepare(number: int) -> None:
            client, name = clients[number % len(clients)], f"merged-{number:02}"
            branch = f"{REPOSITORY}/branches/{name}"
            for request in (
                client.post(f"{REPOSITORY}/branches", json={"name": name, "source": "main"}),
                client.post(f"{branch}/objects", params={"path": f"in/{name}"}, content=name.encode()),
                client.post(f"{branch}/commits", json={"message": name}),
            ):
                (await request).raise_for_status()

        async def merge(number: int) -> None:
            client = clients[number % len(clients)]
            answer = await client.post(f"{REPOSITORY}/refs/merged-{number:02}/merge/clean", json={})
            assert answer.status_code == 200, answer.text

        await asyncio.gather(*(prepare(number) for number in range(count)))
        beside = [
            asyncio.ensure_future(work(client, witness, f"beside-{number}", stop))
            for number, client in enumerate(clients)
            for work in (write, commit)
        ]
        await asyncio.gather(*(merge(number) for number in range(count)))
        stop.set()
        await asyncio.gather(*beside)


def test_merges_at_once_through_two_servers_all_succeed(place, test_rounds):
    servers, count = [place(), place()], 64 if test_rounds > 3 else 16
    make_repository(servers[0])
    asyncio.run(merge_through(servers, count))
    with httpx2.Client(base_url=f"{servers[1].url}/api/v1", auth=(KEY, SECRET), timeout=60) as client:
        found = {each["path"] for each in pages(client, f"{REPOSITORY}/refs/clean@/objects/ls")}
        assert found == {f"in/merged-{number:02}" for number in range(count)}
        log = list(pages(client, f"{REPOSITORY}/refs/clean/commits", first_parent="true"))
        assert len([each for each in log if each["message"].startswith("Merge ")]) == count
