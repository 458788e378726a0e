# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs beside links of objects: a reservation is to be claimed as fast as an object is linked.

    python -m tests.bench.reservations [--seconds 3] [--workers 1]

A real server on the embedded database, real HTTP on loopback, the load generator beside it. Prints rate, CPU of the
server per operation, latencies, and each rate as part of that of links in the same run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.load import measure
from tests.bench.server import AUTHORIZATION, Bench, link_requests, request
from tests.running import running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENTS = 16
ENTRIES = "/flyte/cache/p/d"
JSON = "Content-Type: application/json\r\n"


def claims(*, fresh: bool) -> Callable[[int], Iterator[bytes]]:
    """Claims, each of a key that nobody has (`fresh`), or each client extends its own."""

    def make(number: int) -> Iterator[bytes]:
        body = json.dumps({"owner_id": f"owner {number}"}).encode()
        for count in itertools.count():
            key = f"{number}-{count}" if fresh else f"own-{number}"
            yield request("POST", f"{ENTRIES}/{key}/reservation", body, JSON)

    return make


def held(_: int) -> Iterator[bytes]:
    """Everybody asks for the key of one owner."""
    body = json.dumps({"owner_id": "another"}).encode()
    return itertools.repeat(request("POST", f"{ENTRIES}/held/reservation", body, JSON))


def puts(number: int) -> Iterator[bytes]:
    body = json.dumps({"output_uri": "s3://elsewhere/o.pb"}).encode()
    return (request("PUT", f"{ENTRIES}/put-{number}-{count}", body, JSON) for count in itertools.count())


def gets(_: int) -> Iterator[bytes]:
    return itertools.repeat(request("GET", f"{ENTRIES}/put-0-0"))


def connect_gets(_: int) -> Iterator[bytes]:
    """The same by Connect."""
    asked = {"identifier": {"project": "p", "domain": "d"}, "baseRequest": {"key": "put-0-0"}}
    body = json.dumps(asked).encode()
    head = (
        "POST /flyteidl2.cacheservice.v2.CacheService/Get HTTP/1.1\r\nHost: bench\r\n"
        f"Authorization: {AUTHORIZATION}\r\nContent-Length: {len(body)}\r\n{JSON}\r\n"
    )
    return itertools.repeat(head.encode() + body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder) / "lake", "--workers", str(options.workers)) as server,
    ):
        bench = Bench(server, options.seconds, {})
        bench.rest("POST", "/repositories", json={"name": "lakes"})
        bench.rest("POST", f"{ENTRIES}/held/reservation", json={"owner_id": "one"})
        bench.rest("PUT", f"{ENTRIES}/put-0-0", json={"output_uri": "s3://elsewhere/o.pb"}, params={"overwrite": True})
        links = link_requests(bench, "/repositories/lakes", clients=CLIENTS, each=200)
        whole = 0.0
        for name, make in (
            ("link", links),
            ("claim, free", claims(fresh=True)),
            ("claim, extended", claims(fresh=False)),
            ("claim, held", held),
            ("put", lambda number: itertools.islice(puts(number), 1, None)),
            ("get", gets),
            ("get by Connect", connect_gets),
        ):
            found = measure(bench.port, bench.pids, make, clients=CLIENTS, seconds=options.seconds)
            assert not found.failures, found.example
            whole = whole or found.rate
            print(
                f"{name:20s} {found.rate:>9,.0f}/s {found.cpu * 1e6:>8.0f} us CPU  p50 {found.p50 * 1e3:6.2f} ms  "
                f"p99 {found.p99 * 1e3:6.2f} ms  {found.rate / whole:5.2f} of links",
                flush=True,
            )


if __name__ == "__main__":
    main()
