# SPDX-License-Identifier: Apache-2.0
"""The REST server under load: a real process, with real HTTP on loopback, the load generator beside it.

    python -m tests.bench.server [--seconds 3] [--workers 2] [--large 1000000]

Prints rate, CPU of the server per operation and latencies with 1, 16 and 64 clients, and the ratio to the budgets of
docs/explanation/performance.md, corrected by a calibration of this machine taken in the same run; at the end, all of it
as a table in Markdown. `--large` is the number of staged objects whose commit runs beside links.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx2
import msgspec

from tests.bench.calibration import REFERENCE, calibrate
from tests.bench.load import Result, cpu_seconds, family, measure, resident_mib
from tests.running import KEY, SECRET, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.running import RunningServer

API = "/api/v1"
AUTHORIZATION = "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()


class Budget(msgspec.Struct, frozen=True):
    """`rate` a second that must be reached on the reference machine, the aim, and the figure that bounds both."""

    must: float
    aim: float
    bound: str | None = None


BUDGETS = {
    ("link", 16): Budget(2 * 2_060, 4 * 2_060, "transactions"),
    ("link", 64): Budget(6_400, 2 * 6_400, "transactions"),
    ("get address", 16): Budget(0.8 * 14_900, 1.2 * 14_900),
    ("stat, uncommitted", 16): Budget(2 * 3_700, 3 * 3_700),
    ("stat, committed", 16): Budget(2 * 2_760, 4 * 2_760),
    ("list 100, committed", 16): Budget(1.5 * 1_450, 3 * 1_450),
    ("upload 4 KiB", 1): Budget(3 / 0.011, 8 / 0.011, "append"),
    ("links in atomic batches", 1): Budget(100_000, 200_000, "rows"),
}
FAIR = 0.5
"""What must be left of the rate of links while others are at work."""


def request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """A whole request on a connection that stays open."""
    length = f"Content-Length: {len(body)}\r\n" if body or method in {"POST", "PUT"} else ""
    head = f"{method} {API}{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {AUTHORIZATION}\r\n{length}{headers}\r\n"
    return head.encode() + body


class Bench:
    """A server with some repositories, and what is measured on it."""

    def __init__(self, server: RunningServer, seconds: float, speed: dict[str, float]) -> None:
        self.server = server
        self.port = int(server.url.rpartition(":")[2])
        self.pids = family(server.process.pid)
        self.seconds = seconds
        self.speed = speed
        self.rows: list[str] = []
        self.client = httpx2.Client(base_url=server.url + API, auth=(KEY, SECRET), timeout=120)

    def rest(self, method: str, path: str, **options: object) -> httpx2.Response:
        answer = self.client.request(method, path, **options)  # type: ignore[arg-type]
        answer.raise_for_status()
        return answer

    def repository(self, name: str) -> str:
        self.rest("POST", "/repositories", json={"name": name})
        return f"/repositories/{name}"

    def load(self, name: str, make: Callable[[int], Iterator[bytes]], *clients: int) -> None:
        for count in clients or (1, 16, 64):
            result = measure(self.port, self.pids, make, clients=count, seconds=self.seconds)
            self.report(name, count, result)

    def report(self, name: str, clients: int, result: Result) -> None:
        must, aim = self.verdict(name, clients, result.rate)
        figures = (
            f"{result.rate:>10,.0f}/s", f"{result.cpu * 1e6:>8.1f} us", f"{result.p50 * 1e3:>7.2f} ms",
            f"{result.p99 * 1e3:>7.2f} ms", f"{must:>6}", f"{aim:>6}",
        )  # fmt: skip
        self.row(name, str(clients), *figures)
        if result.failures:
            print(f"   FAILED {result.failures}: {result.example}", flush=True)

    def verdict(self, name: str, clients: int, rate: float) -> tuple[str, str]:
        """Multiples of what must be reached and of the aim."""
        budget = BUDGETS.get((name, clients))
        if budget is None:
            return "", ""
        factor = self.speed[budget.bound or "asgi"]
        return f"{rate / (budget.must * factor):.2f} x", f"{rate / (budget.aim * factor):.2f} x"

    def row(self, name: str, *cells: str) -> None:
        """A line of the table, printed as soon as it is known."""
        print(f"{name:<40}" + " ".join(cells), flush=True)
        self.rows.append(f"| {name} | " + " | ".join(cell.strip() for cell in cells) + " |")

    def link_bodies(self, repository: str, prefix: str, count: int, *, branch: str = "main") -> list[bytes]:
        """Bodies of 10,000 links each, of addresses that were asked for, in MessagePack."""
        bodies = []
        for start in range(0, count, 10_000):
            paths = [f"{prefix}{number:07}" for number in range(start, min(start + 10_000, count))]
            answer = self.rest("POST", f"{repository}/branches/{branch}/staging/addresses", json={"paths": paths})
            bodies.append(b"".join([msgspec.msgpack.encode(link_of(one)) for one in answer.json()["results"]]))
        return bodies

    def links(self, name: str, repository: str, count: int, *, atomic: str = "true") -> None:
        """Link `count` objects in batches, and say how fast that was."""
        bodies = self.link_bodies(repository, "p/", count)
        cpu, started = cpu_seconds(*self.pids), time.perf_counter()
        for body in bodies:
            self.link_batch(repository, body, atomic=atomic)
        rate = count / (time.perf_counter() - started)
        used = (cpu_seconds(*self.pids) - cpu) / count
        must, aim = self.verdict(name, 1, rate)
        self.row(name, "1", f"{rate:>10,.0f}/s", f"{used * 1e6:>8.1f} us", "", "", f"{must:>6}", f"{aim:>6}")

    def link_batch(self, repository: str, body: bytes, *, branch: str = "main", atomic: str = "true") -> None:
        path = f"{repository}/branches/{branch}/staging/links?atomic={atomic}"
        self.rest("PUT", path, content=body, headers={"content-type": "application/msgpack"})

    def fairness(self, name: str, make: Callable[[int], Iterator[bytes]], work: Callable[[], object]) -> None:
        """The rate of links with 16 clients while `work` runs, as part of the rate when nothing else does."""
        idle = measure(self.port, self.pids, make, clients=16, seconds=self.seconds)
        with ThreadPoolExecutor(1) as pool:
            running, counts, seconds, worst = pool.submit(work), 0, 0.0, 0.0
            while not running.done():
                busy = measure(self.port, self.pids, make, clients=16, seconds=min(1.0, self.seconds))
                if not running.done() or not counts:
                    counts, seconds = counts + busy.requests, seconds + busy.requests / busy.rate
                    worst = max(worst, busy.p99)
            running.result()
        part = counts / seconds / idle.rate
        cells = (f"{counts / seconds:>10,.0f}/s", "", "", f"{worst * 1e3:>7.2f} ms", f"{part / FAIR:>4.2f} x", "")
        self.row(f"links while {name}", "16", *cells)

    def timed(
        self, name: str, work: Callable[[], object], *, limit: float | None = None, bound: str = "append"
    ) -> None:
        """Run `work` once; `limit` is the time in seconds that must not be exceeded on the reference machine."""
        self.rounds(name, lambda _: None, lambda _: work(), rounds=1, limit=limit, bound=bound)

    def rounds(
        self,
        name: str,
        prepare: Callable[[int], object],
        work: Callable[[int], object],
        *,
        rounds: int,
        limit: float | None = None,
        bound: str = "append",
    ) -> None:
        """As `timed`, a mean of some rounds; each is prepared before, which is not counted."""
        wall = used = 0.0
        for number in range(rounds):
            prepare(number)
            cpu, started = cpu_seconds(*self.pids), time.perf_counter()
            work(number)
            wall += (time.perf_counter() - started) / rounds
            used += (cpu_seconds(*self.pids) - cpu) / rounds
        verdict = "" if limit is None else f"{limit / self.speed[bound] / wall:.2f} x"
        self.row(name, "1", f"{wall * 1e3:>10.1f} ms", f"{used * 1e3:>8.0f} ms", "", "", f"{verdict:>6}", "")


def link_of(location: dict[str, object]) -> dict[str, object]:
    staging = {name: location[name] for name in ("physical_address", "token")}
    return {"path": location["path"], "staging": staging, "checksum": "c" * 32, "size_bytes": 1000}


def addresses(repository: str) -> Callable[[int], Iterator[bytes]]:
    def make(number: int) -> Iterator[bytes]:
        for count in itertools.count():
            yield request("GET", f"{repository}/branches/main/staging/backing?path=dir/{number}/{count}")

    return make


def link_requests(bench: Bench, repository: str, *, clients: int, each: int) -> Callable[[int], Iterator[bytes]]:
    """Links of addresses that were handed out before: the same few over and over, each by its own client."""
    ready: list[list[bytes]] = []
    for number in range(clients):
        paths = [f"dir/{number}/{count}" for count in range(each)]
        found = bench.rest("POST", f"{repository}/branches/main/staging/addresses", json={"paths": paths}).json()
        ready.append(
            [
                request(
                    "PUT",
                    f"{repository}/branches/main/staging/backing?path={quote(one['path'])}",
                    json.dumps({"staging": one, "checksum": "c" * 32, "size_bytes": 1000}).encode(),
                    "Content-Type: application/json\r\n",
                )
                for one in found["results"]
            ]
        )
    return lambda number: itertools.cycle(ready[number])


def reads(paths: list[str]) -> Callable[[int], Iterator[bytes]]:
    ready = [request("GET", path) for path in paths]

    def make(number: int) -> Iterator[bytes]:
        return itertools.islice(itertools.cycle(ready), number * 37, None)

    return make


def uploads(repository: str) -> Callable[[int], Iterator[bytes]]:
    body = bytes(range(256)) * 16

    def make(number: int) -> Iterator[bytes]:
        for count in itertools.count():
            yield request("POST", f"{repository}/branches/main/objects?path=up/{number}/{count}", body)

    return make


def run(bench: Bench) -> None:
    staging = bench.repository("bench-staging")
    bench.load("get address", addresses(staging))
    bench.load("link", link_requests(bench, staging, clients=64, each=50))
    for body in bench.link_bodies(staging, "st/", 500):
        bench.link_batch(staging, body, atomic="false")
    stats = f"{staging}/refs/main/objects/stat?path=st/"
    bench.load("stat, uncommitted", reads([f"{stats}{n:07}" for n in range(500)]))
    uploading = bench.repository("bench-upload")
    bench.load("upload 4 KiB", uploads(uploading))
    big = bench.repository("bench-big")
    bench.links("links in atomic batches", big, 100_000)
    commits = f"{big}/branches/main/commits"
    bench.timed(
        "commit of 100k staged objects", lambda: bench.rest("POST", commits, json={"message": "100k"}), limit=0.5
    )
    bench.load("stat, committed", reads([f"{big}/refs/main@/objects/stat?path=p/{n * 97:07}" for n in range(1000)]))
    pages = [f"{big}/refs/main@/objects/ls?prefix=p/&after=p/{n * 97:07}&amount=100" for n in range(900)]
    bench.load("list 100, committed", reads(pages))
    for count in (1, 1_000):
        rows = [{"path": f"small/{n}", "checksum": f"{n}{count}", "size_bytes": n} for n in range(count)]
        link_some(bench, big, rows)
        bench.timed(
            f"commit of {count:,} staged objects", lambda: bench.rest("POST", commits, json={"message": "some"})
        )

    scattered(bench, big)

    def pairs() -> None:
        for number in range(50):
            bench.rest("POST", f"{uploading}/branches/main/objects?path=one", content=b"%d" % number)
            bench.rest("POST", f"{uploading}/branches/main/commits", json={"message": "one"})

    bench.rest("POST", f"{uploading}/branches/main/commits", json={"message": "before"})
    bench.timed("50 x upload + commit of one object", pairs, limit=50 * 0.025 / 3)

    def branches() -> None:
        for number in range(20):
            bench.rest("POST", f"{big}/branches", json={"name": f"b{number}", "source": "main"})

    bench.timed("20 x create a branch", branches, limit=20 * 0.014 / 5)

    bench.links("links in batches, per item", bench.repository("bench-items"), 100_000, atomic="false")

    def listing() -> None:
        after, more = "", True
        while more:
            page = bench.rest("GET", f"{big}/refs/main/objects/ls?amount=1000&after={quote(after)}").json()[
                "pagination"
            ]
            after, more = page["next_offset"], page["has_more"]

    bench.timed("list 101k objects in pages of 1,000", listing, limit=1.1 / 2)


def scattered(bench: Bench, big: str) -> None:
    """Few changes anywhere in a repository of 100,000 objects: committed, compared, merged."""

    def change(branch: str, count: int, number: int) -> None:
        places = random.Random(number).sample(range(100_000), count)
        rows = [{"path": f"p/{n:07}", "checksum": f"{n}-{number}", "size_bytes": n} for n in sorted(places)]
        link_some(bench, big, rows, branch=branch)

    def commit(branch: str) -> None:
        bench.rest("POST", f"{big}/branches/{branch}/commits", json={"message": "scattered"})

    def branch_off(count: int, number: int) -> None:
        bench.rest("POST", f"{big}/branches", json={"name": f"side{number}", "source": "main"})
        change(f"side{number}", count, number)
        commit(f"side{number}")

    bench.rounds(
        "commit of 1 change in 101k",
        lambda number: change("main", 1, number),
        lambda _: commit("main"),
        rounds=20,
        limit=0.014 / 3,
    )
    for others, label in ((0, ""), (20, ", 20 others there"), (200, ", 200 others there")):

        def both(number: int, others: int = others) -> None:
            branch_off(200, 100 * others + 100 + number)
            if others:
                change("main", others, 100 * others + 150 + number)
                commit("main")

        bench.rounds(
            f"merge of 200 changes into 101k{label}",
            both,
            lambda number, others=others: bench.rest(  # type: ignore[misc]
                "POST", f"{big}/refs/side{100 * others + 100 + number}/merge/main", json={"strategy": "dest-wins"}
            ),
            rounds=10,
            limit=0.057 / 4,
        )
    branch_off(500, 1000)
    differences = f"{big}/refs/main/diff/side1000?amount=1000&type=two_dot"
    bench.rounds(
        "diff of 500 changes in 101k",
        lambda _: bench.rest("GET", differences),
        lambda _: bench.rest("GET", differences),
        rounds=10,
        limit=0.036 / 4,
    )


def beside(bench: Bench, count: int) -> None:
    """Links, on a branch of their own, while another repository's branch is committed and merged."""
    quiet, heavy = bench.repository("bench-quiet"), bench.repository("bench-heavy")
    make = link_requests(bench, quiet, clients=16, each=50)
    bodies = bench.link_bodies(heavy, "p/", count)
    bench.rest("POST", f"{heavy}/branches", json={"name": "side", "source": "main"})
    bench.fairness("others link in batches", make, lambda: [bench.link_batch(heavy, body) for body in bodies])
    message = {"message": "large"}
    bench.fairness(
        f"{count:,} objects are committed",
        make,
        lambda: bench.rest("POST", f"{heavy}/branches/main/commits", json=message),
    )
    bench.fairness("they are merged", make, lambda: bench.rest("POST", f"{heavy}/refs/main/merge/side"))
    bench.rest("POST", f"{heavy}/branches", json={"name": "other", "source": "main~1"})
    for body in bench.link_bodies(heavy, "q/", count, branch="other"):
        bench.link_batch(heavy, body, branch="other")
    bench.rest("POST", f"{heavy}/branches/other/commits", json=message)
    bench.fairness(
        "they are merged with as many others", make, lambda: bench.rest("POST", f"{heavy}/refs/main/merge/other")
    )
    bench.fairness("garbage among them is marked", make, lambda: mark_garbage(bench, heavy))


def mark_garbage(bench: Bench, repository: str) -> None:
    """A run of garbage collection that deletes nothing, to its end."""
    runs = f"{repository}/gc/runs"
    run = bench.rest("POST", runs, json={"dry_run": True}).json()["id"]
    while not (status := bench.rest("GET", f"{runs}/{run}").json())["done"]:
        time.sleep(0.01)
    if "error" in status:
        raise SystemExit(f"garbage collection: {status['error']}")


def link_some(bench: Bench, repository: str, rows: list[dict[str, object]], *, branch: str = "main") -> None:
    base = f"{repository}/branches/{branch}/staging"
    answer = bench.rest("POST", f"{base}/addresses", json={"paths": [row["path"] for row in rows]})
    lines = [json.dumps(row | {"staging": one}) for row, one in zip(rows, answer.json()["results"], strict=True)]
    bench.rest("PUT", f"{base}/links", content="\n".join(lines).encode())


def bare_rate(seconds: float) -> float:
    """Answers a second of a server that does nothing, over the same protocol stack, with 64 clients."""
    import os
    import socket

    import uvicorn

    async def nothing(scope: dict[str, object], receive: object, send: Callable[..., object]) -> None:
        if scope["type"] != "http":
            return
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[misc]

    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    port = bound.getsockname()[1]
    child = os.fork()
    if not child:
        config = uvicorn.Config(nothing, log_level="error", lifespan="off", access_log=False)  # type: ignore[arg-type]
        uvicorn.Server(config).run(sockets=[bound])
        os._exit(0)
    time.sleep(0.5)
    try:
        return measure(port, [child], lambda _: itertools.repeat(request("GET", "/")), clients=64, seconds=seconds).rate
    finally:
        os.kill(child, 15)
        os.waitpid(child, 0)


HEAD = """| operation | clients | rate or time | CPU | p50 | p99 | of the must | of the aim |
|---|---|---|---|---|---|---|---|"""
BARE_REFERENCE = 29_500


def main() -> None:
    """Calibrate, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--large", type=int, default=200_000, help="objects of the commit that runs beside links")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = calibrate(Path(folder))
        speed = figures.against(REFERENCE)
        speed["asgi"] = bare_rate(options.seconds) / BARE_REFERENCE
        print("this machine against the reference: " + ", ".join(f"{name} {x:.2f}" for name, x in speed.items()))
        with running_server(Path(folder) / "data", "--workers", str(options.workers)) as server:
            bench = Bench(server, options.seconds, speed)
            idle = resident_mib(*bench.pids)
            run(bench)
            if options.large:
                beside(bench, options.large)
            loaded = resident_mib(*bench.pids)
            bench.row("memory, idle", "", f"{idle:.0f} MiB", "", "", "", f"{120 * options.workers / idle:.2f} x", "")
            bench.row(
                "memory, after all", "", f"{loaded:.0f} MiB", "", "", "", f"{400 * options.workers / loaded:.2f} x", ""
            )
            print(f"\n{HEAD}\n" + "\n".join(bench.rows))


if __name__ == "__main__":
    main()
