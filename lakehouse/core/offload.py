# SPDX-License-Identifier: Apache-2.0
"""Long computations beside the event loop.

Offloaded code works in pages of at most `PAGE` items and calls `breathe` after each, because the interpreter's lock
is held by whichever thread computes: without it, a merge in a thread takes the loop's requests from 8,400 to 144 a
second (measured), with it they stay well above half.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 1000
"""Most items between two breaths."""
WANTED = 50e-6
"""Seconds that it takes to get the interpreter's lock back when nobody else wants it, generously."""
LEAST = 500e-6
"""CPU seconds of work between two breaths: a page takes about that."""
LONGEST = 5e-3
"""Seconds for which work stays away at most: the first page of a thread counts from its beginning."""
WORTH_A_THREAD = 2000
"""Fewer items than this are computed where they stand: the hop costs more."""


class Breath(threading.local):
    """Gives the interpreter's lock to whoever waits for it, between two pages of work in a thread."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.thread_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._now = now
        self._cpu = cpu
        self._sleep = sleep
        self._since = cpu()

    def take(self) -> None:
        """Give the lock up, when it is time; if somebody waited for it, stay away for as long as this thread has worked
        since: the loop gives the lock up at each statement of the database and each system call, and is not to wait for
        a page each time.

        In the event loop this does nothing: nobody could be let in, everybody waits for the loop itself.
        """
        if asyncio._get_running_loop() is not None:
            return
        worked = self._cpu() - self._since
        if worked >= LEAST:
            before = self._now()
            self._sleep(0)
            if self._now() - before > WANTED:
                self._sleep(min(worked, LONGEST))
            self._since = self._cpu()


breathe = Breath().take


async def offload(items: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread when `items` are many, else at once."""
    if items < WORTH_A_THREAD:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
