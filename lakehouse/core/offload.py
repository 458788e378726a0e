# SPDX-License-Identifier: Apache-2.0
"""Long computations beside the event loop.

Offloaded code works in pages of at most `PAGE` items and calls `breathe` after each, because the interpreter's lock
is held by whichever thread computes: without it, a merge in a thread takes the loop's requests from 8,400 to 144 a
second (measured), with it they stay above half.
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
WORTH_A_THREAD = 2000
"""Fewer items than this are computed where they stand: the hop costs more."""


def breathe() -> None:
    """Give the interpreter's lock to whoever waits for it: some 70 us in a thread, nothing at all in the event loop.

    In the loop nobody could be let in, everybody waits for the loop itself.
    """
    if asyncio._get_running_loop() is None:
        time.sleep(0)


async def offload(items: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a thread when `items` are many, else at once."""
    if items < WORTH_A_THREAD:
        return function(*args, **kwargs)
    return await asyncio.to_thread(function, *args, **kwargs)
