# SPDX-License-Identifier: Apache-2.0
"""What is read and written: only what changes touch, each node once."""

from __future__ import annotations

import pytest
from msgspec.structs import astuple

from lakehouse.core.ids import EMPTY_TREE
from lakehouse.format.boundary import TABLE_1
from lakehouse.format.child import unpack_children
from lakehouse.format.entry import TOMBSTONE
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.apply import apply
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.diff import diff, differs, leaves_apart
from lakehouse.tree.lookup import leaves_touched, lookup, lookup_many, scan
from lakehouse.tree.merge import MAX_CONFLICTS, Side, Trees, merge, merge_changes, source_changes
from lakehouse.tree.rollup import roll_up
from lakehouse.tree.stats import Count, count
from lakehouse.tree.store import NodeStore
from lakehouse.tree.writer import TreeWriter
from tests.unit.tree.forest import CountingStore, entry, keys_of, paged, planted, small_store

pytestmark = pytest.mark.anyio

NUMBER = 3000


@pytest.fixture
def objects():
    return CountingStore()


@pytest.fixture
def store(objects):
    return small_store(objects=objects)


@pytest.fixture
def items():
    return {key: entry(at % 9) for at, key in enumerate(keys_of(NUMBER))}


async def depth_of(store, root):
    return (await store.read(root)).level + 1


def forget(objects):
    objects.read.clear()
    objects.written.clear()


@pytest.mark.parametrize(
    ("number", "root", "level"),
    [
        (0, "", None),
        (1, "f5d3d97839b99ebf6c090c4638bb16da909c4c30a61c059344221d1add8d2a65", 0),
        (1000, "225f6433eb24cb39c6a66445eb4ca59569c84c5f74198b70431c14fddac65edb", 0),
        (5000, "8035baa0f83a7c02ba7f630944b910acac624ea13774284353ac484c3473675a", 1),
    ],
)
async def test_roots_of_format_2_stay_as_they_are(number, root, level):
    store = NodeStore(MemoryStore(), NodeCache(0), repository=1, bucket="b", prefix="", boundary=TABLE_1)
    made = await planted(store, {b"path/%06d" % at: entry(at % 7) for at in range(number)}, 1000)
    assert made == root
    if root:
        assert (await store.read(root)).level == level


async def test_the_empty_tree_is_nothing(store, objects):
    assert await planted(store, {}) == EMPTY_TREE
    assert await lookup(store, EMPTY_TREE, b"a") is None
    assert await lookup_many(store, EMPTY_TREE, [b"a"]) == [None]
    assert await scan(store, EMPTY_TREE, limit=5) == ([], [])
    assert await count(store, EMPTY_TREE) == Count(0, 0)
    assert not await differs(store, EMPTY_TREE, EMPTY_TREE)
    applied = await apply(store, EMPTY_TREE, paged({b"a": TOMBSTONE}))
    assert (applied.root, applied.changed) == (EMPTY_TREE, 0)
    assert objects.read == objects.written == []


async def test_one_change_reads_and_writes_one_path(store, objects, items):
    root = await planted(store, items)
    depth = await depth_of(store, root)
    for key in (keys_of(NUMBER)[1500], keys_of(NUMBER)[0], keys_of(NUMBER)[-1]):
        forget(objects)
        applied = await apply(store, root, paged({key: entry(77)}))
        assert applied.changed == 1
        assert len(objects.read) <= depth + 3  # and the last nodes of levels, which may have one child
        assert len(objects.written) <= depth
        assert await lookup(store, applied.root, key) == entry(77)
        assert await lookup(store, applied.root, key + b"+") is None


async def test_one_change_makes_one_block():
    """In a tree of real sizes: all others are those of the old tree, undecoded and as they are stored."""
    objects = MemoryStore()
    stores = [
        NodeStore(objects, NodeCache(1 << 26), repository=1, bucket="b", prefix="", boundary=TABLE_1) for _ in range(2)
    ]
    items = {b"path/%06d" % at: entry(at % 7) for at in range(5000)}
    root = await planted(stores[0], items, 1000)
    applied = await apply(stores[1], root, paged({b"path/002500": entry(8)}))
    old, new = await nodes_of(stores[0], root), await nodes_of(stores[1], applied.root)
    before = {block.about.digest for node in old.values() for block in node.blocks}
    made = [block for node in new.values() for block in node.blocks if block.about.digest not in before]
    assert len(made) == 2  # one of the leaf, one of the root
    [leaf] = [node for node in new.values() if not node.level and any(block in node.blocks for block in made)]
    assert sum(block.known is not None for block in leaf.blocks) == 1
    assert await lookup(stores[1], applied.root, b"path/002500") == entry(8)


async def test_what_is_no_change_writes_nothing_and_keeps_the_root(store, objects, items):
    root = await planted(store, items)
    forget(objects)
    same = {key: entry(at % 9, address="elsewhere") for at, key in enumerate(items)}
    gone = {key + b"/x": TOMBSTONE for key in items}
    applied = await apply(store, root, paged(same | gone, 100))
    assert (applied.root, applied.changed) == (root, 0)
    assert objects.written == []


async def test_what_is_no_change_keeps_the_bytes_that_are_there(store, items):
    root = await planted(store, items)
    same = {key: entry(at % 9, address="elsewhere") for at, key in enumerate(items)}
    changed = {keys_of(NUMBER)[7]: entry(77)}
    applied = await apply(store, root, paged(same | changed))
    assert applied.root == await planted(store, items | changed)
    assert applied.changed == 1


async def test_deleting_everything_leaves_the_empty_tree(store, items):
    root = await planted(store, items)
    applied = await apply(store, root, paged(dict.fromkeys(items, TOMBSTONE), 1000))
    assert (applied.root, applied.changed) == (EMPTY_TREE, NUMBER)


async def test_many_changes_in_one_leaf_come_in_pages(store):
    root = await planted(store, {b"a": entry(1), b"z": entry(2)})
    added = {b"m%05d" % at: entry(at) for at in range(5000)}
    applied = await apply(store, root, paged(added, 700))
    assert applied.root == await planted(store, {b"a": entry(1), b"z": entry(2)} | added)
    packed = applied.paths.packed()
    assert packed is not None
    assert len(packed) < 8192


async def test_equal_subtrees_are_skipped_unread(store, objects, items):
    root = await planted(store, items)
    depth = await depth_of(store, root)
    other = (await apply(store, root, paged({keys_of(NUMBER)[1234]: entry(99)}))).root
    forget(objects)
    assert [item.key async for page in diff(store, root, other) for item in page] == [keys_of(NUMBER)[1234]]
    assert len(objects.read) <= 2 * depth + 2


async def test_the_first_difference_comes_before_the_whole_is_read(store, objects, items):
    root = await planted(store, items)
    other = await planted(store, {key: entry(77) for key in items})
    forget(objects)
    assert await differs(store, root, other)
    assert len(objects.read) <= 2 * 17 * await depth_of(store, root) + 2
    forget(objects)
    assert not await differs(store, root, root)
    assert objects.read == []


async def test_a_difference_of_a_prefix_reads_that_part_only(store, objects, items):
    root = await planted(store, items)
    other = await planted(store, {key: entry(77) for key in items})
    forget(objects)
    found = [item.key async for page in diff(store, root, other, prefix=b"k150") for item in page]
    assert found == [b"k%04d" % at for at in range(1500, 1510)]
    assert len(objects.read) < 30


async def test_a_count_reads_two_paths(store, objects, items):
    root = await planted(store, items)
    depth = await depth_of(store, root)
    forget(objects)
    assert (await count(store, root, b"k1")).objects == 1000
    assert len(objects.read) <= 2 * depth
    forget(objects)
    assert (await count(store, root)).objects == NUMBER
    assert len(objects.read) == 1


async def test_a_scan_reads_the_leaves_that_it_needs(store, objects, items):
    root = await planted(store, items)
    forget(objects)
    keys, values = await scan(store, root, start=b"k1000", limit=20)
    assert keys == keys_of(NUMBER)[1000:1020]
    assert values == [items[key] for key in keys]
    assert len(objects.read) < 25
    assert len(await scan(store, root, limit=NUMBER + 1)) == 2
    assert (await scan(store, root, limit=0)) == ([], [])


async def test_what_lies_within_one_common_prefix_is_not_read(store, objects):
    folders = {b"f%d/%04d" % (folder, at): entry() for folder in range(4) for at in range(1000)}
    root = await planted(store, folders)
    forget(objects)
    found = await roll_up(store, root, delimiter=b"/", limit=1000)
    assert found == [(b"f%d/" % folder, None) for folder in range(4)]
    assert len(objects.read) < 40
    assert await roll_up(store, EMPTY_TREE, delimiter=b"/", limit=10) == []
    assert await roll_up(store, root, delimiter=b"/", limit=0) == []


async def test_a_merge_reads_and_writes_what_changed(store, objects, items):
    base = await planted(store, items)
    depth = await depth_of(store, base)
    ours = (await apply(store, base, paged({keys_of(NUMBER)[100]: entry(50)}))).root
    theirs = (await apply(store, base, paged({keys_of(NUMBER)[2500]: entry(51)}))).root
    forget(objects)
    merged = await merge(store, Trees(base, ours, theirs))
    assert merged.root == await planted(
        small_store(), items | {keys_of(NUMBER)[100]: entry(50), keys_of(NUMBER)[2500]: entry(51)}
    )
    assert (merged.changed, merged.source_changed, merged.conflicts) == (1, True, [])
    assert len(objects.written) <= depth
    assert len(objects.read) <= 6 * depth


async def nodes_of(store, root):
    """All nodes of a tree by id."""
    found, todo = {}, [root]
    while todo:
        node_id = todo.pop()
        found[node_id] = await store.read(node_id)
        if found[node_id].level:
            todo += [child.id.hex() for child in unpack_children(found[node_id].values)]
    return found


async def test_a_merge_reads_no_leaf_that_only_ours_changed_or_none(store, objects, items):
    """And of inner nodes as many as tell that ours changed more than theirs."""
    keys = keys_of(NUMBER)
    base = await planted(store, items)
    ours = (await apply(store, base, paged({key: entry(50) for key in keys[:1000]}))).root
    theirs = (await apply(store, base, paged({key: entry(51) for key in keys[2000:2100]}))).root
    trees = {name: await nodes_of(store, root) for name, root in (("base", base), ("ours", ours), ("theirs", theirs))}
    forget(objects)
    assert (await merge(store, Trees(base, ours, theirs))).changed == 100
    read = {key.rpartition("/")[2] for key in objects.read}
    near = (keys[1950], keys[2150])
    for name, tree in trees.items():
        far = [node_id for node_id, node in tree.items() if not node.level and not near[0] < node.keys[-1] < near[1]]
        assert len(far) > 400, name
        last = max(far, key=lambda node_id: tree[node_id].keys[-1])
        assert read & set(far) <= {last}  # which may end with the data, and so has to be cut again
        whole = [
            node_id
            for node_id, node in tree.items()
            if node.level and (node.keys[-1] < near[0] or unpack_children(node.values[:1])[0].first > near[1])
        ]
        assert len(read & set(whole)) < 3 * max(node.level for node in tree.values()), name
    unread = set(trees["ours"]) - set(trees["base"]) - read
    assert len(unread) > 150  # what ours alone changed


async def test_where_only_the_source_changed_a_merge_writes_nothing(store, objects, items):
    base = await planted(store, items)
    theirs = (await apply(store, base, paged({key: entry(51) for key in keys_of(NUMBER)[::3]}))).root
    forget(objects)
    merged = await merge(store, Trees(base, base, theirs))
    assert (merged.root, merged.changed) == (theirs, NUMBER // 3)
    assert objects.written == []


async def test_what_the_source_only_stored_again_stays_as_it_was(store, items):
    """Also where the merged tree is made from the source's."""
    base = await planted(store, items)
    again, changed = keys_of(NUMBER)[:5], keys_of(NUMBER)[700:900]
    theirs = items | {key: entry(at, address="again") for at, key in enumerate(again)}
    theirs |= {key: entry(51) for key in changed}
    merged = await merge(store, Trees(base, base, await planted(store, theirs)))
    assert merged.root == await planted(store, items | {key: entry(51) for key in changed})
    assert merged.changed == len(changed)


async def test_a_large_source_is_merged_at_the_price_of_what_the_destination_changed(store, objects, items):
    base = await planted(store, items)
    depth = await depth_of(store, base)
    mine = {keys_of(NUMBER)[100]: entry(60), keys_of(NUMBER)[7]: TOMBSTONE, b"k0100+": entry(61)}
    taken = {key: entry(51) for key in keys_of(NUMBER)[1::2]}
    ours, theirs = (await apply(store, base, paged(mine))).root, (await apply(store, base, paged(taken))).root
    forget(objects)
    merged = await merge(store, Trees(base, ours, theirs), prefer=Side.OURS)
    wanted = items | taken | mine
    assert merged.root == await planted(small_store(), {key: value for key, value in wanted.items() if value})
    assert merged.conflicts == [keys_of(NUMBER)[7]]
    assert len(objects.written) <= 3 * depth


async def test_a_source_that_changed_one_place_is_merged_there_however_many_its_changes(store, objects, items):
    """Fewer changes of ours may be in more leaves."""
    base = await planted(store, items)
    depth = await depth_of(store, base)
    ours = (await apply(store, base, paged({key: entry(50) for key in keys_of(NUMBER)[::100]}))).root
    added = {keys_of(NUMBER)[50] + b"/%02d" % at: entry(51) for at in range(70)}
    theirs = (await apply(store, base, paged(added))).root
    wrote = len(set(await nodes_of(store, theirs)) - set(await nodes_of(store, base)))
    forget(objects)
    assert (await merge(store, Trees(base, ours, theirs))).added == 70
    assert len(objects.written) <= wrote + depth


async def test_a_source_that_stored_everything_again_is_not_written_back(store, objects, items):
    base = await planted(store, items)
    again = {key: entry(at % 9, address="again") for at, key in enumerate(items)}
    theirs = await planted(store, again | {b"new": entry(1)})
    for mine in ({}, {keys_of(NUMBER)[7]: entry(60)}):
        ours = (await apply(store, base, paged(mine))).root
        forget(objects)
        merged = await merge(store, Trees(base, ours, theirs))
        assert merged.root == await planted(small_store(), items | mine | {b"new": entry(1)})
        assert merged.changed == 1
        assert len(objects.written) <= 2 * await depth_of(store, base)


async def test_leaves_that_are_not_shared_are_counted_unread(store, objects, items):
    base = await planted(store, items)
    shared = {node_id for node_id, node in (await nodes_of(store, base)).items() if not node.level}
    for mine in ({}, {keys_of(NUMBER)[7]: entry(60)}, dict.fromkeys(keys_of(NUMBER)[::40], entry(60))):
        ours = (await apply(store, base, paged(mine))).root
        own = {node_id for node_id, node in (await nodes_of(store, ours)).items() if not node.level}
        forget(objects)
        apart = max(len(own - shared), len(shared - own))
        assert await leaves_apart(store, base, ours, most=NUMBER) == apart
        assert not {key.rpartition("/")[2] for key in objects.read} & (own | shared)
        if apart > 2:
            assert await leaves_apart(store, base, ours, most=2) > 2
    few = await planted(store, {b"k0003": entry(3)})
    forget(objects)
    assert await leaves_apart(store, base, few, most=NUMBER) > NUMBER
    assert len(objects.read) <= 2
    assert await leaves_apart(store, EMPTY_TREE, few, most=NUMBER) == 1


@pytest.mark.parametrize("number", [0, 1, 40, NUMBER])
async def test_leaves_that_keys_touch_are_counted_unread(store, objects, items, number):
    keys = keys_of(number)
    root = await planted(store, {key: entry(1) for key in keys})
    leaves = [node for node in (await nodes_of(store, root) if root else {}).values() if not node.level]
    forget(objects)
    assert await leaves_touched(store, root, keys) == len(leaves)
    assert await leaves_touched(store, root, []) == 0
    assert await leaves_touched(store, root, [b"zz"]) in (1, 2)
    assert len(objects.read) <= 3 * max(1, len(leaves) // 3)


async def test_a_merge_without_changes_of_the_source_says_so(store, items):
    base = await planted(store, items)
    elsewhere = await planted(store, {key: entry(at % 9, address="b") for at, key in enumerate(items)})
    ours = (await apply(store, base, paged({b"x": entry(5)}))).root
    merged = await merge(store, Trees(base, ours, elsewhere))
    assert (merged.root, merged.changed, merged.source_changed) == (ours, 0, False)


async def test_both_sides_equal_keep_the_entry_of_ours(store, items):
    base = await planted(store, items)
    ours = (await apply(store, base, paged({b"x": entry(5, address="ours")}))).root
    theirs = (await apply(store, base, paged({b"x": entry(5, address="theirs"), b"y": entry(6)}))).root
    merged = await merge(store, Trees(base, ours, theirs))
    assert merged.root is not None
    assert await lookup(store, merged.root, b"x") == entry(5, address="ours")
    assert merged.changed == 1


async def test_conflicts_are_named_and_bounded_and_no_root_is_given(store, items):
    base = await planted(store, items)
    ours = await planted(store, {key: entry(50) for key in items})
    theirs = await planted(store, {key: entry(51) for key in items})
    merged = await merge(store, Trees(base, ours, theirs))
    assert merged.root is None
    assert merged.conflicts == keys_of(NUMBER)[:MAX_CONFLICTS]
    merged = await merge(store, Trees(base, ours, theirs), prefer=Side.THEIRS)
    assert merged.root == theirs
    merged = await merge(store, Trees(base, ours, theirs), prefer=Side.OURS)
    assert (merged.root, merged.changed) == (ours, 0)


async def test_a_lost_race_merges_the_same_changes_into_another_head(store, items):
    base = await planted(store, items)
    theirs = await planted(store, items | {b"x": entry(5)})
    changes = [page async for page in source_changes(store, base, theirs)]

    async def again():
        for page in changes:
            yield page

    for ours in (items, items | {b"y": entry(6)}):
        merged = await merge_changes(store, again(), Trees(base, await planted(store, ours), theirs))
        assert merged.root == await planted(store, ours | {b"x": entry(5)})


async def test_trees_of_different_height_are_compared(store, items):
    small = {b"k0003": entry(3), b"z": entry(4)}
    left, right = await planted(store, small), await planted(store, items)
    there = [astuple(item) async for page in diff(store, left, right) for item in page]
    back = [(key, new, old) for key, old, new in there]
    assert [astuple(item) async for page in diff(store, right, left) for item in page] == back
    assert len(there) == NUMBER  # k0003 is the same in both, z only in the small one


async def test_nodes_are_not_adopted_inside_an_open_node(store, items):
    root = await planted(store, items)
    writer = TreeWriter(store.boundary)
    writer.feed([b"a"], [entry()])
    level = (await store.read(root)).level - 1
    assert not writer.adopts(level, 1, last=False)
    with pytest.raises(ValueError, match=f"level {level}"):
        writer.adopt(await store.read(root), 0, 1)


@pytest.mark.parametrize("number", range(25, 75, 6))
async def test_whatever_is_deleted_from_the_front_no_inner_root_has_one_child(number):
    store = small_store(budget=1 << 20)
    items = {key: entry() for key in keys_of(number)}
    root = await planted(store, items)
    for end in range(number):
        applied = await apply(store, root, paged(dict.fromkeys(keys_of(end), TOMBSTONE), 1000))
        assert applied.root == await planted(store, dict(list(items.items())[end:]))


async def no_pages():
    yield []
    yield []


async def test_empty_pages_are_no_changes(store, items):
    root = await planted(store, items)
    assert (await apply(store, root, no_pages())).root == root


async def test_equal_trees_have_no_differences(store, items):
    root = await planted(store, items)
    assert [page async for page in diff(store, root, root)] == []
    twin = await planted(store, {key: entry(at % 9, address="b") for at, key in enumerate(items)})
    assert twin != root
    assert [page async for page in diff(store, root, twin)] == []


async def test_real_sizes():
    """Leaves of a thousand entries: pages that end inside a leaf, and threads."""
    store = NodeStore(MemoryStore(), NodeCache(1 << 26), repository=1, bucket="b", prefix="", boundary=TABLE_1)
    items = {b"path/%06d" % at: entry(at % 7) for at in range(0, 20_000, 2)}
    root = await planted(store, items, 1000)
    added = {b"path/%06d" % at: entry(at % 5) for at in range(6001, 14_000, 2)}
    changed = {b"path/%06d" % at: entry(9) for at in range(0, 20_000, 250)}
    applied = await apply(store, root, paged(added | changed, 1000))
    result = items | added | changed
    assert applied.root == await planted(store, result, 1000)
    assert applied.changed == len(added) + len(changed)
    found = [astuple(item) async for page in diff(store, root, applied.root) for item in page]
    assert found == [(key, items.get(key), result[key]) for key in sorted(added | changed)]
    behind = {b"q%05d" % at: entry(1) for at in range(5000)}
    grown = await apply(store, applied.root, paged(behind, 900))
    assert grown.root == await planted(store, result | behind, 1000)
    keys = sorted(result)
    assert await scan(store, applied.root, limit=20_000) == (keys, [result[key] for key in keys])
    assert await lookup_many(store, applied.root, [*keys, b"z"]) == [result[key] for key in keys] + [None]
    wide = await apply(store, root, paged({b"path/000000": TOMBSTONE}))
    assert [astuple(item) async for page in diff(store, root, wide.root) for item in page] == [
        (b"path/000000", items[b"path/000000"], None)
    ]


async def test_pages_that_do_not_ascend_are_refused(store, items):
    """Before they make a tree in which leaves overlap."""
    root = await planted(store, items)

    async def pages():
        yield [(b"k1", entry(1)), (b"k3", entry(1))]
        yield [(b"k3", entry(2))]

    with pytest.raises(ValueError, match="do not ascend"):
        await apply(store, root, pages())
