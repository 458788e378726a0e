# SPDX-License-Identifier: Apache-2.0
"""Counts of a prefix are what a listing of it adds up to."""

from __future__ import annotations

import pytest

from lakehouse.core.errors import InvalidRef, NotFound
from lakehouse.meta import staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import listing, objects
from lakehouse.versioning.refs import tags
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.staged.usage import get_prefix_usage
from tests.lakes import commit_all, error_of, link, open_lake, seal
from tests.unit.tree.forest import CountingStore, entry

pytestmark = pytest.mark.anyio

PREFIXES = [b"", b"a", b"a/", b"a/1", b"b/", b"c", b"zz", b"\xf4\x8f\xbf\xbf"]


async def listed(lake, repo, ref, prefix):
    found = []
    after = b""
    while True:
        _, page = await listing.list_objects(lake, repo, ref, listing.Query(prefix=prefix, after=after, amount=7))
        found += [item.entry.size for item in page.items]
        if not page.has_more:
            return (len(found), sum(found))
        after = page.items[-1].path


async def agrees(lake, repo, ref):
    for prefix in PREFIXES:
        found = await get_prefix_usage(lake, repo, ref, prefix)
        assert (found.objects, found.bytes) == await listed(lake, repo, ref, prefix), prefix


async def test_counts_are_what_listings_add_up_to(lake, repo):
    await agrees(lake, repo, "main")
    for number in range(40):
        await link(lake, repo, "main", f"{'abc'[number % 3]}/{number}", size=number)
    await link(lake, repo, "main", "a")
    await agrees(lake, repo, "main")
    await commit_all(lake, repo, "main")
    await tags.create_tag(lake, repo, "v1", ref="main")
    await agrees(lake, repo, "main")
    for number in range(0, 40, 2):
        path = b"%c/%d" % (b"abc"[number % 3], number)
        await objects.delete_object(lake, repo, "main", path)
    await seal(lake, repo, "main")
    await link(lake, repo, "main", "a/0", size=1000)
    await link(lake, repo, "main", "a/3", size=2000)
    await link(lake, repo, "main", "b/new", size=3000)
    await objects.delete_object(lake, repo, "main", b"nowhere")
    for ref in ("main", "main$", "main@", "main~", "v1"):
        await agrees(lake, repo, ref)
    await compact.compact(lake, repo, (await resolve.branch(lake, repo, "main"))[1], anyway=True)
    await link(lake, repo, "main", "a/3", size=4000)
    await agrees(lake, repo, "main")
    total = await get_prefix_usage(lake, repo, "v1", b"")
    assert (total.objects, total.bytes) == (41, sum(range(40)) + 3)


async def test_refs_that_are_not(lake, repo):
    assert await error_of(get_prefix_usage(lake, repo, "nowhere", b"")) is NotFound
    assert await error_of(get_prefix_usage(lake, repo, "main~x", b"")) is InvalidRef
    assert await error_of(get_prefix_usage(lake, "nowhere", "main", b"")) is not None


async def test_counting_reads_a_path_down_the_tree_not_the_tree(tmp_path, clock):
    store = CountingStore()
    lake = await open_lake(tmp_path / "metadata.sqlite", objects=store, clock=clock)
    await create_repository(lake, RepositoryRequest(name="lakes"))
    _, main = await resolve.branch(lake, "lakes", "main")
    for at in range(0, 20_000, 1000):
        await lake.db.apply(
            *staging.put_many(main.id, [(b"%06d" % number, entry()) for number in range(at, at + 1000)])
        )
    await commit_all(lake, "lakes", "main")
    nodes = sum("/nodes/" in key for key in store.written)
    lake.nodes.clear()
    store.read.clear()
    found = await get_prefix_usage(lake, "lakes", "main", b"01")
    assert (found.objects, found.bytes) == (10_000, 10_000)
    assert len(store.read) <= 3 < nodes
    await lake.background.drain()
    await lake.db.close()
