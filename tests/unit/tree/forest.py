# SPDX-License-Identifier: Apache-2.0
"""Trees with tiny nodes, so that a few hundred entries make several levels, and a store that counts its traffic."""

from __future__ import annotations

from lakehouse.core.ids import RepositoryId
from lakehouse.core.records import AddressKind, Entry
from lakehouse.format.block import block_of
from lakehouse.format.boundary import Boundary, linear_cut
from lakehouse.format.entry import pack
from lakehouse.format.header import Compressor
from lakehouse.format.node import encode_node
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.build import build
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.store import NodeStore

SMALL = Boundary(
    0xFFFF,
    leaf=linear_cut(minimum=2, maximum=8, step=(1 << 64) // 20, block=(1 << 64) // 3),
    inner=linear_cut(minimum=2, maximum=5, step=(1 << 64) // 8, block=(1 << 64) // 2),
)


class CountingStore(MemoryStore):
    """Remembers the keys that were read and written."""

    def __init__(self):
        super().__init__()
        self.read = []
        self.written = []

    async def get(self, location, byte_range=None):
        self.read.append(location.key)
        return await super().get(location, byte_range)

    async def put(self, location, body, **options):
        self.written.append(location.key)
        return await super().put(location, body, **options)


def node_of(keys, values, *, level=0, block=64):
    """A node with blocks of this length."""
    cuts = range(0, len(keys), block)
    blocks = [block_of(level, keys[at : at + block], values[at : at + block]) for at in cuts]
    return encode_node(level, blocks, table=SMALL.id, compressor=Compressor())


def small_store(*, objects=None, budget=0):
    return NodeStore(
        CountingStore() if objects is None else objects,
        NodeCache(budget),
        repository=RepositoryId(1),
        bucket="b",
        prefix="r/",
        boundary=SMALL,
    )


def entry(size=1, *, address="a"):
    """A packed entry whose identity is its size."""
    return pack(Entry(f"data/{address}", AddressKind.RELATIVE, size, "sum", 1))


def keys_of(number):
    return [b"k%04d" % at for at in range(number)]


async def paged(items, size=7):
    """(key, value) pairs of a dict in ascending pages."""
    pairs = sorted(items.items())
    for at in range(0, len(pairs), size):
        yield pairs[at : at + size]


async def planted(store, items, size=50):
    """The root of a tree of a dict."""

    async def columns():
        async for page in paged(items, size):
            yield [key for key, _ in page], [value for _, value in page]

    return await build(store, columns())
