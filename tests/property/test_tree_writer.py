# SPDX-License-Identifier: Apache-2.0
"""Boundaries and adoption: nodes are a function of the entries alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from lakehouse.format.boundary import TABLE_1, linear_cut
from lakehouse.format.child import unpack_child
from lakehouse.tree.writer import TreeWriter
from tests.unit.tree.forest import SMALL, entry, keys_of, planted, small_store


def cut_one_by_one(cut, level, keys):
    """The rule as docs/formats/tree.md states it: the nodes as lists of blocks."""
    nodes, node, block = [], [], []
    for key in keys:
        block.append(key)
        digest = xxh3_64_intdigest(key, seed=level)
        pairs = sum(map(len, node)) + len(block)
        threshold = int.from_bytes(cut.thresholds[min(pairs, cut.maximum - 1) - cut.minimum], "big")
        ends = pairs >= cut.minimum and (pairs == cut.maximum or digest < threshold)
        if ends or digest < int.from_bytes(cut.block, "big"):
            node.append(block)
            block = []
        if ends:
            nodes.append(node)
            node = []
    if block:
        node.append(block)
    return [*nodes, node] if node else nodes


@given(st.sampled_from([SMALL, TABLE_1]), st.integers(0, 5000), st.integers(1, 6000), st.integers())
def test_blocks_and_leaves_are_those_of_the_rule(boundary, number, page, salt):
    keys = sorted([b"%d/%d" % (salt, at) for at in range(number)])
    writer = TreeWriter(boundary)
    for at in range(0, number, page):
        writer.feed(keys[at : at + page], [entry()] * len(keys[at : at + page]))
    writer.finish()
    leaves = [made.node for made in writer.take() if not made.node.level]
    assert [[block.entries()[0] for block in leaf.blocks] for leaf in leaves] == cut_one_by_one(boundary.leaf, 0, keys)


@pytest.mark.parametrize(
    ("minimum", "maximum", "step", "block"),
    [(1, 8, 5, 99), (8, 8, 5, 99), (2, 8, 1 << 62, 1 << 62), (2, 8, 5, 29), (2, 8, 5, 1 << 64)],
)
def test_a_rule_that_cannot_cut_is_refused(minimum, maximum, step, block):
    with pytest.raises(ValueError, match=str(minimum)):
        linear_cut(minimum=minimum, maximum=maximum, step=step, block=block)


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
                    writer.adopt(node, at, at + 1)
                else:
                    await take_over(unpack_child(value).id.hex(), last=ends_level)

        if root:
            await take_over(root, last=True)
        assert writer.finish() == root

    asyncio.run(law())
