# SPDX-License-Identifier: Apache-2.0
"""Nodes in the store and in memory."""

from __future__ import annotations

import asyncio
import tracemalloc

import msgspec
import pytest

from lakehouse.core.errors import DataDamaged, StorageFull, StorageUnavailable
from lakehouse.core.ids import RepositoryId
from lakehouse.format.node import decode_node
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.store import CONCURRENCY, NodeStore
from tests.unit.tree.forest import SMALL, CountingStore, entry, node_of, small_store

pytestmark = pytest.mark.anyio

ONE, TWO = RepositoryId(1), RepositoryId(2)


def node(name=b"a", size=10):
    return node_of([name], [entry(address="a" * size)])


async def test_a_node_is_kept_under_its_id_in_the_repositorys_own_folder():
    objects = CountingStore()
    made = node()
    await small_store(objects=objects).write([made])
    assert objects.written == [f"r/_lakehouse/nodes/{made.id[:2]}/{made.id}"]
    assert await small_store(objects=objects).read(made.id) == made.node


async def test_what_was_written_or_read_is_read_from_memory():
    objects = CountingStore()
    store = small_store(objects=objects, budget=10_000)
    first, second = node(b"a"), node(b"b")
    await store.write([first])
    await small_store(objects=objects).write([second])
    for _ in range(2):
        await store.read(first.id)
        await store.read(second.id)
        assert (await store.read_many([first.id, second.id]))[second.id] == second.node
    assert objects.read == [store.location(second.id).key]


async def test_a_node_that_is_there_is_written_all_the_same():
    objects = CountingStore()
    store = small_store(objects=objects, budget=10_000)
    await store.write([node()])
    await store.write([node()])
    assert len(objects.written) == 2


async def test_one_repository_does_not_read_what_another_has_in_memory():
    cache = NodeCache(10_000)
    made = node()
    stores = [
        NodeStore(MemoryStore(), cache, repository=repository, bucket="b", prefix="", boundary=SMALL)
        for repository in (ONE, TWO)
    ]
    await stores[0].write([made])
    assert stores[1].cached(made.id) is None
    with pytest.raises(DataDamaged, match=f"{made.id} of repository 2 is missing"):
        await stores[1].read(made.id)


async def test_another_nodes_bytes_are_never_handed_out():
    objects = CountingStore()
    store = small_store(objects=objects)
    first, second = node(b"a"), node(b"b")
    await objects.put(store.location(first.id), second.body)
    with pytest.raises(DataDamaged, match=first.id):
        await store.read(first.id)


def test_the_memory_keeps_what_was_used_last_within_its_budget():
    nodes = [node(bytes([97 + at])) for at in range(4)]
    cache = NodeCache(3 * nodes[0].node.footprint)
    for made in nodes[:3]:
        cache.put(ONE, made.id, made.node)
    cache.get(ONE, nodes[0].id)
    cache.put(ONE, nodes[2].id, nodes[2].node)
    cache.put(ONE, nodes[3].id, nodes[3].node)
    assert [cache.get(ONE, made.id) is not None for made in nodes] == [True, False, True, True]
    assert cache.used == 3 * nodes[0].node.footprint
    large = node(b"l", 10_000)
    cache.put(ONE, large.id, large.node)
    assert cache.get(ONE, large.id) is None
    assert cache.used == 3 * nodes[0].node.footprint
    cache.clear()
    assert cache.used == 0


def versions(number):
    """Nodes of two blocks, read from a store, each with the first block in common with the others."""
    found = []
    for at in range(number):
        made = node_of([b"a", b"b"], [entry(1), entry(2 + at)], block=1)
        found.append((made.id, decode_node(made.body, node_id=made.id, boundary=SMALL)))
    return found


def test_what_versions_have_in_common_is_held_and_counted_once():
    cache = NodeCache(1 << 20)
    nodes = versions(3)
    for node_id, read in nodes:
        cache.put(ONE, node_id, read)
    common, *others = nodes[0][1].blocks
    assert all(read.blocks[0] is common for _, read in nodes)
    others += [read.blocks[1] for _, read in nodes[1:]]
    held = [common, *others]
    assert cache.used == sum(read.own for _, read in nodes) + sum(block.footprint for block in held)
    assert cache.used < sum(read.footprint for _, read in nodes)


def test_what_versions_have_in_common_stays_until_the_last_of_them_goes():
    nodes = versions(3)
    first, second, third = (read for _, read in nodes)
    cache = NodeCache(first.footprint + second.own + second.blocks[1].footprint)
    for node_id, read in nodes:
        cache.put(ONE, node_id, read)
    assert [cache.get(ONE, node_id) for node_id, _ in nodes] == [None, second, third]
    assert third.blocks[0] is second.blocks[0] is first.blocks[0]
    assert cache.used == second.footprint + third.own + third.blocks[1].footprint
    large = node(b"l", 400)
    cache.put(ONE, large.id, large.node)
    assert cache.get(ONE, nodes[2][0]) is None
    assert cache.used == large.node.footprint


def test_nothing_is_in_common_between_repositories():
    cache = NodeCache(1 << 20)
    [(one_id, one)], [(other_id, other)] = versions(1), versions(1)
    cache.put(ONE, one_id, one)
    cache.put(TWO, other_id, other)
    assert one.blocks[0] is not other.blocks[0]
    assert cache.used == one.footprint + other.footprint


def test_who_says_something_else_of_the_same_bytes_keeps_his_own():
    cache = NodeCache(1 << 20)
    [(one_id, one)], [(liar_id, liar)] = versions(1), versions(1)
    liar.blocks[0].about = msgspec.structs.replace(liar.blocks[0].about, size=999)
    cache.put(ONE, liar_id + "lie", liar)
    cache.put(ONE, one_id, one)
    assert one.blocks[0].about.size == 1
    assert one.blocks[1] is liar.blocks[1]


def leaf(number):
    """A leaf of real sizes, as it is when it was read from a store and all of it was looked at."""
    keys = [b"tables/part=%05d/file-%08d.parquet" % (number, at) for at in range(1000)]
    made = node_of(keys, [entry(at, address=f"{at:020}") for at in range(1000)])
    node = decode_node(made.body, node_id=made.id, boundary=SMALL)
    assert len(node.keys) == 1000
    return made.id, node


def test_the_budget_is_one_of_real_memory():
    budget = 8 << 20
    tracemalloc.start()
    try:
        cache = NodeCache(budget)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            cache.put(ONE, *leaf(number))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.8 * budget < used <= budget
    assert cache.used <= budget


class SlowStore(CountingStore):
    """Holds every call until all others have begun, and counts how many are open."""

    def __init__(self):
        super().__init__()
        self.open = self.most = 0

    async def get(self, location, byte_range=None):
        self.open += 1
        self.most = max(self.most, self.open)
        for _ in range(5):
            await asyncio.sleep(0)
        self.open -= 1
        return await super().get(location, byte_range)


async def test_many_nodes_are_read_at_the_same_time_up_to_the_gate():
    objects = SlowStore()
    nodes = [node(b"%d" % at) for at in range(3 * CONCURRENCY)]
    store = small_store(objects=objects)
    await store.write(nodes)
    found = await store.read_many([made.id for made in nodes])
    assert {node_id: found[node_id].keys for node_id in found} == {made.id: made.node.keys for made in nodes}
    assert objects.most == CONCURRENCY


class FailingStore(CountingStore):
    async def put(self, location, body, **options):
        if len(self.written) == 2:
            raise StorageFull
        return await super().put(location, body, **options)

    async def get(self, location, byte_range=None):
        raise StorageUnavailable


async def test_errors_of_the_store_come_as_they_are():
    store = small_store(objects=FailingStore())
    with pytest.raises(StorageFull):
        await store.write([node(b"%d" % at) for at in range(5)])
    with pytest.raises(StorageUnavailable):
        await store.read_many(["00" * 32, "11" * 32])
