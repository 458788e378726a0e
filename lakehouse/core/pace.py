# SPDX-License-Identifier: Apache-2.0
"""Long work in the event loop gives way to what is short.

Work that is cut into slices holds the loop for as long as its client keeps it fed: whoever else is there gets one step
in after each slice, and a request has several. So, once others were seen at work between slices, the work stays away
for as long as it has worked. Nobody there, no pause.

CPU of the thread is what is measured, not time: others that want the machine's cores are not the loop's business.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from lakehouse.core.urgent import urgent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

T = TypeVar("T")

FREE = 50e-6
"""CPU seconds of a step of the loop in which nobody else did anything, generously."""
SHARE = 1.5
"""Seconds of pause for a CPU second of work, as far as others want them."""
GENEROUS = 4.0
"""Seconds of pause for each CPU second that others took since the last slice: they wait for the disk too."""
BUSY = 0.3
"""CPU seconds of the loop for each second of work in threads above which others are there: feeding it takes less."""
LONGEST = 0.05
"""Seconds of a pause between two pages, at most."""
LEAST = 0.001
"""Seconds of a pause that is worth a timer; shorter ones add up."""


def _nobody() -> bool:
    return False


class Pace:
    """The pauses of all such work in one event loop: they follow one another, so that many batches together leave as
    much to others as one does.

    A pause is more than turns for others in the loop: only then is the interpreter's lock free for the threads that
    they wait for.
    """

    def __init__(
        self,
        *,
        cpu: Callable[[], float] = time.thread_time,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cpu = cpu
        self._now = now
        self._sleep = sleep
        self._until = 0.0

    def slices(self) -> Slices:
        """For one piece of work."""
        return Slices(self, self._cpu)

    async def spread(
        self, pages: AsyncGenerator[T, None], *, wanted: Callable[[], bool] = _nobody
    ) -> AsyncGenerator[T, None]:
        """The pages, for work in threads that can wait: when others used the loop while a page was worked on, the next
        one waits for as long as that took, unless somebody waits for the end: `wanted`. Closes `pages`.
        """
        async with aclosing(pages):
            async for page in pages:
                began, before = self._now(), self._cpu()
                yield page
                took = self._now() - began
                if self._cpu() - before > BUSY * took and not wanted():
                    await self._sleep(min(took, LONGEST))

    async def stay_away(self, seconds: float) -> None:
        """Let everybody who is ready have a step, and stay away for so long, after the pauses that others have."""
        now = self._now()
        self._until = max(now, self._until) + seconds
        away = self._until - now
        if away < LEAST:
            away = LEAST if urgent.any else 0
        await self._sleep(away)


class Slices:
    """A piece of work in slices."""

    def __init__(self, pace: Pace, cpu: Callable[[], float]) -> None:
        self._pace = pace
        self._cpu = cpu
        self._others = 0.0
        self._since = 0.0

    def begin(self) -> None:
        """Work begins, after something else was waited for."""
        self._since = self._cpu()

    async def breathe(self) -> None:
        """After a slice."""
        before = self._cpu()
        await self._pace.stay_away(min(SHARE * (before - self._since), GENEROUS * self._others))
        self._since = self._cpu()
        self._others = max(0.0, self._since - before - FREE)
