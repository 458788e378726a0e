# SPDX-License-Identifier: Apache-2.0
"""Counts requests and how long they take, for each operation of each side of the server: 0.4 us a request."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lakehouse.telemetry.metrics import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lakehouse.telemetry.metrics import Metrics

UNKNOWN = "unknown"
"""Stands for the operation of requests that mean none."""
STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
GONE = 499
"""Status of a request whose caller did not wait for the answer."""


class Requests:
    """The families of requests. `sides`: to each side of the server the names of its operations."""

    def __init__(self, metrics: Metrics, sides: Mapping[str, Sequence[str]]) -> None:
        self._metrics = metrics
        named = {side: (*dict.fromkeys(operations), UNKNOWN) for side, operations in sides.items()}
        self._counts = {
            side: metrics.counter(
                f"lakehouse_{side}_requests_total",
                f"Requests answered by the {side} side, by operation and class of status.",
                operation=operations,
                status=STATUSES,
            )
            for side, operations in named.items()
        }
        self._times = {
            side: metrics.histogram(
                f"lakehouse_{side}_request_seconds",
                f"Time from a request's head to the end of its answer on the {side} side, by operation.",
                operation=operations,
            )
            for side, operations in named.items()
        }

    def observer(self, side: str) -> Callable[[str, int, float], None]:
        """What a side calls for each answer. Raises KeyError."""
        metrics, times = self._metrics, self._times[side]
        counts = self._counts[side].family
        at = {
            operation: (counts.start + number * len(STATUSES) - 1, times.start(operation))
            for number, (operation,) in enumerate(times.family.values)
        }
        unknown, bounds, last = at[UNKNOWN], SECONDS, len(SECONDS) + 1

        def observe(operation: str, status: int, seconds: float) -> None:
            count, time = at.get(operation, unknown)
            cells = metrics.cells
            cells[count + status // 100] += 1.0
            cells[time + bisect_left(bounds, seconds)] += 1.0
            cells[time + last] += seconds

        return observe
