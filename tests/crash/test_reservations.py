# SPDX-License-Identifier: Apache-2.0
"""Reservations under fire: whatever the number of threads and of server processes, a key has one owner at a time, and
when the owner dies, one other gets it.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from lakehouse.sdk import Client, Retry
from tests.running import KEY, SECRET, start_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lakehouse.wire.cache import Reservation
    from tests.running import RunningServer

THREADS = 32
REQUESTS = 200
BEAT = 0.2
"""Seconds; a reservation counts for three."""
ENVIRONMENT = {"LAKEHOUSE_SECRET": "a secret that every server has"}
HOLDER = """
import sys
from lakehouse.sdk import Client
url, key, secret, entry, beat = sys.argv[1:]
with Client(url, access_key_id=key, secret_access_key=secret) as lake:
    while True:
        held = lake.cache.claim_cache_reservation("p", "d", entry, "the holder", heartbeat_interval=float(beat))
        print(held.owner_id, held.expires_at, flush=True)
"""


class Witness(msgspec.Struct):
    """What was answered: until when each owner had the key, and from when on, by the server's clock."""

    until: dict[str, float] = msgspec.field(default_factory=dict)
    since: dict[str, float] = msgspec.field(default_factory=dict)

    def saw(self, held: Reservation) -> None:
        start = held.expires_at - 3 * held.heartbeat_interval
        self.since[held.owner_id] = min(start, self.since.get(held.owner_id, start))
        self.until[held.owner_id] = max(held.expires_at, self.until.get(held.owner_id, 0.0))

    def check(self) -> None:
        """No owner had the key before the time of the one before was over. (Microseconds are rounded.)"""
        turns = sorted(self.since, key=self.since.__getitem__)
        for one, other in itertools.pairwise(turns):
            assert self.since[other] >= self.until[one] - 2e-6, (one, other)


@pytest.fixture(scope="module", params=["one server of two processes", "two servers on PostgreSQL"])
def servers(request, tmp_path_factory) -> Iterator[list[RunningServer]]:
    """Two server processes on the same data, behind one address or two."""
    started: list[RunningServer] = []
    data = tmp_path_factory.mktemp("reservations")
    try:
        if request.param.startswith("one"):
            started.append(start_server(data, "--workers", "2"))
        else:
            url = request.getfixturevalue("postgres").new_database()
            for _ in range(2):
                options = ("--database", url)
                started.append(start_server(data, *options, environment=ENVIRONMENT))
        yield started
    finally:
        for server in started:
            if server.process.poll() is None:
                server.kill()


@contextmanager
def clients(servers: list[RunningServer]) -> Iterator[Callable[[], Client]]:
    """A client for each thread that asks for one, on one of the servers in turn."""
    numbers, own = itertools.count(), threading.local()
    with ExitStack() as stack:

        def client() -> Client:
            if not hasattr(own, "client"):
                server = servers[next(numbers) % len(servers)]
                made = Client(server.url, access_key_id=KEY, secret_access_key=SECRET, retry=Retry(attempts=1))
                own.client = stack.enter_context(made)
            return own.client

        yield client


def claim(lake: Client, entry: str, owner: str, beat: float = 10.0) -> Reservation:
    return lake.cache.claim_cache_reservation("p", "d", entry, owner, heartbeat_interval=beat)


def race(servers: list[RunningServer], entry: str) -> set[str]:
    """Who was said to be the owner in all answers to requests that were sent at once."""
    ready = threading.Barrier(THREADS)
    first = threading.local()

    def ask(number: int) -> str:
        lake = client()
        if not hasattr(first, "waited"):
            first.waited = True
            ready.wait(30)
        return claim(lake, entry, f"owner {number}").owner_id

    with clients(servers) as client, ThreadPoolExecutor(THREADS) as pool:
        return set(pool.map(ask, range(REQUESTS)))


def test_of_all_requests_one_owner(servers, test_rounds):
    for number in range(test_rounds):
        assert len(race(servers, f"entry {number}")) == 1


def hold(server: RunningServer, entry: str) -> subprocess.Popen[str]:
    """A process of its own that has the reservation, and extends it until it ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, server.url, KEY, SECRET, entry, str(BEAT)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("the holder ")
    return holder


def until_taken(servers: list[RunningServer], entry: str, witness: Witness, *, threads: int = 8) -> None:
    """Ask, with as many owners as threads, until somebody else than the holder has the key and has it again."""
    lock = threading.Lock()

    def ask(number: int) -> None:
        while True:
            held = claim(client(), entry, f"heir {number}", BEAT)
            with lock:
                witness.saw(held)
            if held.owner_id != "the holder":
                return

    with clients(servers) as client, ThreadPoolExecutor(threads) as pool:
        list(pool.map(ask, range(threads)))


def test_the_holder_is_killed(servers, test_rounds):
    for number in range(test_rounds if test_rounds > 3 else 1):
        entry, witness = f"killed {number}", Witness()
        holder = hold(servers[0], entry)
        for server in servers:
            with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
                assert claim(lake, entry, "somebody", BEAT).owner_id == "the holder"
        holder.kill()
        said = holder.communicate()[0].splitlines()
        until_taken(servers, entry, witness)
        told = [float(line.split()[-1]) for line in said if line.count(" ") == 2]
        witness.until["the holder"] = max([*told, witness.until.get("the holder", 0.0)])
        witness.since.setdefault("the holder", 0.0)
        heirs = set(witness.since) - {"the holder"}
        assert len(heirs) == 1, heirs
        witness.check()


def test_the_server_of_the_holder_is_killed(tmp_path, postgres):
    url = postgres.new_database()
    first, second = (start_server(tmp_path / "data", "--database", url, environment=ENVIRONMENT) for _ in range(2))
    try:
        with Client(first.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
            held = claim(lake, "entry", "a")
        first.kill()
        with Client(second.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
            assert claim(lake, "entry", "b") == held
            assert claim(lake, "entry", "a").expires_at >= held.expires_at
            lake.cache.release_cache_reservation("p", "d", "entry", "a")
            assert claim(lake, "entry", "b").owner_id == "b"
    finally:
        for server in (first, second):
            if server.process.poll() is None:
                server.kill()


@pytest.mark.deep
def test_the_key_passes_from_hand_to_hand(servers, test_rounds):
    """Owners claim once and never again, as if they died: the next one gets the key when its time is over."""
    witness, lock = Witness(), threading.Lock()

    def ask(owner: str, last: float) -> None:
        while True:
            held = claim(client(), "entry", owner, 0.05)
            with lock:
                witness.saw(held)
            if held.expires_at > last:
                return

    with clients(servers) as client, ThreadPoolExecutor(THREADS) as pool:
        for number in range(test_rounds):
            last = max(witness.until.values(), default=0.0)
            list(pool.map(ask, [f"{number} {each}" for each in range(THREADS)], itertools.repeat(last)))
    assert len(witness.since) >= test_rounds
    witness.check()
