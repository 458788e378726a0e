# SPDX-License-Identifier: Apache-2.0
"""Algorithms over trees as plans: generators that yield the ids of nodes they need next and are sent these nodes.

So an algorithm is plain synchronous code without I/O, asks for many nodes at once, and runs in the loop when there is
little to do and in a thread when there is much, with nobody waiting for a node inside it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from lakehouse.core.offload import WORTH_A_THREAD, offload
from lakehouse.format.node import Node

if TYPE_CHECKING:
    from lakehouse.tree.store import NodeStore

T = TypeVar("T")

_STEP = WORTH_A_THREAD // 10
"""Entries that are computed over in the time of a step, at least."""

Nodes = Mapping[str, Node]
Plan = Generator[Sequence[str], Nodes, T]
"""Yields ids, is sent the nodes of these ids, returns a T."""


async def run(
    store: NodeStore, plan: Plan[T], *, items: int = 0, between: Callable[[], Awaitable[None]] | None = None
) -> T:
    """Carry a plan out. `items`: about how many entries it computes over between two reads. A plan of many steps goes
    to a thread now and then all the same: where all nodes are in memory, nothing else lets others have the loop.

    `between` is awaited before each read.
    """
    nodes: Nodes | None = None
    steps = 0
    while True:
        cost = with_undecoded(items + _STEP * steps, nodes)
        steps = 0 if cost >= WORTH_A_THREAD else steps + 1
        needed, result = await offload(cost, step, plan, nodes)
        if needed is None:
            assert result is not None
            return result[0]
        if between is not None:
            await between()
        nodes = await store.read_many(needed)


def with_undecoded(items: int, nodes: Nodes | None) -> int:
    """The items, and how many entries of these nodes may have to be decoded: as long as most work on one takes. These
    are not counted when the items alone are worth a thread.
    """
    if nodes is None or items >= WORTH_A_THREAD:
        return items
    return items + sum([node.undecoded for node in nodes.values()])


def step(plan: Plan[T], nodes: Nodes | None) -> tuple[Sequence[str] | None, tuple[T] | None]:
    """One step: the ids needed next, or else the result (StopIteration cannot cross into a coroutine)."""
    try:
        return (next(plan) if nodes is None else plan.send(nodes)), None
    except StopIteration as end:
        return None, (end.value,)
