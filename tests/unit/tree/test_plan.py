# SPDX-License-Identifier: Apache-2.0
"""Plans: what is short runs in the event loop, what is long does not keep it."""

from __future__ import annotations

import threading

import pytest

from lakehouse.core.offload import WORTH_A_THREAD
from lakehouse.tree.plan import run
from tests.unit.tree.forest import entry, planted, small_store

pytestmark = pytest.mark.anyio


async def in_loop(steps: int, *, items: int = 0) -> list[bool]:
    """Of each step of a plan that reads one node over and over, whether it ran in the loop."""
    store = small_store()
    root = await planted(store, {b"k": entry(1)})
    ran = []

    def plan():
        for _ in range(steps):
            ran.append(threading.current_thread() is threading.main_thread())
            nodes = yield [root]
            assert root in nodes
        return steps

    assert await run(store, plan(), items=items) == steps
    return ran


async def test_few_steps_over_little_stay_in_the_loop():
    assert await in_loop(6) == [True] * 6


async def test_steps_over_much_go_to_a_thread():
    assert await in_loop(3, items=WORTH_A_THREAD) == [False] * 3


async def test_many_steps_over_little_let_others_have_the_loop():
    ran = await in_loop(100)
    assert 5 < ran.count(False) < 20
    assert "0" * 5 not in "".join("01"[here] for here in ran)
    assert "1" * 11 not in "".join("01"[here] for here in ran)
