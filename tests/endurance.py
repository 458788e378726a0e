# SPDX-License-Identifier: Apache-2.0
"""Mixed traffic for a while, as much as the machine takes: no answer may be wrong, and nothing may leak.

    python -m tests.endurance --seconds 600 --workers 2

Writers keep whole stories to themselves (upload, stat, read back, presigned upload and link, list, delete, commit,
branch, merge), so each answer is known beforehand; readers send prepared requests as fast as they are answered. After a
first part that fills caches, and when all is over and every client has gone, memory, open files and connections are
looked at. Loopback only; the data goes with the folder.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import multiprocessing
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2
import msgspec
import uvloop

from tests.bench.load import family, measure
from tests.running import KEY, SECRET, start_server

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = "endurance"
PATHS = 50
"""Paths of one writer: they are written again and again."""
SETTLE = 30.0
"""Seconds in which connections are to be gone."""
MOST_GROWTH = 0.20
CACHE = "8MiB"
"""Memory for nodes of each worker: full before the first look, because a cache that fills is no leak."""


class Vitals(msgspec.Struct, frozen=True):
    """Of all processes of the server. `memory` is what they hold of their own, without files that they have mapped."""

    memory: int
    resident: int
    files: int
    sockets: int
    open: dict[str, int]
    """How many descriptors there are of each file, by its name."""


class Report(msgspec.Struct, frozen=True):
    """What came of it."""

    seconds: float
    workers: int
    written: dict[str, int]
    read: int
    read_p99: float
    failures: list[str]
    before: Vitals
    after: Vitals
    course: list[int]
    """Memory at equal distances of the time between."""

    @property
    def growth(self) -> float:
        """Of memory, as a fraction."""
        return self.after.memory / self.before.memory - 1


def vitals(pids: list[int]) -> Vitals:
    """Look at processes."""
    memory = resident = 0
    found_open: Counter[str] = Counter()
    for pid in pids:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        memory += int(found["RssAnon"].split()[0]) * 1024
        resident += int(found["VmRSS"].split()[0]) * 1024
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # it was closed meanwhile
                found_open[re.sub(r"[0-9a-f]{8,}|:?\[.*", "", file.readlink().name)] += 1
    return Vitals(memory, resident, found_open.total(), found_open["socket"], dict(found_open))


# -- writers -----------------------------------------------------------------------------------------------------------


class Writer:
    """One client with paths of its own."""

    def __init__(self, client: httpx2.AsyncClient, number: int, counts: Counter[str]) -> None:
        self._client = client
        self._own = f"w{number}"
        self._counts = counts
        self._url = f"/repositories/{REPOSITORY}"

    async def live(self, deadline: float) -> None:
        """Stories until it is time. Raises AssertionError for the first wrong answer."""
        turn = 0
        while time.monotonic() < deadline:
            path = f"{self._own}/{turn % PATHS}"
            body = f"{self._own} {turn} ".encode() * (20 + turn % 100)
            await (self._upload if turn % 2 else self._link)(path, body)
            await self._look(path, body)
            if turn % 5 == 2:
                await self._delete(path)
            if turn % 30 == 1:
                await self._commit("main")
            if turn % 60 == 3:
                await self._branch(f"{self._own}-{turn}")
            turn += 1

    async def _ask(self, what: str, method: str, path: str, *allowed: int, **options: Any) -> httpx2.Response:
        answer = await self._client.request(method, path, **options)
        assert answer.status_code in allowed, f"{what} {path}: {answer.status_code} {answer.text[:300]}"
        self._counts[what if answer.status_code == allowed[0] else f"{what} {answer.status_code}"] += 1
        return answer

    async def _upload(self, path: str, body: bytes, branch: str = "main") -> None:
        await self._ask(
            "upload", "POST", f"{self._url}/branches/{branch}/objects", 201, params={"path": path}, content=body
        )

    async def _link(self, path: str, body: bytes) -> None:
        staging = f"{self._url}/branches/main/staging/backing"
        where = (await self._ask("address", "GET", staging, 200, params={"path": path, "presign": "true"})).json()
        await self._ask("store PUT", "PUT", where["presigned_url"], 200, content=body, auth=None)
        link = {
            "staging": {"physical_address": where["physical_address"]},
            "checksum": hashlib.md5(body).hexdigest(),
            "size_bytes": len(body),
        }
        await self._ask("link", "PUT", staging, 200, params={"path": path}, json=link)

    async def _look(self, path: str, body: bytes) -> None:
        query = {"path": path, "presign": "true"}
        found = (await self._ask("stat", "GET", f"{self._url}/refs/main/objects/stat", 200, params=query)).json()
        assert found["size_bytes"] == len(body), f"stat {path}"
        assert found["checksum"] == hashlib.md5(body).hexdigest(), f"stat {path}"
        read = await self._ask("store GET", "GET", found["physical_address"], 200, auth=None)
        assert read.content == body, f"read {path}"
        listed = await self._ask(
            "list", "GET", f"{self._url}/refs/main/objects/ls", 200, params={"prefix": path, "amount": 5}
        )
        assert path in [one["path"] for one in listed.json()["results"]], f"list {path}"

    async def _delete(self, path: str) -> None:
        await self._ask("delete", "DELETE", f"{self._url}/branches/main/objects", 204, params={"path": path})
        await self._ask("stat of nothing", "GET", f"{self._url}/refs/main/objects/stat", 404, params={"path": path})

    async def _commit(self, branch: str) -> None:
        message = {"message": f"by {self._own}"}
        await self._ask("commit", "POST", f"{self._url}/branches/{branch}/commits", 201, 400, json=message)
        await self._ask("log", "GET", f"{self._url}/refs/{branch}/commits", 200, params={"amount": 10})

    async def _branch(self, name: str) -> None:
        target = f"{name}-target"
        for one in (name, target):
            await self._ask("branch", "POST", f"{self._url}/branches", 201, json={"name": one, "source": "main"})
        await self._upload(f"{self._own}/branched", name.encode(), branch=name)
        await self._commit(name)
        await self._ask("diff", "GET", f"{self._url}/refs/main/diff/{name}", 200, params={"amount": 10})
        await self._ask("merge", "POST", f"{self._url}/refs/{name}/merge/{target}", 200, json={"message": "m"})
        for one in (name, target):
            await self._ask("delete branch", "DELETE", f"{self._url}/branches/{one}", 204)


async def _write(url: str, number: int, seconds: float) -> tuple[dict[str, int], list[str]]:
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=2 * number, max_keepalive_connections=2 * number)
    async with httpx2.AsyncClient(base_url=f"{url}/api/v1", auth=(KEY, SECRET), timeout=60, limits=limits) as client:
        lives = [Writer(client, one, counts).live(deadline) for one in range(number)]
        ended = await asyncio.gather(*lives, return_exceptions=True)
    return dict(counts), [f"{type(one).__name__}: {one}" for one in ended if one is not None]


def _writers(pipe: Any, url: str, number: int, seconds: float) -> None:
    pipe.send(uvloop.run(_write(url, number, seconds)))


# -- readers -----------------------------------------------------------------------------------------------------------


def prepared(url: str) -> list[bytes]:
    """Requests whose answers are always 200: objects that nobody changes, lists, the log, the user."""
    pair = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
    root = f"/api/v1/repositories/{REPOSITORY}"
    paths = [f"{root}/refs/main/objects/stat?path=fixed/{number}" for number in range(20)]
    paths += [f"{root}/refs/main/objects?path=fixed/{number}" for number in range(20)]
    paths += [
        f"{root}/refs/main/objects/ls?prefix=fixed/&amount=20",
        f"{root}/refs/main/objects/ls?delimiter=/&amount=100",
        f"{root}/branches/main",
        f"{root}/branches/main/staging/backing?path=new",
        "/api/v1/user",
        "/_health",
    ]
    host = urlsplit(url).netloc
    return [f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {pair}\r\n\r\n".encode() for path in paths]


def readers(requests: list[bytes], number: int) -> Iterator[bytes]:
    """The requests of one connection, without end."""
    at = number * 7
    while True:
        yield requests[at % len(requests)]
        at += 1


# -- all of it ---------------------------------------------------------------------------------------------------------


def traffic(
    url: str, pids: list[int], *, seconds: float, writing: int, reading: int
) -> tuple[dict[str, int], Any, list[str]]:
    """Both kinds of clients at once, each in a process of its own."""
    port = urlsplit(url).port
    assert port is not None
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_writers, args=(theirs, url, writing, seconds))
    results: list[Any] = []
    requests = prepared(url)

    def read() -> None:
        results.append(measure(port, pids, lambda number: readers(requests, number), clients=reading, seconds=seconds))

    thread = threading.Thread(target=read)
    process.start()
    thread.start()
    counts, failures = ours.recv()
    process.join()
    thread.join()
    if results[0].failures:
        failures.append(f"{results[0].failures} of the readers' requests failed: {results[0].example}")
    return counts, results[0], failures


class Course:
    """Looks at memory every now and then, until `stop`."""

    def __init__(self, pids: list[int], every: float) -> None:
        self.memory: list[int] = []
        self._pids = pids
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(self._every):
            self.memory.append(vitals(self._pids).memory)

    def stop(self) -> list[int]:
        self._ended.set()
        self._thread.join()
        return self.memory


def settled(pids: list[int], *, files: int | None) -> Vitals:
    """Vitals when the clients' connections are gone, or after `SETTLE` seconds."""
    deadline = time.monotonic() + SETTLE
    while True:
        found = vitals(pids)
        if time.monotonic() > deadline or (files is not None and found.files <= files):
            return found
        if files is None and found.sockets <= 4 * len(pids):
            return found
        time.sleep(0.2)


def prepare(url: str) -> None:
    """A repository with objects that nobody changes."""
    with httpx2.Client(base_url=f"{url}/api/v1", auth=(KEY, SECRET), timeout=60) as client:
        client.post("/repositories", json={"name": REPOSITORY}).raise_for_status()
        for number in range(20):
            client.post(
                f"/repositories/{REPOSITORY}/branches/main/objects",
                params={"path": f"fixed/{number}"},
                content=b"fixed " * 300,
            ).raise_for_status()
        client.post(f"/repositories/{REPOSITORY}/branches/main/commits", json={"message": "m"}).raise_for_status()


def endure(folder: Path, *, seconds: float, workers: int, writing: int = 12, reading: int = 8) -> Report:
    """Run it on a server of its own. A fifth of the time fills caches before the first look."""
    server = start_server(folder, "--workers", str(workers), environment={"LAKEHOUSE_CACHE__MEMORY": CACHE})
    try:
        pids = family(server.process.pid)
        prepare(server.url)
        _, _, early = traffic(server.url, pids, seconds=seconds / 5, writing=writing, reading=reading)
        before = settled(pids, files=None)
        course = Course(pids, seconds / 25)
        try:
            counts, read, late = traffic(server.url, pids, seconds=seconds * 4 / 5, writing=writing, reading=reading)
        finally:
            memory = course.stop()
        after = settled(pids, files=before.files)
        if family(server.process.pid) != pids:
            late.append("a worker was replaced")
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if 'status="5xx"' in line and not line.endswith(" 0"):
                    late.append(line)
        if "Traceback" in server.output:
            late.append(server.output[-3000:])
    finally:
        status = server.stop()
    if status not in (0, -15):
        late.append(f"the server ended with {status}")
    return Report(seconds, workers, counts, read.requests, read.p99, early + late, before, after, memory)


def main() -> int:
    """Run and print; 1 when something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, help="an empty folder; a temporary one if not given")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="endurance") as temporary:
        report = endure(options.data or Path(temporary), seconds=options.seconds, workers=options.workers)
    print(json.dumps(msgspec.to_builtins(report) | {"growth": round(report.growth, 4)}, indent=2))
    leaked = report.after.files > report.before.files
    return int(bool(report.failures) or leaked or report.growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
