# SPDX-License-Identifier: Apache-2.0
"""Threads that many wait for, and that need the interpreter's lock many times, each for a moment.

A transaction gives the lock up at each of its statements. Whoever computes beside it does not give it back before its
slice ends, so a transaction of half a millisecond takes as long as a hundred slices (measured: 60 ms). So those who
compute in slices look here, and pause for real while somebody is at such work.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Urgent:
    """A context for a thread that is at such work, but does not wait for a disk or for others meanwhile. Not to be
    entered twice.
    """

    def __init__(self) -> None:
        self._threads: set[int] = set()

    @property
    def any(self) -> bool:
        """Whether a thread is at such work now. From any thread."""
        return bool(self._threads)

    def __enter__(self) -> None:
        self._threads.add(threading.get_ident())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.discard(threading.get_ident())


urgent = Urgent()
"""Of this process."""
