# SPDX-License-Identifier: Apache-2.0
"""Values by key (Descartes Labs Storage) beside the same work by REST: what the interface costs on top.

A real server process, 4 KiB values, clients beside it on loopback. Prints rate, CPU of the server per request, and
latencies; then `set` and `get` of our own client, one after another, which is two requests for a value that is stored.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from lakehouse.sdk import Client
from lakehouse.sdk.kv import Storage
from tests.bench.load import cpu_seconds, measure
from tests.running import KEY, SECRET, RunningServer, running_server

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENTS = 8
KEYS = 64
SMALL = os.urandom(4096)
REPOSITORY = "descartes-data-admin"


def request(method: str, target: str, *, token: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"authorization: {token}"] if token else []
    lines += ["content-type: application/octet-stream"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def signed_target(http: httpx2.Client, url: str, key: str) -> str:
    parts = urlsplit(http.get(f"{url}/storage/v1/data/new_resumable_url/{key}").text)
    return f"{parts.path}?{parts.query}"


def load(server: RunningServer, name: str, requests: Callable[[int], list[bytes]], seconds: float) -> None:
    """Each client repeats requests of its own."""
    made = {number: requests(number) for number in range(CLIENTS)}
    port = int(server.url.rpartition(":")[2])
    result = measure(
        port, [server.process.pid], lambda number: itertools.cycle(made[number]), clients=CLIENTS, seconds=seconds
    )
    print(
        f"{name:<32}{CLIENTS:>3} clients {result.rate:>8,.0f}/s {result.cpu * 1e6:>6.0f} us CPU "
        f"p50 {result.p50 * 1e3:>6.2f} ms p99 {result.p99 * 1e3:>6.2f} ms"
        + (f"   FAILED {result.failures}: {result.example}" if result.failures else ""),
        flush=True,
    )


def many_clients(server: RunningServer, seconds: float) -> None:
    basic = f"Basic {b64encode(f'{KEY}:{SECRET}'.encode()).decode()}"
    login = {"access_key_id": KEY, "secret_access_key": SECRET}
    bearer = f"Bearer {httpx2.post(f'{server.url}/api/v1/auth/login', json=login).json()['token']}"
    rest = f"/api/v1/repositories/{REPOSITORY}"
    with httpx2.Client(headers={"authorization": basic}) as http:
        urls = {
            number: [signed_target(http, server.url, f"put/{number}/{count}") for count in range(KEYS)]
            for number in range(CLIENTS)
        }

    with httpx2.Client() as http:
        for target in itertools.chain.from_iterable(urls.values()):
            http.put(server.url + target, content=SMALL).raise_for_status()  # so that all keys are there to be read

    def each(make: Callable[[str], bytes]) -> Callable[[int], list[bytes]]:
        return lambda number: [make(f"put/{number}/{count}") for count in range(KEYS)]

    upload = each(lambda key: request("POST", f"{rest}/branches/main/objects?path={key}", token=bearer, body=SMALL))
    load(server, "REST upload", upload, seconds)
    load(server, "PUT by signed URL", lambda number: [request("PUT", at, body=SMALL) for at in urls[number]], seconds)
    link = each(lambda key: request("GET", f"/storage/v1/data/new_resumable_url/{key}", token=bearer))
    load(server, "URL to upload to", link, seconds)
    read = each(lambda key: request("GET", f"{rest}/refs/main/objects?path={key}", token=bearer))
    load(server, "REST get", read, seconds)
    load(server, "get", each(lambda key: request("GET", f"/storage/v1/data/get/{key}", token=bearer)), seconds)
    load(server, "list 1,000", lambda _: [request("GET", "/storage/v1/data/list", token=bearer)], seconds)


def one_client(server: RunningServer, seconds: float) -> None:
    """Our own clients, one request after another."""
    pair = {"access_key_id": KEY, "secret_access_key": SECRET}
    with Storage(f"{server.url}/storage/v1", auth=(KEY, SECRET)) as store, Client(server.url, **pair) as lake:
        text = "x" * 4096
        steps: dict[str, Callable[[str], object]] = {
            "SDK upload_object": lambda key: lake.objects.upload_object(REPOSITORY, "main", key, text.encode()),
            "Storage.set": lambda key: store.set(key, text),
            "SDK get_object": lambda key: lake.objects.get_object(REPOSITORY, "main", key),
            "Storage.get": store.get,
        }
        for name, step in steps.items():
            count, cpu, begun = 0, cpu_seconds(server.process.pid), time.perf_counter()
            while time.perf_counter() < begun + seconds:
                step(f"one/{count % KEYS}")
                count += 1
            spent = cpu_seconds(server.process.pid) - cpu
            took = (time.perf_counter() - begun) / count
            print(f"{name:<32}  1 client  {1 / took:>8,.0f}/s {spent / count * 1e6:>6.0f} us CPU   {took * 1e3:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each line")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder) / "lake") as server:
        with Storage(f"{server.url}/storage/v1", auth=(KEY, SECRET)) as store:
            store.set("first", "value")  # the repository is made on first use
        many_clients(server, seconds)
        one_client(server, seconds)


if __name__ == "__main__":
    main()
