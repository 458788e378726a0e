# SPDX-License-Identifier: Apache-2.0
"""Trees that were written by version 1 of the format: read, compared, merged, and changed into version 2."""

from __future__ import annotations

import asyncio
import hashlib
import struct

import msgpack
import msgspec
import xxhash
from hypothesis import given

from lakehouse.format.child import pack_child, unpack_children
from lakehouse.format.entry import size_of
from lakehouse.tree.apply import apply
from lakehouse.tree.diff import diff, differs
from lakehouse.tree.lookup import lookup_many, scan
from lakehouse.tree.merge import Side, Trees, merge
from lakehouse.tree.stats import count
from tests.property.test_tree import CONTENTS, EDITS, all_of, differences, edited, same
from tests.unit.tree.forest import SMALL, paged, planted, small_store


async def as_version_1(store, objects, node_id):
    """Store a tree once more, as version 1 has it; the root's id there and the length of its payload."""
    node = await store.read(node_id)
    values = node.values
    if node.level:
        values = []
        for child in unpack_children(node.values):
            below, length = await as_version_1(store, objects, child.id.hex())
            values.append(pack_child(msgspec.structs.replace(child, id=bytes.fromhex(below), length=length)))
    payload = msgpack.packb([1, node.level, node.keys, values])
    made = hashlib.sha256(payload).hexdigest()
    checksum = xxhash.xxh3_64_intdigest(payload)
    head = struct.pack(">4sBBBBHHIQ", b"LHND", 1, 0, 0, node.level, SMALL.id, 0, len(payload), checksum)
    await objects.put(store.location(made), head + payload)
    return made, len(payload)


async def old_and_new(content):
    """A store, and the roots of two trees of the same content in it: of version 1 and of version 2."""
    store = small_store(budget=1 << 22)
    new = await planted(store, content)
    return store, (await as_version_1(store, store._objects, new))[0] if new else new, new


@given(CONTENTS, EDITS)
def test_the_same_content_has_no_differences(content, edits):
    async def law():
        store, old, new = await old_and_new(content)
        assert not await differs(store, old, new)
        keys = sorted({*content, *edits})
        assert await lookup_many(store, old, keys) == [content.get(key) for key in keys]
        assert await scan(store, old, limit=10_000) == (sorted(content), [content[key] for key in sorted(content)])
        found = await count(store, old, b"k")
        wanted = [value for key, value in content.items() if key.startswith(b"k")]
        assert (found.objects, found.bytes) == (len(wanted), sum(map(size_of, wanted)))

    asyncio.run(law())


@given(CONTENTS, EDITS, EDITS)
def test_what_is_changed_goes_on_in_version_2(content, edits, more):
    async def law():
        store, old, _ = await old_and_new(content)
        state, changed = edited(content, edits)
        applied = await apply(store, old, paged(edits))
        assert applied.changed == changed
        assert await scan(store, applied.root, limit=10_000) == (sorted(state), [state[key] for key in sorted(state)])
        assert await all_of(diff(store, old, applied.root)) == differences(content, state)
        assert not await differs(store, applied.root, await planted(store, state))
        again, _ = edited(state, more)
        assert not await differs(
            store, (await apply(store, applied.root, paged(more))).root, await planted(store, again)
        )

    asyncio.run(law())


@given(CONTENTS, EDITS, EDITS)
def test_branches_of_both_versions_are_merged(content, edits, others):
    async def law():
        store, old, new = await old_and_new(content)
        ours = (await apply(store, old, paged(edits))).root
        theirs = (await apply(store, new, paged(others))).root
        here, _ = edited(content, edits)
        there, _ = edited(content, others)
        merged = await merge(store, Trees(old, ours, theirs), prefer=Side.THEIRS)
        wanted = {}
        for key in {*here, *there}:
            value = here.get(key) if same(there.get(key), content.get(key)) else there.get(key)
            if value is not None:
                wanted[key] = value
        assert not await differs(store, merged.root, await planted(store, wanted))

    asyncio.run(law())
