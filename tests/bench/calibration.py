# SPDX-License-Identifier: Apache-2.0
"""How fast this machine is beside the one on which the budgets were taken.

Every bench calibrates first and corrects its budget by the figure that bounds the operation, so that a ratio means the
same on any machine. Run alone, it prints the table.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lakehouse.sqlite.connection import open_writing

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
"""Each figure is the best of so many: noise only ever makes a machine look slower."""


class Calibration(msgspec.Struct, frozen=True):
    """Rates a second; `append` is a 4 KiB append with fdatasync, hashes are in bytes a second on one core."""

    append: float
    transactions: float
    rows: float
    sha256: float
    md5: float

    def against(self, reference: Calibration) -> dict[str, float]:
        """Each figure as a multiple of the reference's."""
        other = msgspec.structs.asdict(reference)
        return {name: rate / other[name] for name, rate in msgspec.structs.asdict(self).items()}

    def corrected(self, rate: float, *, bound: str) -> float:
        """What `rate`, taken on the reference machine, is worth here for an operation bounded by the figure `bound`."""
        return rate * self.against(REFERENCE)[bound]


REFERENCE = Calibration(append=1 / 0.00019, transactions=6_200, rows=249_000, sha256=1.6e9, md5=0.71e9)
"""The machine that the budgets were taken on."""


def best(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The highest of `rounds` measured rates."""
    return max(measure() for _ in range(rounds))


def calibrate(folder: Path) -> Calibration:
    """Measure this machine; `folder` must be on the disk that the data will be on. Takes about 3 s."""
    return Calibration(
        append=best(lambda: _append(folder / "append")),
        transactions=best(lambda: _sqlite(folder / "small.db", transactions=1000, rows=1)),
        rows=best(lambda: _sqlite(folder / "large.db", transactions=10, rows=10_000)),
        sha256=best(lambda: _hash("sha256")),
        md5=best(lambda: _hash("md5")),
    )


def _append(path: Path, times: int = 300) -> float:
    block = os.urandom(4096)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        start = time.perf_counter()
        for _ in range(times):
            os.write(file, block)
            os.fdatasync(file)
        return times / (time.perf_counter() - start)
    finally:
        os.close(file)
        path.unlink()


def _sqlite(path: Path, *, transactions: int, rows: int) -> float:
    """Rows a second of upserts of about 150 bytes, in the order of the key, with nothing but the driver."""
    connection = open_writing(path)
    try:
        connection.execute(
            "create table t (token integer, path blob, value blob, primary key (token, path)) without rowid"
        )
        batches = [
            [(1, b"data/%012d" % (batch * rows + row), b"v" * 120) for row in range(rows)]
            for batch in range(transactions)
        ]
        start = time.perf_counter()
        for batch in batches:
            connection.execute("begin immediate")
            connection.executemany(
                "insert into t values (?, ?, ?) on conflict do update set value = excluded.value", batch
            )
            connection.execute("commit")
        return transactions * rows / (time.perf_counter() - start)
    finally:
        connection.close()
        path.unlink()


def _hash(name: str, size: int = 1 << 26) -> float:
    data = bytes(size)
    start = time.perf_counter()
    hashlib.new(name, data, usedforsecurity=False).digest()
    return size / (time.perf_counter() - start)


def table(calibration: Calibration) -> str:
    """The figures with their ratio to the reference, a line each."""
    ratios = calibration.against(REFERENCE)
    lines = [f"SQLite {sqlite3.sqlite_version}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"]
    for name, rate in msgspec.structs.asdict(calibration).items():
        lines.append(f"{name:>14} {rate:>16,.0f}/s  {ratios[name]:5.2f} x the reference")
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        print(table(calibrate(Path(folder))))


if __name__ == "__main__":
    main()
