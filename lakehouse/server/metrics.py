# SPDX-License-Identifier: Apache-2.0
"""What the server tells about itself at `/metrics`: the families, where each figure comes from, and who may read them.

Requests are counted as they are answered. Everything else is a plain number that its owner keeps; it is copied every
`BEAT` seconds and when somebody asks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import resource
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse import __version__
from lakehouse.db.port import Watched
from lakehouse.objects.metered import CALLS, OUTCOMES, StoreFigures
from lakehouse.s3 import routes
from lakehouse.s3.repository import serve
from lakehouse.server.protocol import Traffic
from lakehouse.telemetry.board import Board, own_sheet
from lakehouse.telemetry.exposition import exposition
from lakehouse.telemetry.metrics import Metrics
from lakehouse.telemetry.requests import Requests
from lakehouse.wire import buckets, kv
from lakehouse.wire.table import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakehouse.db.port import Database
    from lakehouse.versioning.lake import Lake

FOLDER = "metrics"
BEAT = 5.0
"""Seconds between copies."""
REST, S3, NEURO, DESCARTES = "rest", "s3", "neuro", "descartes"
TASK_ENDS = ("done", "failed", "left")
HOOK_ENDS = ("completed", "failed", "skipped")
_PAGE = os.sysconf("SC_PAGE_SIZE")
logger = logging.getLogger(__name__)


class ServerMetrics:
    """The figures of one process. A room with figures of its own declares them in `metrics` before `start`."""

    def __init__(self, *, sides: Mapping[str, Iterable[str]], log: bool = False) -> None:
        self.metrics = Metrics()
        self.traffic = Traffic(log=log)
        self.stores: dict[str, StoreFigures] = {}
        self._requests = Requests(self.metrics, {side: tuple(sorted(names)) for side, names in sides.items()})
        self.observer = self._requests.observer
        self._board: Board | None = None
        self._beat: asyncio.Task[None] | None = None
        _process(self.metrics, self.traffic)

    def store(self, name: str) -> StoreFigures:
        """The figures of an object store, by the name that it goes by. Raises ValueError when there is another one."""
        if name in self.stores:
            raise ValueError(f"two stores are called {name}")
        self.stores[name] = StoreFigures()
        return self.stores[name]

    def watch_stores(self) -> None:
        """Show the stores that were asked for so far."""
        _stores(self.metrics, self.stores)

    def watch_lake(self, lake: Lake, kinds: Iterable[str]) -> None:
        """Show a lake: its database, its nodes, its tasks of these kinds, its hooks and garbage collection."""
        _database(self.metrics, lake.db)
        _nodes(self.metrics, lake)
        _work(self.metrics, lake, sorted(kinds))

    async def start(self, folder: Path) -> None:
        """Publish: nothing can be declared from now on. A disk that refuses leaves us without, and is logged."""
        try:
            self._board = Board(folder / FOLDER, self.metrics)
        except OSError as error:
            logger.warning("figures are not published: %s", error)
            return
        self._beat = asyncio.get_running_loop().create_task(self._for_ever())

    async def page(self) -> bytes:
        """The figures of all processes, as Prometheus reads them; of this one alone where they are not published."""
        sheets = [own_sheet(self.metrics)] if self._board is None else self._board.sheets()
        return await asyncio.to_thread(exposition, sheets)

    def stop(self) -> None:
        """Let go of the file."""
        if self._beat is not None:
            self._beat.cancel()
        if self._board is not None:
            self._board.close()
            self._board = None

    async def _for_ever(self) -> None:
        while self._board is not None:
            self._board.beat()
            await asyncio.sleep(BEAT)


def lake_metrics(*, log: bool = False) -> ServerMetrics:
    """For the whole server. `log`: have a line written for each request."""
    return ServerMetrics(
        log=log,
        sides={
            REST: [operation.name for operation in OPERATIONS],
            S3: routes.OPERATIONS | serve.OPERATIONS | {"list_buckets"},
            NEURO: [operation.name for operation in buckets.OPERATIONS],
            DESCARTES: [operation.name for operation in (*kv.OPERATIONS, *kv.LOGIN_OPERATIONS)],
        },
    )


def store_metrics(*, log: bool = False) -> ServerMetrics:
    """For the embedded store alone."""
    return ServerMetrics(log=log, sides={S3: routes.OPERATIONS | {"list_buckets"}})


def _process(metrics: Metrics, traffic: Traffic) -> None:
    build = metrics.gauge(
        "lakehouse_build_info",
        "Always 1; the labels tell the version.",
        merge="max",
        version=(__version__,),
        python=(platform.python_version(),),
    )
    workers = metrics.gauge("lakehouse_workers", "Processes that answer requests.").at()
    received = metrics.counter("lakehouse_http_received_bytes_total", "Bytes that clients sent, heads included.").at()
    sent = metrics.counter("lakehouse_http_sent_bytes_total", "Bytes of answers, heads included.").at()
    connections = metrics.gauge("lakehouse_http_connections", "Open connections of clients.").at()
    memory = metrics.gauge("lakehouse_process_resident_bytes", "Memory that the processes hold.").at()
    files = metrics.gauge("lakehouse_process_open_files", "Open files and sockets of the processes.").at()
    threads = metrics.gauge("lakehouse_process_threads", "Threads of the processes.").at()
    seconds = metrics.counter("lakehouse_process_cpu_seconds_total", "CPU time of the processes.").at()
    started = metrics.gauge(
        "lakehouse_process_start_seconds", "When the youngest process began, in seconds since 1970.", merge="max"
    ).at()
    began = time.time()

    def sample() -> None:
        build.at(__version__, platform.python_version()).set(1)
        workers.set(1)
        received.total(traffic.received)
        sent.total(traffic.sent)
        connections.set(traffic.connections)
        memory.set(_resident())
        files.set(_open_files())
        threads.set(threading.active_count())
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds.total(used.ru_utime + used.ru_stime)
        started.set(began)

    metrics.sample(sample)


def _resident() -> float:
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE
    except OSError:  # elsewhere than on Linux: the most that it ever held
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _open_files() -> int:
    with suppress(OSError):
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names are enough)
    return 0


def _database(metrics: Metrics, db: Database) -> None:
    if not isinstance(db, Watched):
        return
    ended = metrics.counter(
        "lakehouse_database_transactions_total", "Transactions that wrote.", outcome=("stored", "failed")
    )
    seconds = metrics.histogram(
        "lakehouse_database_write_seconds", "Time from asking for a change until it was durable, its turn included."
    )
    waiting = metrics.gauge("lakehouse_database_waiting", "Changes that wait for their turn or a connection.").at()

    def sample() -> None:
        done = db.transactions
        ended.at("stored").total(done.stored)
        ended.at("failed").total(done.failed)
        seconds.total(done.seconds)
        waiting.set(db.waiting)

    metrics.sample(sample)


def _nodes(metrics: Metrics, lake: Lake) -> None:
    reads = metrics.counter(
        "lakehouse_node_reads_total", "Nodes of trees, by where they were found.", found=("memory", "disk", "store")
    )
    held = metrics.gauge("lakehouse_node_cache_bytes", "Memory that holds nodes of trees.").at()

    def sample() -> None:
        nodes = lake.nodes
        reads.at("memory").total(nodes.hits)
        reads.at("disk").total(nodes.disk_hits)
        reads.at("store").total(nodes.misses - nodes.disk_hits)
        held.set(nodes.used)

    metrics.sample(sample)


def _stores(metrics: Metrics, stores: Mapping[str, StoreFigures]) -> None:
    names = tuple(stores)
    calls = metrics.counter(
        "lakehouse_store_calls_total",
        "Calls to object stores. Refused: not there, a condition that does not hold. Failed: the store's fault.",
        store=names,
        call=CALLS,
        outcome=OUTCOMES,
    )
    seconds = metrics.histogram(
        "lakehouse_store_call_seconds", "How long calls to object stores took.", store=names, call=CALLS
    )
    moved = metrics.counter(
        "lakehouse_store_bytes_total", "Bytes of objects and nodes.", store=names, direction=("in", "out")
    )

    def sample() -> None:
        for name, figures in stores.items():
            moved.at(name, "in").total(figures.received)
            moved.at(name, "out").total(figures.sent)
            for (call, outcome), count in figures.ended.items():
                if count:
                    calls.at(name, call, outcome).total(count)
            for call, seen in figures.seconds.items():
                if seen.sum:
                    seconds.total(seen, name, call)

    metrics.sample(sample)


def _work(metrics: Metrics, lake: Lake, kinds: list[str]) -> None:
    tasks = metrics.counter(
        "lakehouse_tasks_total",
        "Background tasks that ended here. Left: canceled, or gone on with by another process.",
        kind=kinds,
        outcome=TASK_ENDS,
    )
    running = metrics.gauge("lakehouse_tasks_running", "Background tasks that run.").at()
    hooks = metrics.counter("lakehouse_hooks_total", "Hooks of repositories, by how they ended.", outcome=HOOK_ENDS)
    collected = {
        "gc runs": metrics.counter("lakehouse_gc_runs_total", "Runs of garbage collection.").at(),
        "gc objects": metrics.counter("lakehouse_gc_deleted_objects_total", "Objects and nodes it deleted.").at(),
        "gc bytes": metrics.counter("lakehouse_gc_deleted_bytes_total", "Bytes it deleted.").at(),
        "gc seconds": metrics.counter("lakehouse_gc_seconds_total", "Time it took.").at(),
    }

    def sample() -> None:
        running.set(lake.tasks.running)
        for (kind, outcome), cell in tasks:
            cell.total(lake.tasks.counts.of(f"{kind} {outcome}"))
        for (outcome,), cell in hooks:
            cell.total(lake.counts.of(f"hooks {outcome}"))
        for name, cell in collected.items():
            cell.total(lake.counts.of(name))

    metrics.sample(sample)
