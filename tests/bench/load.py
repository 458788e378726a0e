# SPDX-License-Identifier: Apache-2.0
"""A load generator in a process of its own: many keep-alive connections, each sends its next request when the answer
to the last one is there. As cheap as Python allows, because it shares the machine with the server that it measures.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection as Pipe

TICKS = os.sysconf("SC_CLK_TCK")


class Result(msgspec.Struct, frozen=True):
    """`rate` in requests a second, `cpu` of the server in seconds for each request, latencies in seconds."""

    requests: int
    rate: float
    cpu: float
    p50: float
    p99: float
    failures: int
    example: str = ""


class Client(asyncio.Protocol):
    """One connection. Answers must carry Content-Length, or be 204 or 304."""

    def __init__(self, requests: Iterator[bytes], deadline: float, done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._deadline = deadline
        self._done = done
        self._buffer = b""
        self._sent = 0.0
        self._transport: asyncio.WriteTransport
        self.latencies: list[float] = []
        self.failures = 0
        self.example = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        now = time.perf_counter()
        request = next(self._requests, None) if now < self._deadline else None
        if request is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._sent = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = buffer
            return
        at = buffer.find(b"content-length: ", 0, end)
        length = int(buffer[at + 16 : buffer.find(b"\r\n", at)]) if at > 0 else 0
        if len(buffer) < end + 4 + length:
            self._buffer = buffer
            return
        self._buffer = b""
        self.latencies.append(time.perf_counter() - self._sent)
        if buffer[9:10] not in b"23":
            self.failures += 1
            self.example = self.example or buffer[:400].decode("utf-8", "replace")
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self.failures += 1
            self.example = self.example or f"connection lost: {exc}"
            self._done.set_result(None)


def measure(
    port: int,
    pids: Sequence[int],
    make: Callable[[int], Iterator[bytes]],
    *,
    clients: int,
    seconds: float,
) -> Result:
    """Load the server on `port` (its processes are `pids`) with `clients` connections for some seconds.

    `make` gives the requests of the connection of that number, whole with their headers.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_child, args=(theirs, port, make, clients, seconds))
    before = cpu_seconds(*pids)
    process.start()
    count, elapsed, p50, p99, failures, example = ours.recv()
    process.join()
    cpu = cpu_seconds(*pids) - before
    return Result(count, count / elapsed, cpu / max(1, count), p50, p99, failures, example)


def _child(pipe: Pipe, port: int, make: Callable[[int], Iterator[bytes]], clients: int, seconds: float) -> None:
    pipe.send(uvloop.run(_load(port, make, clients, seconds)))


async def _load(
    port: int, make: Callable[[int], Iterator[bytes]], clients: int, seconds: float
) -> tuple[int, float, float, float, int, str]:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    deadline = started + seconds
    running = []
    for number in range(clients):
        done: asyncio.Future[None] = loop.create_future()
        client = Client(make(number), deadline, done)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        running.append((client, done))
    for _, done in running:
        await done
    elapsed = time.perf_counter() - started
    latencies = sorted(one for client, _ in running for one in client.latencies)
    failures = sum(client.failures for client, _ in running)
    example = next((client.example for client, _ in running if client.example), "")
    count = len(latencies)
    if not count:
        return 0, elapsed, 0.0, 0.0, failures, example
    return count, elapsed, latencies[count // 2], latencies[min(count - 1, count * 99 // 100)], failures, example


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *map(int, children)]


def cpu_seconds(*pids: int) -> float:
    """User and system time of processes so far, their threads included."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_mib(*pids: int) -> float:
    """Memory of processes in MiB; what they share counts for each."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
