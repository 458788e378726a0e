# SPDX-License-Identifier: Apache-2.0
"""Boundaries and adoption: nodes are a function of the entries alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from lakehouse.format.boundary import TABLE_1, linear_cut
from lakehouse.format.node import unpack_child
from lakehouse.tree.writer import TreeWriter
from tests.unit.tree.forest import SMALL, entry, keys_of, planted, small_store


def cut_one_by_one(cut, level, keys, before):
    """The rule as docs/formats/tree.md states it."""
    ends, count = [], before
    for at, key in enumerate(keys):
        count += 1
        threshold = int.from_bytes(cut.thresholds[min(count, cut.maximum - 1) - cut.minimum], "big")
        if count >= cut.minimum and (count == cut.maximum or xxh3_64_intdigest(key, seed=level) < threshold):
            ends.append(at + 1)
            count = 0
    return ends


@given(st.sampled_from([SMALL, TABLE_1]), st.integers(0, 3), st.integers(0, 5000), st.integers(0, 6), st.integers())
def test_cuts_are_those_of_the_rule(boundary, level, number, before, salt):
    keys = [b"%d/%d" % (salt, at) for at in range(number)]
    cut = boundary.inner if level else boundary.leaf
    before = min(before, cut.maximum - 1) if boundary is TABLE_1 else min(before, 1)
    assert boundary.cuts(level, keys, before=before) == cut_one_by_one(cut, level, keys, before)


@pytest.mark.parametrize(("minimum", "maximum", "step"), [(1, 8, 5), (8, 8, 5), (2, 8, 1 << 62)])
def test_a_rule_that_cannot_cut_is_refused(minimum, maximum, step):
    with pytest.raises(ValueError, match=str(minimum)):
        linear_cut(minimum=minimum, maximum=maximum, step=step)


@given(st.integers(0, 400), st.data())
def test_adopted_nodes_make_the_tree_that_their_content_makes(number, data):
    async def law():
        store = small_store(budget=1 << 20)
        items = {key: entry(at % 5) for at, key in enumerate(keys_of(number))}
        root = await planted(store, items)
        writer = TreeWriter(SMALL)

        async def take_over(node_id, *, last):
            node = await store.read(node_id)
            if not node.level:
                writer.feed(node.keys, node.values)
                return
            for at, value in enumerate(node.values):
                ends_level = last and at == len(node.keys) - 1
                if data.draw(st.booleans()) and writer.adopts(node.level - 1, 1, last=ends_level):
                    writer.adopt(node.level - 1, node.keys[at : at + 1], [value])
                else:
                    await take_over(unpack_child(value).id.hex(), last=ends_level)

        if root:
            await take_over(root, last=True)
        assert writer.finish() == root

    asyncio.run(law())
