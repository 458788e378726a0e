# SPDX-License-Identifier: Apache-2.0
"""What a database did: transactions, how many changes shared one, and how long each of these took to be stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.telemetry.metrics import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable


class Transactions:
    """Plain numbers of this process; one thread counts. Seconds are from the call to the acknowledgement."""

    def __init__(self) -> None:
        self.stored = 0
        self.failed = 0
        self.seconds = Histogram()

    def note(self, began: Iterable[float], *, now: float) -> None:
        """A transaction is over; the changes in it were asked for at these times."""
        self.stored += 1
        observe = self.seconds.observe
        for at in began:
            observe(now - at)

    def fail(self) -> None:
        """The one that is noted next, or the last one, was not stored."""
        self.stored -= 1
        self.failed += 1
