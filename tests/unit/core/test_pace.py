# SPDX-License-Identifier: Apache-2.0
"""Long work that gives way: nobody there, no pause; others there, as long as it worked."""

from __future__ import annotations

import pytest

from lakehouse.core.pace import BUSY, FREE, GENEROUS, LEAST, LONGEST, SHARE, Pace
from lakehouse.core.urgent import urgent

pytestmark = pytest.mark.anyio


class World:
    """A thread whose CPU and time go on by hand. `others`: CPU seconds that others take in each breath."""

    def __init__(self) -> None:
        self.cpu = self.now = self.others = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.work(self.others + FREE)

    def work(self, seconds: float) -> None:
        self.cpu += seconds
        self.now += seconds


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def pace(world: World) -> Pace:
    return Pace(cpu=lambda: world.cpu, now=lambda: world.now, sleep=world.sleep)


async def test_nobody_there_no_pause(world: World, pace: Pace) -> None:
    slices = pace.slices()
    slices.begin()
    for _ in range(10):
        world.work(0.01)
        await slices.breathe()
    assert world.slept == [0] * 10


async def test_others_have_as_much_as_it_has(world: World, pace: Pace) -> None:
    world.others = 1.0
    slices = pace.slices()
    slices.begin()
    for _ in range(3):
        world.work(0.01)
        await slices.breathe()
    assert world.slept == pytest.approx([0, SHARE * 0.01, SHARE * 0.01])


async def test_who_wants_little_is_given_little(world: World, pace: Pace) -> None:
    world.others = 0.001
    slices = pace.slices()
    slices.begin()
    for _ in range(2):
        world.work(1.0)
        await slices.breathe()
    assert world.slept == pytest.approx([0, GENEROUS * 0.001])


async def test_who_needs_the_lock_for_a_moment_gets_it(world: World, pace: Pace) -> None:
    slices = pace.slices()
    slices.begin()
    with urgent:
        for _ in range(2):
            world.work(0.0005)
            await slices.breathe()
    await slices.breathe()
    assert world.slept == [LEAST, LEAST, 0]


async def test_what_was_waited_for_is_no_work(world: World, pace: Pace) -> None:
    world.others = 1.0
    slices = pace.slices()
    for _ in range(3):
        world.work(5.0)
        slices.begin()
        world.work(0.01)
        await slices.breathe()
    assert world.slept == pytest.approx([0, SHARE * 0.01, SHARE * 0.01])


async def test_pauses_follow_one_another_and_short_ones_add_up(world: World, pace: Pace) -> None:
    async def no_time(seconds: float) -> None:
        world.slept.append(seconds)

    pace = Pace(cpu=lambda: world.cpu, now=lambda: world.now, sleep=no_time)
    for _ in range(3):
        await pace.stay_away(LEAST * 0.6)
    assert world.slept == pytest.approx([0, LEAST * 1.2, LEAST * 1.8])
    world.now += 1
    await pace.stay_away(2 * LEAST)
    assert world.slept[-1] == pytest.approx(2 * LEAST)


@pytest.mark.parametrize(
    ("took", "used", "pauses"),
    [(0.01, BUSY * 0.009, []), (0.01, 0.009, [0.01, 0.01]), (1.0, 0.9, [LONGEST, LONGEST]), (0.01, 0.0, [])],
)
async def test_work_in_threads_leaves_time_when_the_loop_was_used(
    world: World, pace: Pace, took: float, used: float, pauses: list[float]
) -> None:
    closed = []

    async def pages():
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    seen = []
    async for page in pace.spread(pages()):
        seen.append(page)
        world.now += took
        world.cpu += used
    assert seen == [1, 2]
    assert world.slept == pytest.approx(pauses)
    assert closed


async def test_work_that_somebody_waits_for_takes_no_pauses(world: World, pace: Pace) -> None:
    async def pages():
        for number in range(4):
            yield number

    async for page in pace.spread(pages(), wanted=lambda: world.now >= 0.025):
        world.now += 0.01
        world.cpu += 0.01
        assert page < 4
    assert world.slept == pytest.approx([0.01])
