# SPDX-License-Identifier: Apache-2.0
"""Work in threads gives way to whoever wants the interpreter's lock."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.core.offload import LEAST, LONGEST, Breath, offload


class Hands:
    """Clocks by hand: giving the lock up takes `others` seconds, and what is slept is noted."""

    def __init__(self) -> None:
        self.now = self.worked = self.others = 0.0
        self.slept: list[float] = []
        self.breath = Breath(now=lambda: self.now, cpu=lambda: self.worked, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        if seconds:
            self.slept.append(seconds)
        self.now += seconds or self.others

    def page(self, seconds: float) -> None:
        """Work for so long, then breathe."""
        self.worked += seconds
        self.now += seconds
        self.breath.take()


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_nobody_there_no_pause(hands: Hands) -> None:
    hands.page(0.01)
    assert hands.slept == []


@pytest.mark.parametrize(("worked", "pause"), [(0.002, 0.002), (1.0, LONGEST)])
def test_others_have_as_much_as_it_has(hands: Hands, worked: float, pause: float) -> None:
    hands.others = 0.001
    hands.page(worked)
    assert hands.slept == [pytest.approx(pause)]


def test_little_work_adds_up(hands: Hands) -> None:
    hands.others = 0.001
    for _ in range(5):
        hands.page(LEAST / 4)
    assert hands.slept == [pytest.approx(LEAST)]


def test_only_work_since_the_last_breath_counts(hands: Hands) -> None:
    hands.page(0.003)
    hands.others = 0.001
    hands.page(0.002)
    assert hands.slept == [pytest.approx(0.002)]


def test_in_the_event_loop_it_does_nothing(hands: Hands) -> None:
    async def page() -> None:
        hands.page(0.01)

    hands.others = 0.001
    asyncio.run(page())
    assert hands.slept == []


async def _thread_of(items: int) -> bool:
    """Whether so many items are worked on in the loop."""
    return await offload(items, lambda: asyncio._get_running_loop() is not None)


@pytest.mark.parametrize(("items", "in_loop"), [(10, True), (100_000, False)])
def test_much_is_done_in_a_thread(items: int, in_loop: bool) -> None:
    assert asyncio.run(_thread_of(items)) is in_loop
