# SPDX-License-Identifier: Apache-2.0
"""Garbage collection beside writers: whatever they do and whenever it runs, what is reachable or young stays.

The collector is watched from outside: each deletion is judged when it happens, by the store's own times and by what the
rows and trees say at that moment, read again from the store.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.core.clock import time_of_name
from lakehouse.core.errors import DataDamaged, LakehouseError
from lakehouse.core.paths import parse_path
from lakehouse.core.records import AddressKind
from lakehouse.format.entry import unpack
from lakehouse.gc.collect import GRACE, MARGIN, Options, collect_garbage
from lakehouse.meta import collection, commits, staging
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.lookup import scan
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact, merge, reset
from lakehouse.versioning.objects import addresses, objects, prefixes
from lakehouse.versioning.refs import branches
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.work.sweeping import sweep
from tests.lakes import ANN, Hands, commit_all, open_lake

REPO = "lakes"
DAY = 86_400
NAMES = ["main", "b1", "b2"]
branch = st.sampled_from(NAMES)
path = st.sampled_from(["a", "b", "c/d", "c/e"])
DOING = st.one_of(
    st.tuples(st.just("write"), branch, path, st.binary(min_size=1, max_size=2)),
    st.tuples(st.just("write"), branch, path, st.binary(min_size=1, max_size=2)),
    st.tuples(st.just("orphan")),
    st.tuples(st.just("remove"), branch, path),
    st.tuples(st.just("copy"), branch, branch),
    st.tuples(st.just("commit"), branch),
    st.tuples(st.just("commit"), branch),
    st.tuples(st.just("fold"), branch),
    st.tuples(st.just("forget"), branch),
    st.tuples(st.just("back"), branch),
    st.tuples(st.just("branch"), branch, branch),
    st.tuples(st.just("unbranch"), branch),
    st.tuples(st.just("merge"), branch, branch),
    st.tuples(st.just("collect")),
    st.tuples(st.just("collect")),
)
TICKS = st.sampled_from([1, 60, 3600, 20_000, DAY, DAY + MARGIN + 1])
STEPS = st.lists(st.tuples(TICKS, st.lists(DOING, min_size=1, max_size=4)), min_size=4, max_size=14)


class Watched(MemoryStore):
    """Judges each deletion of data before it happens."""

    def __init__(self, clock: Hands) -> None:
        super().__init__(clock=clock)
        self._time = clock
        self.lake: Any = None
        self.deleted = 0

    async def delete(self, locations):
        data = [one for one in locations if "/data/" in one.key]
        if data:
            needed = await reachable(self.lake)
            for one in data:
                key = one.key[one.key.index("data/") :]
                assert key not in needed, f"{key} is reachable"
                youngest = max((await self.head(one)).modified, time_of_name(key.rpartition("/")[2]))
                age = self._time() - youngest
                assert age > DAY + MARGIN, f"{key} is {age:.0f} seconds old"
            self.deleted += len(data)
        await super().delete(locations)


async def reachable(lake) -> set[str]:
    """Addresses in all commits, in folded bases and in staged rows, read from the store and the rows themselves."""
    repo = await resolve.repository(lake, REPO)
    roots: set[Any] = set()
    tokens: set[Any] = set()
    async for page in commits.pages_with_paths(lake.db, repo.id):
        roots |= {commit.root for commit, _ in page}
    async for refs in collection.held_refs(lake.db, repo.id):
        roots |= {ref.base for ref in refs if ref.base is not None}
        tokens |= {token for ref in refs for token in ref.tokens}
    found = []
    for root in roots:
        _, values = await scan(lake.tree(repo), root, start=b"", prefix=b"", limit=1000)
        found += values
    for token in tokens:
        async for rows in staging.scan(lake.db, token, start=b""):
            found += [value for _, value in rows if value]
    return {entry.address for entry in map(unpack, found) if entry.kind is AddressKind.RELATIVE}


async def do(lake, what: tuple[Any, ...]) -> None:
    """One step; what the engine refuses is no matter."""
    kind, *rest = what
    try:
        match kind:
            case "write":
                name, at, body = rest
                await objects.upload_object(lake, REPO, name, objects.Upload(parse_path(at)), body)
            case "orphan":
                place = lake.place(await resolve.repository(lake, REPO))
                await place.store.objects.put(place.locate(addresses.fresh(lake.clock())), b"x")
            case "remove":
                await objects.delete_object(lake, REPO, rest[0], parse_path(rest[1]))
            case "copy":
                wanted = prefixes.PrefixRequest(b"c/", b"d/", source_ref=rest[1], overwrite=True)
                await prefixes.copy_prefix(lake, REPO, rest[0], wanted, allow=lambda _, __: None)
            case "commit":
                await commit_all(lake, REPO, rest[0])
            case "fold":
                _, found = await resolve.branch(lake, REPO, rest[0])
                await compact.compact(lake, REPO, found, anyway=True)
            case "forget":
                await reset.reset_branch(lake, REPO, rest[0])
            case "back":
                await reset.hard_reset_branch(lake, REPO, rest[0], ref=f"{rest[0]}~", actor=ANN)
            case "branch":
                await branches.create_branch(lake, REPO, rest[0], source=rest[1], actor=ANN)
            case "unbranch":
                await branches.delete_branch(lake, REPO, rest[0])
            case "merge":
                wanted = merge.MergeRequest(strategy="source-wins", allow_empty=True)
                await merge.merge_into_branch(lake, REPO, rest[0], rest[1], wanted, ANN)
            case "collect":
                await collect_garbage(lake, REPO, Options(held=20))
    except DataDamaged:
        raise
    except LakehouseError:
        pass


async def play(steps: list[tuple[int, list[tuple[Any, ...]]]]) -> int:
    """Play all steps, those of a group at the same time; how many objects were collected in the end."""
    clock = Hands()
    store = Watched(clock)
    with tempfile.TemporaryDirectory() as folder:
        lake = await open_lake(Path(folder) / "metadata.sqlite", objects=store, clock=clock)
        store.lake = lake
        try:
            await create_repository(lake, RepositoryRequest(name=REPO))
            for seconds, group in steps:
                clock.now += seconds
                await asyncio.gather(*[do(lake, one) for one in group])
                if ("collect",) in group:
                    await whole(lake)
            for _ in range(2):
                clock.now += GRACE + DAY + MARGIN + 1
                await sweep(lake)
                await do(lake, ("collect",))
            await whole(lake)
            left = {key for key in await data(lake) if key not in await reachable(lake)}
            assert not left, "what nothing needs is collected in the end"
        finally:
            await lake.background.drain()
            await lake.db.close()
    return store.deleted


async def data(lake) -> list[str]:
    place = lake.place(await resolve.repository(lake, REPO))
    found, _ = await place.store.objects.list(place.bucket, prefix=f"{place.prefix}data/", limit=100_000)
    return [one.key[len(place.prefix) :] for one in found]


async def whole(lake) -> None:
    """Everything that is reachable is there, nodes and objects."""
    lake.nodes.clear()
    missing = await reachable(lake) - set(await data(lake))
    assert not missing


@settings(max_examples=settings().max_examples // 3)
@given(STEPS)
def test_what_is_reachable_or_young_is_never_deleted(steps) -> None:
    asyncio.run(play(steps))


def test_garbage_is_deleted_at_all() -> None:
    """Else the property above holds for a collector that does nothing."""
    write = ("write", "main", "a", b"x")
    steps = [
        (1, [write]),
        (1, [("orphan",)]),
        (1, [("write", "main", "a", b"y")]),
        (1, [("commit", "main")]),
    ]
    assert asyncio.run(play(steps)) == 2
