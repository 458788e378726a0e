# SPDX-License-Identifier: Apache-2.0
"""The S3 gateway under load: a real server process, signed requests over HTTP on loopback, clients beside it.

Prints rate, CPU of the server per operation, latencies, and the ratio to the budgets of
docs/explanation/s3-performance.md, corrected by a calibration of this machine taken in the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import re
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from lakehouse.core.sigv4 import UNSIGNED_PAYLOAD, SigningKeys, sign_headers
from tests.bench.calibration import REFERENCE, Calibration, calibrate
from tests.bench.load import cpu_seconds, measure, resident_mib
from tests.running import KEY, SECRET, RunningServer, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CLIENTS = 8
SMALL = os.urandom(4096)
LARGE = 64 * 2**20
PART = 8 * 2**20
PARTS = 32
MUST = {"GET 4 KiB": 1.2 * 1_720, "PUT 4 KiB": 1.5 * 690, "GET 64 MiB": 1.15e9, "multipart 256 MB": 230e6}
"""Rates and bytes a second that must be reached on the reference machine."""
BOUND = {"PUT 4 KiB": "append", "multipart 256 MB": "md5", "GET 4 KiB": "sha256", "GET 64 MiB": "sha256"}
_KEYS = SigningKeys()


class Bench(msgspec.Struct, frozen=True):
    """A server, a repository of it, how long to measure, and how fast the machine is."""

    server: RunningServer
    repository: str
    seconds: float
    calibration: Calibration

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def signed(
        self,
        method: str,
        key: str,
        body: bytes = b"",
        *,
        query: Sequence[tuple[str, str]] = (),
        payload: str = "",
        length: int | None = None,
    ) -> bytes:
        """A whole request; without `body` when `length` says how much will be sent after it."""
        path = f"/{self.repository}/{key}".rstrip("/")
        host = self.server.url.removeprefix("http://")
        headers = sign_headers(
            method,
            path=path.encode(),
            headers={"host": host},
            access_key_id=KEY,
            secret=SECRET,
            region="us-east-1",
            now=time.time(),
            payload=payload or hashlib.sha256(body).hexdigest(),
            query=query,
            keys=_KEYS,
        )
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in query)
        lines = [
            f"{method} {quote(path)}{'?' + text if text else ''} HTTP/1.1",
            f"host: {host}",
            *(f"{name}: {value}" for name, value in headers.items()),
            f"content-length: {len(body) if length is None else length}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def verdict(self, name: str, rate: float) -> str:
        must = self.calibration.corrected(MUST[name], bound=BOUND[name]) if name in MUST else 0
        return f"{rate / must:6.2f} x must" if must else ""

    def cpu(self) -> float:
        return cpu_seconds(self.server.process.pid)


class Connection:
    """One connection that stays open; bodies are received and thrown away."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._buffer = memoryview(bytearray(1 << 20))

    def ask(self, *pieces: bytes) -> bytes:
        """Send a request; the answer's head, with its body if that is short. Raises RuntimeError for errors."""
        for piece in pieces:
            self._socket.sendall(piece)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(65536)
        found = re.search(rb"content-length: (\d+)", head)
        length = int(found[1]) if found else 0
        left = length - (len(head) - head.index(b"\r\n\r\n") - 4)
        while left > 0 and length < 65536:
            head += self._socket.recv(65536)
            left = length - (len(head) - head.index(b"\r\n\r\n") - 4)
        while left > 0:
            left -= self._socket.recv_into(self._buffer, min(left, len(self._buffer)))
        if head[9:10] != b"2":
            raise RuntimeError(head.decode("utf-8", "replace"))
        return head

    def close(self) -> None:
        self._socket.close()


def small_requests(bench: Bench) -> None:
    """4 KiB, 8 clients, each request signed in its headers with the SHA-256 of its body."""
    connection = Connection(bench.port)
    for number in range(256):
        connection.ask(bench.signed("PUT", f"main/get/{number}", SMALL))
    connection.close()
    gets = [bench.signed("GET", f"main/get/{number}") for number in range(256)]
    lists = [bench.signed("GET", "", query=[("list-type", "2"), ("prefix", "main/get/"), ("max-keys", "100")])]
    puts = {n: [bench.signed("PUT", f"main/put/{n}/{count}", SMALL) for count in range(256)] for n in range(CLIENTS)}

    def load(name: str, make: Callable[[int], Iterator[bytes]]) -> None:
        result = measure(bench.port, [bench.server.process.pid], make, clients=CLIENTS, seconds=bench.seconds)
        print(
            f"{name:<20}{CLIENTS:>3} clients {result.rate:>9,.0f}/s {result.cpu * 1e6:>7.0f} us CPU "
            f"p50 {result.p50 * 1e3:>6.2f} ms p99 {result.p99 * 1e3:>6.2f} ms {bench.verdict(name, result.rate)}"
            + (f"   FAILED {result.failures}: {result.example}" if result.failures else ""),
            flush=True,
        )

    load("GET 4 KiB", lambda number: itertools.islice(itertools.cycle(gets), number * 31, None))
    load("list 100", lambda _: itertools.cycle(lists))
    load("PUT 4 KiB", lambda number: itertools.cycle(puts[number]))


def at_once(work: Callable[[int], None], count: int) -> float:
    """Run `work(number)` in `count` threads; seconds until all have ended."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def large_reads(bench: Bench, clients: int, each: int) -> None:
    connection = Connection(bench.port)
    connection.ask(bench.signed("PUT", "main/large", payload=UNSIGNED_PAYLOAD, length=LARGE), bytes(LARGE))
    connection.close()
    request = bench.signed("GET", "main/large")

    def read(_: int) -> None:
        reader = Connection(bench.port)
        for _ in range(each):
            reader.ask(request)
        reader.close()

    at_once(read, 1)
    cpu = bench.cpu()
    wall = at_once(read, clients)
    count = clients * each
    rate = count * LARGE / wall
    verdict = bench.verdict("GET 64 MiB", rate) if clients == CLIENTS else ""
    print(
        f"{'GET 64 MiB':<20}{clients:>3} clients {rate / 1e9:>9.2f} GB/s "
        f"{(bench.cpu() - cpu) / count * 1e3:>6.1f} ms CPU each {verdict}",
        flush=True,
    )


def large_writes(bench: Bench, clients: int) -> None:
    data = bytes(LARGE)

    def write(number: int) -> None:
        writer = Connection(bench.port)
        writer.ask(bench.signed("PUT", f"main/large-{number}", payload=UNSIGNED_PAYLOAD, length=LARGE), data)
        writer.close()

    cpu = bench.cpu()
    wall = at_once(write, clients)
    print(
        f"{'PUT 64 MiB':<20}{clients:>3} clients {clients * LARGE / wall / 1e6:>9.0f} MB/s "
        f"{(bench.cpu() - cpu) / clients * 1e3:>6.1f} ms CPU each",
        flush=True,
    )


def multipart(bench: Bench, *, sign: bool) -> None:
    """32 parts of 8 MiB over 4 connections; `sign`: with the SHA-256 of each part in its signature."""
    data = os.urandom(PART)
    payload = hashlib.sha256(data).hexdigest() if sign else UNSIGNED_PAYLOAD
    connection = Connection(bench.port)
    key = f"main/multipart-{sign}"
    began = connection.ask(bench.signed("POST", key, query=[("uploads", "")]))
    upload = began.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    etags: dict[int, str] = {}

    def send(first: int) -> None:
        sender = Connection(bench.port)
        for number in range(first + 1, PARTS + 1, 4):
            query = [("partNumber", str(number)), ("uploadId", upload)]
            head = sender.ask(bench.signed("PUT", key, query=query, payload=payload, length=PART), data)
            etags[number] = head.partition(b'etag: "')[2].partition(b'"')[0].decode()
        sender.close()

    cpu, start = bench.cpu(), time.perf_counter()
    at_once(send, 4)
    sent = time.perf_counter() - start
    lines = [f"<Part><PartNumber>{n}</PartNumber><ETag>{etags[n]}</ETag></Part>" for n in sorted(etags)]
    body = f"<CompleteMultipartUpload>{''.join(lines)}</CompleteMultipartUpload>".encode()
    connection.ask(bench.signed("POST", key, body, query=[("uploadId", upload)]))
    connection.close()
    wall = time.perf_counter() - start
    rate = PARTS * PART / wall
    name = "multipart 256 MB" + (", signed" if sign else "")
    print(
        f"{name:<32} {rate / 1e6:>6.0f} MB/s, completing {wall - sent:.2f} s of {wall:.2f} s, "
        f"{bench.cpu() - cpu:>5.2f} s CPU {bench.verdict('multipart 256 MB', rate)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each small measurement")
    parser.add_argument("--many", action="store_true", help="also 64 large transfers at once")
    parser.add_argument("--only", default="", help="small, reads, writes or parts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calibration = calibrate(Path(folder))
        ratios = ", ".join(f"{name} {ratio:.2f}" for name, ratio in calibration.against(REFERENCE).items())
        print(f"this machine as a multiple of the reference: {ratios}")
        with running_server(Path(folder) / "lake") as server:
            bench = Bench(server, make_repository(server), options.seconds, calibration)
            print(f"memory {resident_mib(server.process.pid):.0f} MiB")
            if options.only in ("", "small"):
                small_requests(bench)
            if options.only in ("", "reads"):
                large_reads(bench, 1, 8)
                large_reads(bench, CLIENTS, 4)
            if options.only in ("", "writes"):
                large_writes(bench, 1)
                large_writes(bench, CLIENTS)
            if options.only in ("", "parts"):
                multipart(bench, sign=False)
                multipart(bench, sign=True)
            if options.many:
                large_reads(bench, 64, 1)
                large_writes(bench, 64)
            print(f"memory {resident_mib(server.process.pid):.0f} MiB")


def make_repository(server: RunningServer) -> str:
    import httpx2

    answer = httpx2.post(
        f"{server.url}/api/v1/repositories", json={"name": "bench"}, auth=(KEY, SECRET), trust_env=False
    )
    answer.raise_for_status()
    return "bench"


if __name__ == "__main__":
    main()
