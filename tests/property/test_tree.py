# SPDX-License-Identifier: Apache-2.0
"""Laws of trees, against plain dicts."""

from __future__ import annotations

import asyncio
from random import Random
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from lakehouse.format.block import block_of
from lakehouse.format.child import unpack_children
from lakehouse.format.entry import TOMBSTONE, size_of
from lakehouse.tree.apply import apply
from lakehouse.tree.diff import diff, differs
from lakehouse.tree.lookup import lookup_many, scan
from lakehouse.tree.merge import Side, Trees, merge
from lakehouse.tree.rollup import roll_up
from lakehouse.tree.stats import count
from tests.unit.tree.forest import entry, paged, planted, small_store

KEYS = st.one_of(
    st.integers(0, 400).map(lambda n: b"k%04d" % n),
    st.tuples(st.integers(0, 4), st.integers(0, 60)).map(lambda t: b"d%d/%02d" % t),
    st.binary(min_size=1, max_size=3),
)
ENTRIES = st.builds(entry, st.integers(0, 3), address=st.sampled_from("ab"))


def key_of(chance, spread):
    if chance.random() < 0.7:
        return b"k%04d" % chance.randrange(spread)
    return b"d%d/%02d" % (chance.randrange(5), chance.randrange(spread))


def many(seed, number, spread):
    """So much content that trees get four levels: more than is drawn key by key in reasonable time."""
    chance = Random(seed)
    return {key_of(chance, spread): entry(chance.randrange(4), address=chance.choice("ab")) for _ in range(number)}


def many_edits(seed, number, spread, deleted):
    chance = Random(seed)
    return {key: TOMBSTONE if chance.random() < deleted else value for key, value in many(seed, number, spread).items()}


SEEDS = st.integers(0, 2**32)
SPREADS = st.sampled_from([30, 300, 1000])
CONTENTS = st.one_of(
    st.dictionaries(KEYS, ENTRIES, max_size=30),
    st.builds(many, SEEDS, st.sampled_from([30, 200, 800]), SPREADS),
)
EDITS = st.one_of(
    st.dictionaries(KEYS, st.one_of(ENTRIES, st.just(TOMBSTONE)), max_size=10),
    st.builds(many_edits, SEEDS, st.sampled_from([1, 3, 20, 100, 800]), SPREADS, st.sampled_from([0.2, 0.5, 1.0])),
)
SIZES = st.one_of(st.integers(1, 60), st.sampled_from([200, 1000]))


def same(left, right):
    if left is None or right is None:
        return left is right
    return size_of(left) == size_of(right)


def edited(content, edits):
    """What the content becomes, and how many keys really change."""
    result, changed = dict(content), 0
    for key, value in edits.items():
        if not value:
            changed += result.pop(key, None) is not None
        elif not same(result.get(key), value):
            result[key] = value
            changed += 1
    return result, changed


def differences(left, right):
    return [
        (key, left.get(key), right.get(key))
        for key in sorted({*left, *right})
        if not same(left.get(key), right.get(key))
    ]


async def all_of(pages):
    return [astuple(item) async for page in pages for item in page]


@given(CONTENTS, st.lists(EDITS, max_size=4), SIZES)
def test_the_same_content_is_the_same_tree_whatever_its_history(content, history, size):
    async def law():
        store = small_store(budget=1 << 20)
        root = await planted(store, content)
        state = content
        for edits in history:
            state, changed = edited(state, edits)
            applied = await apply(store, root, paged(edits, size))
            assert applied.changed == changed
            assert applied.root == await planted(store, state, size)
            root = applied.root

    asyncio.run(law())


@given(CONTENTS, st.lists(EDITS, min_size=2, max_size=6), SIZES)
def test_generations_in_memory_differ_in_what_the_dicts_do(content, history, size):
    """What a leaf remembers of those that it was made from never hides a difference, and makes none up."""

    async def law():
        store = small_store(budget=1 << 22)
        roots, states = [await planted(store, content)], [content]
        for number, edits in enumerate(history):
            step = number // 2  # now and then from an older generation: siblings
            states.append(edited(states[step], edits)[0])
            roots.append((await apply(store, roots[step], paged(edits, size))).root)
        for left, before in zip(roots, states, strict=True):
            for right, after in zip(roots, states, strict=True):
                assert await all_of(diff(store, left, right)) == differences(before, after)

    asyncio.run(law())


@given(CONTENTS, st.lists(EDITS, min_size=1, max_size=4), SIZES)
def test_what_nodes_say_of_their_blocks_is_so(content, history, size):
    async def law():
        store = small_store(budget=1 << 22)
        root = await planted(store, content)
        for edits in history:
            root = (await apply(store, root, paged(edits, size))).root
            todo = [str(root)] if root else []
            while todo:
                node = await store.read(todo.pop())
                assert [block.about for block in node.blocks] == [
                    block_of(node.level, *block.entries()).about for block in node.blocks
                ]
                todo += [child.id.hex() for child in unpack_children(node.values)] if node.level else []

    asyncio.run(law())


@given(CONTENTS, EDITS, EDITS)
def test_merges_with_what_is_there_already_change_nothing(base, edits, other_edits):
    async def law():
        store = small_store(budget=1 << 22)
        root = await planted(store, base)
        ours = (await apply(store, root, paged(edits))).root
        theirs = (await apply(store, root, paged(other_edits))).root
        assert (await merge(store, Trees(root, ours, root))).root == ours
        assert (await merge(store, Trees(root, ours, ours))).root == ours
        assert (await merge(store, Trees(root, root, theirs))).root == theirs
        there = await merge(store, Trees(root, ours, theirs))
        back = await merge(store, Trees(root, theirs, ours))
        assert there.conflicts == back.conflicts
        if there.root is not None and back.root is not None:
            assert not await differs(store, there.root, back.root)
            assert (await merge(store, Trees(theirs, there.root, theirs))).root == there.root

    asyncio.run(law())


@given(CONTENTS, EDITS, EDITS, st.sampled_from([None, *Side]))
def test_a_merge_is_the_same_from_whichever_side_it_is_made(base, edits, other_edits, prefer):
    async def law():
        store = small_store(budget=1 << 22)
        contents = (base, edited(base, edits)[0], edited(base, other_edits)[0])
        trees = Trees(*[await planted(store, content) for content in contents])
        if trees.base != trees.ours:
            with patch("lakehouse.tree.merge._AHEAD", 0):
                from_ours = await merge(store, trees, prefer=prefer)
            with patch("lakehouse.tree.merge._SMALLER", 1e-4):
                from_theirs = await merge(store, trees, prefer=prefer)
            assert from_ours == from_theirs

    asyncio.run(law())


@given(CONTENTS, st.integers(0, 900), st.integers(0, 900), SIZES)
def test_deleting_any_run_leaves_the_tree_of_the_rest(content, start, end, size):
    async def law():
        store = small_store()
        root = await planted(store, content)
        keys = set(sorted(content)[start:end])
        applied = await apply(store, root, paged(dict.fromkeys(keys, TOMBSTONE), size))
        assert applied.root == await planted(store, {key: content[key] for key in content if key not in keys})

    asyncio.run(law())


@given(CONTENTS, EDITS, KEYS, st.sampled_from([b"", b"k", b"k00", b"d1/", b"d", b"\xff", b"\xff\xff"]))
def test_a_difference_is_what_the_dicts_differ_in(content, edits, start, prefix):
    async def law():
        store = small_store()
        other, _ = edited(content, edits)
        left, right = await planted(store, content), await planted(store, other)
        expected = differences(content, other)
        assert await all_of(diff(store, left, right)) == expected
        assert await differs(store, left, right) == bool(expected)
        part = [item for item in expected if item[0].startswith(prefix) and item[0] >= start]
        assert await all_of(diff(store, left, right, start=start, prefix=prefix)) == part

    asyncio.run(law())


@given(CONTENTS, CONTENTS)
def test_a_difference_applied_to_the_left_gives_the_right(content, other):
    async def law():
        store = small_store()
        left, right = await planted(store, content), await planted(store, other)

        async def changes():
            async for page in diff(store, left, right, same=lambda a, b: a == b):
                yield [(item.key, item.right or TOMBSTONE) for item in page]

        assert (await apply(store, left, changes(), same=lambda a, b: a == b)).root == right

    asyncio.run(law())


CHOICES = st.lists(st.sampled_from([None, *Side]), min_size=3, max_size=3)


@given(CONTENTS, EDITS, EDITS, st.sampled_from([None, *Side]), CHOICES)
def test_a_merge_is_decided_key_by_key(base, edits, other_edits, prefer, choices):
    def settle(key):
        return choices[sum(key) % len(choices)]

    async def law():
        store = small_store()
        ours, _ = edited(base, edits)
        theirs, _ = edited(base, other_edits)
        expected, conflicts, unsettled = dict(ours), [], False
        for key, before, after in differences(base, theirs):
            mine = ours.get(key)
            taken = after
            if not same(mine, before) and not same(mine, after):
                conflicts.append(key)
                side = settle(key) or prefer
                unsettled = unsettled or side is None
                taken = {Side.THEIRS: after, Side.BASE: before, Side.NEITHER: None}.get(side, mine)
            if not same(mine, taken):
                expected.pop(key, None)
                expected.update({} if taken is None else {key: taken})
        roots = [await planted(store, content) for content in (base, ours, theirs)]
        merged = await merge(store, Trees(*roots), prefer=prefer, settle=settle)
        assert merged.conflicts == conflicts
        assert merged.source_changed == bool(differences(base, theirs))
        if unsettled:
            assert merged.root is None
        else:
            assert merged.root == await planted(store, expected)
            kinds = [(left is None, right is None) for _, left, right in differences(ours, expected)]
            assert merged.changed == len(kinds)
            assert (merged.added, merged.removed) == (kinds.count((True, False)), kinds.count((False, True)))

    asyncio.run(law())


@given(CONTENTS, KEYS, st.sampled_from([b"", b"k", b"k01", b"d3/", b"d", b"zz"]), st.integers(1, 400))
def test_reading_is_reading_a_sorted_dict(content, start, prefix, limit):
    async def law():
        store = small_store()
        root = await planted(store, content)
        within = [key for key in sorted(content) if key.startswith(prefix)]
        expected = [key for key in within if key >= start][:limit]
        assert await scan(store, root, start=start, prefix=prefix, limit=limit) == (
            expected,
            [content[key] for key in expected],
        )
        asked = sorted({start, prefix, *expected})
        assert await lookup_many(store, root, asked) == [content.get(key) for key in asked]
        total = await count(store, root, prefix)
        assert (total.objects, total.bytes) == (len(within), sum(size_of(content[key]) for key in within))

    asyncio.run(law())


@given(
    CONTENTS, KEYS, st.sampled_from([b"", b"k", b"d", b"d1/", b"k00"]), st.sampled_from([b"/", b"0", b"d"]), st.data()
)
def test_rolling_up_is_grouping_a_sorted_dict(content, start, prefix, delimiter, data):
    async def law():
        store = small_store()
        root = await planted(store, content)
        expected = {}
        for key in sorted(content):
            if key.startswith(prefix) and key >= start:
                end = key.find(delimiter, len(prefix)) + len(delimiter)
                rolled = end >= len(prefix) + len(delimiter)
                expected[key[:end] if rolled else key] = None if rolled else content[key]
        limit = data.draw(st.integers(1, 400))
        found = await roll_up(store, root, start=start, prefix=prefix, delimiter=delimiter, limit=limit)
        assert found == list(expected.items())[:limit]

    asyncio.run(law())


def test_appending_behind_a_last_entry_that_ends_a_node_by_rule():
    """The last leaf of a tree ends with the data; its last entry may be a boundary all the same."""

    async def law():
        store = small_store()
        state = many(0, 30, 300)
        root = await planted(store, state)
        for edits in ({b"\x8b\x01": entry(0)}, {b"k0000": TOMBSTONE, b"\x8c": entry(0)}):
            state, _ = edited(state, edits)
            root = (await apply(store, root, paged(edits, 1))).root
            assert root == await planted(store, state)

    asyncio.run(law())
