# SPDX-License-Identifier: Apache-2.0
"""Work in threads gives way to whoever wants the interpreter's lock."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.core.offload import LEAST, LONGEST, Breath, offload
from lakehouse.core.urgent import urgent


class Hands:
    """Clocks by hand: what other threads do while this one works, and while it sleeps; and what it sleeps."""

    def __init__(self) -> None:
        self.mine = self.others = 0.0
        self.slept: list[float] = []
        self.busy = False
        self.breath = Breath(cpu=lambda: self.mine, process=lambda: self.mine + self.others, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.others += self.busy * max(seconds, 70e-6)

    def page(self, seconds: float) -> None:
        """Work for so long, then breathe."""
        self.mine += seconds
        self.breath.take()


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_nobody_there_no_pause(hands: Hands) -> None:
    for _ in range(3):
        hands.page(0.01)
    assert hands.slept == [0, 0, 0]


def test_others_have_as_much_as_it_has(hands: Hands) -> None:
    hands.busy = True
    for worked in (LEAST, 0.0006, 0.002, 0.006):
        hands.page(worked)
    assert hands.slept == [0, *map(pytest.approx, (0.0006, 0.002, LONGEST))]


def test_who_needs_the_lock_for_a_moment_gets_it(hands: Hands) -> None:
    with urgent:
        hands.page(0.002)
    hands.page(0.002)
    assert hands.slept == [pytest.approx(0.002), 0]


def test_it_goes_on_when_they_are_done(hands: Hands) -> None:
    hands.busy = True
    hands.page(LEAST)
    hands.page(LEAST)
    hands.busy = False
    for _ in range(3):
        hands.page(LEAST)
    assert hands.slept == [0, *map(pytest.approx, (LEAST, LEAST)), 0, 0]


def test_little_work_adds_up(hands: Hands) -> None:
    for _ in range(9):
        hands.page(LEAST / 4)
    assert hands.slept == [0, 0]


def test_in_the_event_loop_it_does_nothing(hands: Hands) -> None:
    async def page() -> None:
        hands.page(0.01)

    asyncio.run(page())
    assert hands.slept == []


async def _thread_of(items: int) -> bool:
    """Whether so many items are worked on in the loop."""
    return await offload(items, lambda: asyncio._get_running_loop() is not None)


@pytest.mark.parametrize(("items", "in_loop"), [(10, True), (100_000, False)])
def test_much_is_done_in_a_thread(items: int, in_loop: bool) -> None:
    assert asyncio.run(_thread_of(items)) is in_loop
