# SPDX-License-Identifier: Apache-2.0
"""The line in which requests wait for the writer, and how bulk shares the writer with what is small.

While small requests come, bulk has the writer for half of the time at most: after each of its transactions, whose
commit waits for much to reach the disk, it stays back for as long as that took. Then it is its turn, however many small
ones wait.

Invariants: small requests come out in the order in which they were put, bulk ones too; what was put before `end` comes
out. Any thread may put, one takes.
"""

from __future__ import annotations

import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Waiting(Protocol):
    """What can stand in line."""

    bulk: bool


R = TypeVar("R", bound=Waiting)


class Line(Generic[R]):
    """Who waits, until `end`."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._arrivals: SimpleQueue[R | None] = SimpleQueue()
        self._small: deque[R] = deque()
        self._bulk: deque[R] = deque()
        self._ended = False
        self._until = 0.0
        self._small_since = False
        """Whether a small one came out since bulk did."""

    def put(self, request: R) -> None:
        """Stand in line."""
        self._arrivals.put(request)

    def end(self) -> None:
        """Nobody comes after this."""
        self._arrivals.put(None)

    def first(self) -> R | None:
        """Whose transaction is next; blocks until there is somebody. None: `end`, and all are through."""
        while True:
            self._sort()
            left = 0.0 if self._ended else self._until - self._now()
            if self._bulk and left <= 0 and (self._small_since or not self._small):
                self._small_since = False
                return self._bulk.popleft()
            if self._small:
                self._small_since = True
                return self._small.popleft()
            if self._ended:
                return None
            self._wait(left if self._bulk else None)

    def along(self, request: R) -> R | None:
        """Who may go in the same transaction, if somebody waits: small ones with small ones; bulk with bulk, but only
        while nobody else waits.
        """
        self._sort()
        if not request.bulk:
            return self._small.popleft() if self._small else None
        return self._bulk.popleft() if self._bulk and not self._small else None

    def stay_back(self, seconds: float) -> None:
        """Bulk has had the writer for so long."""
        self._sort()
        self._until = self._now() + seconds if self._small or self._small_since else 0.0

    @property
    def length(self) -> int:
        """How many wait, about."""
        return self._arrivals.qsize() + len(self._small) + len(self._bulk)

    def all(self) -> list[R]:
        """Everybody who still waits."""
        self._sort()
        left = [*self._small, *self._bulk]
        self._small.clear()
        self._bulk.clear()
        return left

    def _sort(self) -> None:
        while True:
            try:
                self._take(self._arrivals.get_nowait())
            except Empty:
                return

    def _wait(self, seconds: float | None) -> None:
        try:
            self._take(self._arrivals.get(timeout=seconds))
        except Empty:
            return

    def _take(self, arrival: R | None) -> None:
        if arrival is None:
            self._ended = True
        else:
            (self._bulk if arrival.bulk else self._small).append(arrival)
