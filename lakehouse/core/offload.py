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

from lakehouse.core.urgent import urgent

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 1000
"""Most items between two breaths."""
WORTH_A_THREAD = 2000
"""Fewer items than this are computed where they stand: the hop costs more."""
LEAST = 500e-6
"""CPU seconds of work between two breaths: a page takes about that."""
OTHERS = 0.1
"""CPU seconds of other threads for each one of work above which they are there: the loop, when it is idle, has none."""
LONGEST = 5e-3
"""Seconds for which work stays away at most: the first page of a thread counts from its beginning."""


class Breath(threading.local):
    """Gives the interpreter's lock to whoever waits for it, between two pages of work in a thread."""

    def __init__(
        self,
        *,
        cpu: Callable[[], float] = time.thread_time,
        process: Callable[[], float] = time.process_time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cpu = cpu
        self._process = process
        self._sleep = sleep
        self.begin()

    def begin(self) -> None:
        """Work begins in this thread."""
        self._since = (self._cpu(), self._process())

    def take(self) -> None:
        """Give the lock up, when it is time; while other threads have something to do, stay away for as long as this
        one has worked: the loop gives the lock up at each statement of the database and each system call, and is not
        to wait for a page each time.

        How long it takes to get the lock back says nothing: to sleep for no time takes longer than many a turn of the
        loop. In the event loop this does nothing: nobody could be let in, everybody waits for the loop itself.
        """
        if asyncio._get_running_loop() is not None:
            return
        worked = self._cpu() - self._since[0]
        if worked >= LEAST:
            others = self._process() - self._since[1] - worked
            self.begin()
            self._sleep(min(worked, LONGEST) if others > OTHERS * worked or urgent.any else 0)


_breath = Breath()
breathe = _breath.take


def _begun(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    _breath.begin()
    return function(*args, **kwargs)


async def offload(items: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread when `items` are many, else at once."""
    if items < WORTH_A_THREAD:
        return function(*args, **kwargs)
    return await asyncio.to_thread(_begun, function, *args, **kwargs)
