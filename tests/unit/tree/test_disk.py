# SPDX-License-Identifier: Apache-2.0
"""Copies of nodes on this machine's disk: bounded, checked, and never needed."""

from __future__ import annotations

import os
from pathlib import Path

import msgpack
import pytest

from lakehouse.core.ids import RepositoryId
from lakehouse.format.header import unwrap, wrap
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.disk import DiskCache
from lakehouse.tree.store import NodeStore
from tests.unit.tree.forest import SMALL, CountingStore, entry, node_of

pytestmark = pytest.mark.anyio

ONE, TWO = RepositoryId(1), RepositoryId(2)
NOW = 1_763_700_000


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        self.now += 1
        return self.now


def store(objects, disk, *, repository=ONE, memory=0):
    cache = NodeCache(memory, disk=disk)
    return NodeStore(objects, cache, repository=repository, bucket="b", prefix="r/", boundary=SMALL)


def nodes(number):
    return [node_of([b"%05d" % at], [entry(address=os.urandom(25).hex())]) for at in range(number)]


def copies(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def test_what_was_written_or_read_is_read_from_this_machine(tmp_path):
    objects, disk = CountingStore(), DiskCache(tmp_path, 1 << 20)
    first, second = nodes(2)
    await store(objects, disk).write([first])
    await store(objects, None).write([second])
    for _ in range(2):
        found = await store(objects, disk).read_many([first.id, second.id])
        assert found == {first.id: first.node, second.id: second.node}
    assert objects.read == [store(objects, disk).location(second.id).key]


async def test_what_was_read_is_there_after_a_restart(tmp_path):
    objects = CountingStore()
    made = nodes(20)
    await store(objects, DiskCache(tmp_path, 1 << 20)).write(made)
    found = await store(objects, DiskCache(tmp_path, 1 << 20)).read_many([node.id for node in made])
    assert [found[node.id] for node in made] == [node.node for node in made]
    assert objects.read == []


def forged(body):
    """A node with other bytes in its block, and a checksum that fits."""
    header, inner = unwrap(body, name="")
    directory, [block] = msgpack.unpackb(inner)
    inner = msgpack.packb([directory, [block[:-1] + b"?"]])
    return wrap(inner, level=header.level, table=header.table, length=header.length, codec=header.codec)


@pytest.mark.parametrize("damage", [b"", b"LHND", b"x" * 400, None, forged])
async def test_a_damaged_copy_is_replaced_by_the_stores(tmp_path, damage):
    objects, disk = CountingStore(), DiskCache(tmp_path, 1 << 20)
    first, second = nodes(2)
    await store(objects, disk).write([first])
    [copy] = copies(tmp_path)
    copy.write_bytes(second.body if damage is None else damage(first.body) if callable(damage) else damage)
    assert await store(objects, disk).read(first.id) == first.node
    assert len(objects.read) == 1
    assert copy.read_bytes() == first.body
    assert await store(objects, disk).read(first.id) == first.node
    assert len(objects.read) == 1


async def test_one_repository_does_not_read_anothers_copy(tmp_path):
    objects, elsewhere, disk = CountingStore(), CountingStore(), DiskCache(tmp_path, 1 << 20)
    [made] = nodes(1)
    await store(objects, disk).write([made])
    await store(elsewhere, None).write([made])
    assert await store(elsewhere, disk, repository=TWO).read(made.id) == made.node
    assert len(elsewhere.read) == 1


async def test_the_embedded_stores_nodes_are_not_kept_twice(tmp_path):
    class Near(MemoryStore):
        async def put_batch(self, batch, *, content_type=""):
            for small in batch:
                await self.put(small.location, small.body, content_type=content_type)

    objects = Near()
    made = nodes(3)
    await store(objects, DiskCache(tmp_path, 1 << 20)).write(made)
    found = await store(objects, DiskCache(tmp_path, 1 << 20)).read_many([node.id for node in made])
    assert len(found) == 3
    assert copies(tmp_path) == []


def test_it_stays_within_its_budget_and_keeps_what_was_used_last(tmp_path):
    disk = DiskCache(tmp_path, 32_000, clock=Clock())
    for number in range(100):
        disk.write(ONE, [(f"{number:064}", bytes(1000))])
        assert disk.read(ONE, [f"{0:064}"])
        assert sum(path.stat().st_size for path in copies(tmp_path)) <= 32_000 + 2000
    disk.trim()
    kept = {int(path.name) for path in copies(tmp_path)}
    assert kept == {0, *range(100 - len(kept) + 1, 100)}
    assert len(kept) >= 32 - 32 // 8


def test_what_is_there_from_before_counts(tmp_path):
    DiskCache(tmp_path, 1 << 20).write(ONE, [(f"{number:064}", bytes(1000)) for number in range(100)])
    DiskCache(tmp_path, 32_000).write(ONE, [(f"{200:064}", bytes(1000))])
    assert sum(path.stat().st_size for path in copies(tmp_path)) <= 32_000
    DiskCache(tmp_path, 32_000).write(ONE, [(f"{201:064}", bytes(32_000))])
    assert DiskCache(tmp_path, 32_000).read(ONE, [f"{201:064}"]) == {}


def test_files_that_a_crash_left_unfinished_go(tmp_path):
    clock = Clock()
    disk = DiskCache(tmp_path, 1 << 20, clock=clock)
    disk.write(ONE, [(f"{0:064}", b"whole")])
    for name, age in (("old", 4000), ("young", 10)):
        path = tmp_path / "1" / "00" / f"{name}.tmp"
        path.write_bytes(b"torn")
        os.utime(path, (NOW - age, NOW - age))
    disk.trim()
    assert [path.name for path in copies(tmp_path)] == [f"{0:064}", "young.tmp"]


async def test_a_folder_that_cannot_be_written_costs_nothing_but_speed(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    objects, disk = CountingStore(), DiskCache(tmp_path / "file", 1 << 20)
    made = nodes(2)
    await store(objects, disk).write(made)
    for node in made:
        assert await store(objects, disk).read(node.id) == node.node
    assert len(objects.read) == 2
    assert [record.message.partition(":")[0] for record in caplog.records] == [f"node cache {tmp_path / 'file'}"]


async def test_a_disk_that_fails_leaves_nothing_unfinished(tmp_path, monkeypatch):
    disk = DiskCache(tmp_path, 1 << 20)
    disk.write(ONE, [(f"{0:064}", b"whole")])

    def fail(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr(Path, "replace", fail)
    disk.write(ONE, [(f"{1:064}", b"more")])
    assert [path.name for path in copies(tmp_path)] == [f"{0:064}"]
