# SPDX-License-Identifier: Apache-2.0
"""Long computations beside the event loop.

Offloaded code works in pages of at most `PAGE` items and calls `breathe` after each, because the interpreter's lock
is held by whichever thread computes: without it, a merge in a thread takes the loop's requests from 8,400 to 144 a
second (measured), with it they stay well above half.
"""

from __future__ import annotations

import asyncio
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
PAUSE = 500e-6
"""Seconds for which long work stays away when others want the lock: about as long as a page takes."""
WORTH_A_THREAD = 2000
"""Fewer items than this are computed where they stand: the hop costs more."""


def breathe() -> None:
    """Give the interpreter's lock to whoever waits for it, and stay away for a while if somebody did: the loop gives it
    up at each statement of the database and each system call, and is not to wait for a page each time.

    In the event loop this does nothing: nobody could be let in, everybody waits for the loop itself.
    """
    if asyncio._get_running_loop() is None:
        before = time.perf_counter()
        time.sleep(0)
        if time.perf_counter() - before > WANTED:
            time.sleep(PAUSE)


async def offload(items: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread when `items` are many, else at once."""
    if items < WORTH_A_THREAD:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
