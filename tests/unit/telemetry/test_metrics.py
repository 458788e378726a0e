# SPDX-License-Identifier: Apache-2.0
"""Families, cells, the files of several processes, and the page: read back by Prometheus's own parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lakehouse.telemetry.board import SILENCE, Board
from lakehouse.telemetry.exposition import exposition
from lakehouse.telemetry.metrics import Histogram, Metrics
from lakehouse.telemetry.requests import Requests

if TYPE_CHECKING:
    from pathlib import Path


class Process:
    """A process as far as figures go."""

    def __init__(self, *, extra: tuple[str, ...] = ()) -> None:
        self.metrics = Metrics()
        self.done = self.metrics.counter("done_total", 'What was "done".\nAll of it.', how=("well", 'b"ad\\', *extra))
        self.held = self.metrics.gauge("held", "What is held.").at()
        self.newest = self.metrics.gauge("newest", "The newest.", merge="max").at()
        self.seconds = self.metrics.histogram("work_seconds", "How long.", bounds=(0.1, 1.0), kind=("a", "b"))
        self.board: Board

    def join(self, folder: Path, *, now: float = 1000.0) -> Process:
        self.board = Board(folder, self.metrics, clock=lambda: now)
        return self


def read(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Samples by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def shown(process: Process) -> dict[Any, float]:
    return read(exposition(process.board.sheets()))


def test_what_is_counted_is_read_back(tmp_path: Path) -> None:
    one = Process()
    one.done.at("well").add()  # before it is published: nothing is lost
    one.join(tmp_path)
    one.done.at("well").add(2)
    one.done.at('b"ad\\').add(0.5)
    one.held.set(7)
    for value in (0.05, 0.1, 0.5, 3.0):
        one.seconds.observe(value, "a")
    found = shown(one)
    assert found["done_total", (("how", "well"),)] == 3
    assert found["done_total", (("how", 'b"ad\\'),)] == 0.5
    assert found["held", ()] == 7
    buckets = [found["work_seconds_bucket", (("kind", "a"), ("le", bound))] for bound in ("0.1", "1", "+Inf")]
    assert buckets == [2, 3, 4]
    assert found["work_seconds_count", (("kind", "a"),)] == 4
    assert found["work_seconds_sum", (("kind", "a"),)] == pytest.approx(3.65)
    assert not any(("kind", "b") in labels for _, labels in found)  # what never happened is not shown


def test_processes_add_up(tmp_path: Path) -> None:
    one, two = Process().join(tmp_path), Process(extra=("so-so",)).join(tmp_path)
    for process, amount in ((one, 1), (two, 10)):
        process.done.at("well").add(amount)
        process.held.set(amount)
        process.newest.set(amount)
        process.seconds.observe(0.5, "a")
    two.done.at("so-so").add(5)
    for process in (one, two):
        found = shown(process)
        assert found["done_total", (("how", "well"),)] == 11
        assert found["done_total", (("how", "so-so"),)] == 5
        assert (found["held", ()], found["newest", ()]) == (11, 10)
        assert found["work_seconds_count", (("kind", "a"),)] == 2


def test_a_process_that_ended_leaves_its_counters_and_takes_its_gauges(tmp_path: Path) -> None:
    one, two = Process().join(tmp_path), Process().join(tmp_path)
    two.done.at("well").add(10)
    two.held.set(10)
    two.board.close()
    two.done.at("well").add(1)  # what ends after the figures are closed harms nobody
    found = shown(one)
    assert found["done_total", (("how", "well"),)] == 10
    assert found["held", ()] == 0
    three = Process().join(tmp_path)
    three.done.at("well").add(1)
    assert shown(one)["done_total", (("how", "well"),)] == 11
    assert len(list(tmp_path.iterdir())) == 2  # it went on with the file of the one that ended


def test_a_process_that_is_silent_shows_no_gauges(tmp_path: Path) -> None:
    two = Process().join(tmp_path, now=1000.0)
    two.held.set(10)
    two.done.at("well").add(1)
    one = Process().join(tmp_path, now=1000.0 + SILENCE + 1)
    found = shown(one)
    assert (found["held", ()], found["done_total", (("how", "well"),)]) == (0, 1)


def test_files_that_are_none_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "0.cells").write_bytes(b"")
    (tmp_path / "7.cells").write_bytes(b"LHMETR01 and nothing that follows from it")
    (tmp_path / "8.cells").mkdir()
    one = Process().join(tmp_path)
    one.held.set(1)
    assert shown(one)["held", ()] == 1


def test_a_family_of_another_shape_does_not_count(tmp_path: Path) -> None:
    other = Metrics()
    other.gauge("done_total", "Not the same.").at().add(100)
    Board(tmp_path, other, clock=lambda: 1000.0)
    one = Process().join(tmp_path)
    one.done.at("well").add()
    assert shown(one)["done_total", (("how", "well"),)] == 1


def test_totals_are_taken_over_once(tmp_path: Path) -> None:
    seen = Histogram((0.1, 1.0))
    one = Process()
    one.metrics.sample(lambda: one.done.at("well").total(5))
    one.metrics.sample(lambda: one.seconds.total(seen, "b"))
    seen.observe(0.5)
    one.join(tmp_path)
    one.board.beat()
    seen.observe(0.5)
    found = shown(one)
    assert found["done_total", (("how", "well"),)] == 5
    assert found["work_seconds_count", (("kind", "b"),)] == 2


def test_declarations_come_first_and_once(tmp_path: Path) -> None:
    one = Process()
    with pytest.raises(ValueError, match="held is declared twice"):
        one.metrics.gauge("held", "Again.")
    one.join(tmp_path)
    with pytest.raises(RuntimeError, match="late"):
        one.metrics.counter("late", "Too late.")


def test_requests(tmp_path: Path) -> None:
    metrics = Metrics()
    observe = Requests(metrics, {"rest": ("get", "put")}).observer("rest")
    board = Board(tmp_path, metrics, clock=lambda: 1000.0)
    observe("get", 200, 0.003)
    observe("get", 404, 0.0001)
    observe("put", 503, 100.0)
    observe("", 404, 0.001)
    found = read(exposition(board.sheets()))
    name = "lakehouse_rest_requests_total"
    shown = {labels: value for (sample, labels), value in found.items() if sample == name}
    assert len(shown) == 3 * 5  # also the outcomes that did not happen yet, of operations that did
    assert {labels: value for labels, value in shown.items() if value} == {
        (("operation", "get"), ("status", "2xx")): 1,
        (("operation", "get"), ("status", "4xx")): 1,
        (("operation", "put"), ("status", "5xx")): 1,
        (("operation", "unknown"), ("status", "4xx")): 1,
    }
    assert found["lakehouse_rest_request_seconds_bucket", (("le", "0.0005"), ("operation", "get"))] == 1
    assert found["lakehouse_rest_request_seconds_bucket", (("le", "0.005"), ("operation", "get"))] == 2
    assert found["lakehouse_rest_request_seconds_sum", (("operation", "put"),)] == 100
