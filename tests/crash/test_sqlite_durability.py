# SPDX-License-Identifier: Apache-2.0
"""Real processes on a real file: killed while they write, out of space, and two at a time."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.sqlite.connection import open_writing
from lakehouse.sqlite.turnstile import Turnstile

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = Path(__file__).with_name("sqlite_client.py")


@pytest.fixture
def start() -> Iterator[object]:
    """Starts the client process; it is waiting for a line when this returns."""
    running: list[subprocess.Popen[str]] = []

    def run(path: Path, name: str, *, tasks: int, count: int, limit: int | None = None) -> subprocess.Popen[str]:
        extra = [] if limit is None else [str(limit)]
        command = [sys.executable, str(CLIENT), str(path), name, str(tasks), str(count), *extra]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            pipe.close()


def go(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


def numbers(lines: list[str], sign: str) -> set[int]:
    return {int(line.split()[1]) for line in lines if line.startswith(sign) and line.endswith("\n")}


def reopened(path: Path) -> tuple[set[str], list[str]]:
    """The pairs in the file, as "name number", and the names in the order in which they were written."""
    turnstile = Turnstile(path)
    with turnstile:
        connection = open_writing(path)
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        halves = [
            {row[0] for row in connection.execute("select path from staged where token = ?", (token,))}
            for token in (1, 2)
        ]
        order = [row[0] for row in connection.execute("select name from users order by id")]
        connection.close()
    turnstile.close()
    assert halves[0] == halves[1]
    pairs = {f"{name} {int(number)}" for name, number in (path.decode().split("/") for path in halves[0])}
    assert pairs == set(order)
    return pairs, [name.split()[0] for name in order]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, start, test_rounds: int) -> None:
    path = tmp_path / "meta.db"
    acknowledged: set[str] = set()
    for number in range(test_rounds):
        process = start(path, f"r{number}", tasks=16, count=1_000_000)
        go(process)
        lines = [process.stdout.readline() for _ in range(300 + 411 * number % 1000)]
        process.kill()
        lines += process.stdout.readlines()
        process.wait()
        acknowledged |= {f"r{number} {n}" for n in numbers(lines, "+")}
        assert len(lines) >= 300
        found, _ = reopened(path)
        assert acknowledged <= found


def test_a_disk_that_fills_up_acknowledges_nothing_that_is_not_stored(tmp_path: Path, start) -> None:
    path = tmp_path / "meta.db"
    process = start(path, "full", tasks=32, count=3000, limit=600_000)
    go(process)
    lines = process.stdout.readlines()
    assert process.wait() == 0
    done, refused = numbers(lines, "+"), numbers(lines, "-")
    assert done
    assert refused
    assert len(done) + len(refused) == 3000
    assert {line.split()[2] for line in lines if line.startswith("-")} <= {"StorageFull", "DatabaseUnavailable"}
    found, _ = reopened(path)
    assert found == {f"full {number}" for number in done}


def test_two_processes_take_turns_and_lose_nothing(tmp_path: Path, start, test_rounds: int) -> None:
    path = tmp_path / "meta.db"
    count = 1000 * test_rounds
    processes = [start(path, name, tasks=8, count=count) for name in ("ann", "bob")]
    go(*processes)
    with ThreadPoolExecutor() as readers:  # both at once: a full pipe would stop its writer
        outputs = list(readers.map(lambda process: process.communicate()[0].splitlines(keepends=True), processes))
    assert [process.returncode for process in processes] == [0, 0]
    assert [numbers(lines, "+") for lines in outputs] == [set(range(count))] * 2
    found, order = reopened(path)
    assert len(found) == 2 * count
    both = order[order.index("bob" if order[0] == "ann" else "ann") :]
    both = both[: len(both) - len(list(next(iter(groupby(reversed(both))))[1]))]
    longest = max(len(list(run)) for _, run in groupby(both))
    assert longest <= count / 4, f"one process wrote {longest} pairs while the other waited"
    shares = [both.count(name) / len(both) for name in ("ann", "bob")]
    assert min(shares) >= 0.3, shares
