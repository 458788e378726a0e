# SPDX-License-Identifier: Apache-2.0
"""What the DataStore counts: for each operation calls, failures by their type, and how long it took.

Beside these, references that are none (`bad_key`) and containers that it does not serve (`bad_container`).
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from lakehouse.sdk.datastore.errors import BadContainer, BadReference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPERATIONS = ("head", "list", "read", "write", "delete", "copy", "sign")
BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Upper bounds of the classes of latencies, in seconds."""


class Figures(msgspec.Struct):
    """Of one operation. `seconds` is the sum; `classes` counts calls up to each of `BOUNDS`, and those above."""

    calls: int = 0
    seconds: float = 0.0
    classes: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    failures: dict[str, int] = msgspec.field(default_factory=dict)


class Measured:
    """The figures of one store, to be read at any time. `observe` is told of each: operation, seconds, failure."""

    def __init__(self, observe: Callable[[str, float, str], None] | None = None) -> None:
        self.operations = {name: Figures() for name in OPERATIONS}
        self.bad_key = 0
        self.bad_container = 0
        self._observe = observe
        self._lock = threading.Lock()

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Measure a block. An error is counted by the name of its class."""
        started, failure = time.perf_counter(), ""
        try:
            yield
        except Exception as error:
            failure = type(error).__name__
            self._bad(error)
            raise
        finally:
            self._count(operation, time.perf_counter() - started, failure)

    def _bad(self, error: Exception) -> None:
        with self._lock:
            self.bad_key += isinstance(error, BadReference)
            self.bad_container += isinstance(error, BadContainer)

    def _count(self, operation: str, seconds: float, failure: str) -> None:
        figures = self.operations[operation]
        with self._lock:
            figures.calls += 1
            figures.seconds += seconds
            figures.classes[sum(seconds > bound for bound in BOUNDS)] += 1
            if failure:
                figures.failures[failure] = figures.failures.get(failure, 0) + 1
        if self._observe is not None:
            self._observe(operation, seconds, failure)
