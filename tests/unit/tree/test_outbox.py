# SPDX-License-Identifier: Apache-2.0
"""Nodes are stored while others are made: bounded, and nothing fails unheard."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.core.errors import StorageFull
from lakehouse.tree.apply import apply
from lakehouse.tree.outbox import Outbox
from tests.unit.tree.forest import CountingStore, entry, keys_of, node_of, paged, planted, small_store

pytestmark = pytest.mark.anyio


def node(number):
    return node_of([b"%d" % number], [entry()])


class HeldStore(CountingStore):
    """Puts wait until they are let go."""

    def __init__(self):
        super().__init__()
        self.go = asyncio.Event()
        self.begun = 0

    async def put(self, location, body, **options):
        self.begun += 1
        await self.go.wait()
        return await super().put(location, body, **options)


async def test_one_batch_is_on_its_way_while_the_next_is_made():
    objects = HeldStore()
    async with Outbox(small_store(objects=objects)) as outbox:
        await outbox.send([node(1), node(2)])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert objects.begun == 2
        await asyncio.sleep(0)
        second = asyncio.create_task(outbox.send([node(3)]))
        await asyncio.sleep(0)
        assert (second.done(), objects.begun) == (False, 2)
        objects.go.set()
        await second
        assert len(objects.written) >= 2
    assert len(objects.written) == 3


class FullStore(CountingStore):
    async def put(self, location, body, **options):
        raise StorageFull


async def sent(objects, *nodes, then=None):
    async with Outbox(small_store(objects=objects)) as outbox:
        for made in nodes:
            await outbox.send([made])
        if then is not None:
            await asyncio.sleep(0)
            raise then


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_what_fails_is_raised(number):
    with pytest.raises(StorageFull):
        await sent(FullStore(), *map(node, range(number)))
    with pytest.raises(StorageFull):
        await apply(small_store(objects=FullStore()), "", paged({b"a": entry()}))


async def test_when_the_maker_fails_nothing_goes_on_behind_it():
    objects = HeldStore()
    with pytest.raises(ZeroDivisionError):
        await sent(objects, node(1), then=ZeroDivisionError())
    assert objects.begun == 1
    objects.go.set()
    await asyncio.sleep(0)
    assert objects.written == []
    with pytest.raises(ZeroDivisionError):
        await sent(FullStore(), node(1), then=ZeroDivisionError())


class LoggingStore(CountingStore):
    def __init__(self):
        super().__init__()
        self.waiting = self.most = 0

    async def get(self, location, byte_range=None):
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        return await super().get(location, byte_range)

    async def put(self, location, body, **options):
        self.waiting -= 1
        return await super().put(location, body, **options)


async def test_a_page_of_changes_all_over_a_tree_is_stored_as_it_goes():
    """However many leaves one page touches, only some of the new ones are in memory at a time."""
    objects = LoggingStore()
    store = small_store(objects=objects)
    items = {key: entry(1) for key in keys_of(6000)}
    root = await planted(store, items)
    objects.waiting = objects.most = 0
    edits = dict.fromkeys(items, entry(2))
    applied = await apply(store, root, paged(edits, 10_000))
    assert len(objects.written) > 1500
    assert objects.most < 400
    assert applied.root == await planted(store, edits)
