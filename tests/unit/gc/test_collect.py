# SPDX-License-Identifier: Apache-2.0
"""What is collected, when, and what never is."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from lakehouse.core.errors import (
    CollectionRefused,
    CommitExpired,
    DataDamaged,
    InvalidArgument,
    LakehouseError,
    SettingNotFound,
)
from lakehouse.core.paths import parse_path
from lakehouse.gc import mark as marks
from lakehouse.gc.collect import GRACE, MARGIN, Options, collect_garbage, forget_candidates, reports
from lakehouse.gc.mark import Mark
from lakehouse.gc.rules import DAY, RetentionRules, get_rules, set_rules
from lakehouse.meta import leases, repositories
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact, merge, pick, reset
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import branches, tags
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.staged.sweep_guard import deleting_nodes, lease_name
from lakehouse.versioning.work.sweeping import KEPT, sweep
from tests.lakes import ANN, commit_all, error_of, shown

pytestmark = pytest.mark.anyio
OLD = DAY + MARGIN + 1


async def upload(lake, repo, path, body=b"x", *, branch="main"):
    """Store an object and stage it; its address below the namespace."""
    made = await objects.upload_object(lake, repo, branch, objects.Upload(parse_path(path)), body)
    return made.entry.address


async def stored(lake, repo) -> set[str]:
    """Everything below the namespace."""
    place = lake.place(await resolve.repository(lake, repo))
    found, _ = await place.store.objects.list(place.bucket, prefix=place.prefix, limit=100_000)
    return {one.key[len(place.prefix) :] for one in found}


async def data(lake, repo) -> set[str]:
    return {key for key in await stored(lake, repo) if key.startswith("data/")}


async def nodes(lake, repo) -> set[str]:
    return {key for key in await stored(lake, repo) if "/nodes/" in key}


async def collect(lake, repo, **options):
    return await collect_garbage(lake, repo, Options(held=50, **options))


async def collect_all(lake, repo, clock):
    """Two marks, far enough apart, after everything has become old; the report of the second."""
    clock.now += OLD
    await sweep(lake)
    await collect(lake, repo)
    clock.now += GRACE
    return await collect(lake, repo)


async def read_all(lake, repo, ref) -> set[str]:
    """Read every object that a ref shows."""
    found = await shown(lake, repo, ref)
    for path in found:
        linked = await objects.stat_object(lake, repo, ref, parse_path(path))
        record = await resolve.repository(lake, repo)
        await (await objects.open_object(lake, record, linked.entry)).read()
    return set(found)


async def test_two_marks_must_agree(lake, repo, clock) -> None:
    lost = await upload(lake, repo, "a", b"lost")
    kept = await upload(lake, repo, "a", b"kept")
    report = await collect(lake, repo)
    assert (report.young, report.waiting, report.deleted) == (1, 0, 0)
    clock.now += OLD
    report = await collect(lake, repo)
    assert (report.young, report.waiting, report.waiting_bytes, report.deleted) == (0, 1, 4, 0)
    clock.now += GRACE - 1
    assert (await collect(lake, repo)).deleted == 0
    assert await data(lake, repo) == {lost, kept}
    clock.now += 1
    report = await collect(lake, repo)
    assert (report.waiting, report.deleted, report.deleted_bytes) == (0, 1, 4)
    assert await data(lake, repo) == {kept}
    assert (await collect(lake, repo)).deleted == 0


async def test_a_dry_run_changes_nothing(lake, repo, clock) -> None:
    await upload(lake, repo, "a", b"lost")
    await upload(lake, repo, "a", b"kept")
    clock.now += OLD
    before = await stored(lake, repo)
    assert (await collect(lake, repo, dry_run=True)).waiting == 1
    clock.now += GRACE
    report = await collect(lake, repo, dry_run=True)
    assert (report.waiting, report.deleted) == (1, 0)
    await collect(lake, repo)
    clock.now += GRACE
    report = await collect(lake, repo, dry_run=True)
    assert (report.waiting, report.deleted, report.dry_run) == (0, 1, True)
    assert await stored(lake, repo) == before


async def test_forgetting_the_candidates_undoes_a_mark(lake, repo, clock) -> None:
    await upload(lake, repo, "a", b"lost")
    await upload(lake, repo, "a", b"kept")
    clock.now += OLD
    await collect(lake, repo)
    clock.now += GRACE
    await forget_candidates(lake, repo)
    assert (await collect(lake, repo)).deleted == 0
    clock.now += GRACE
    assert (await collect(lake, repo)).deleted == 1


async def test_what_is_needed_again_is_no_candidate_any_more(lake, repo, clock) -> None:
    """Found once, then missed by a mark: the waiting begins anew."""
    lost = await upload(lake, repo, "a", b"lost")
    await upload(lake, repo, "a", b"kept")
    clock.now += OLD
    await collect(lake, repo)
    from lakehouse.core.records import AddressKind, Entry
    from lakehouse.format.entry import pack
    from lakehouse.meta import staging as rows

    _, main = await resolve.branch(lake, repo, "main")
    entry = Entry(lost, AddressKind.RELATIVE, 4, "c", 1)
    await lake.db.apply(rows.put(main.id, b"again", pack(entry)))
    clock.now += GRACE
    assert (await collect(lake, repo)).deleted == 0
    await lake.db.apply(rows.remove(main.id, [b"again"]))
    clock.now += GRACE
    assert (await collect(lake, repo)).deleted == 0
    clock.now += GRACE
    assert (await collect(lake, repo)).deleted == 1


async def test_what_refs_and_staging_need_stays(lake, repo, clock) -> None:
    committed = await upload(lake, repo, "committed")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "hidden", source="main", actor=ANN, hidden=True)
    on_hidden = await upload(lake, repo, "hidden", branch="hidden")
    folded = await upload(lake, repo, "folded")
    _, main = await resolve.branch(lake, repo, "main")
    assert await compact.compact(lake, repo, main, anyway=True)
    sealed = await upload(lake, repo, "sealed")
    from tests.lakes import seal

    await seal(lake, repo, "main")
    staged = await upload(lake, repo, "staged")
    removed = await upload(lake, repo, "removed")
    await objects.delete_object(lake, repo, "main", parse_path("removed"))
    expected = {committed, on_hidden, folded, sealed, staged}
    report = await collect_all(lake, repo, clock)
    assert await data(lake, repo) == expected
    assert removed not in await data(lake, repo)
    assert report.idle_hidden_branches == []
    assert await read_all(lake, repo, "main") == {"committed", "folded", "sealed", "staged"}
    assert await read_all(lake, repo, "hidden") == {"committed", "hidden"}
    clock.now += 8 * DAY
    assert (await collect(lake, repo)).idle_hidden_branches == ["hidden"]


async def test_without_rules_no_commit_expires(lake, repo, clock) -> None:
    first = await upload(lake, repo, "a", b"1")
    made = await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "gone", source="main", actor=ANN)
    second = await upload(lake, repo, "a", b"2", branch="gone")
    lost = await commit_all(lake, repo, "gone")
    await branches.delete_branch(lake, repo, "gone")
    clock.now += 1000 * DAY
    await collect_all(lake, repo, clock)
    assert await data(lake, repo) == {first, second}
    assert await read_all(lake, repo, lost.id) == {"a"}
    assert await read_all(lake, repo, made.id) == {"a"}


async def test_nodes_that_no_tree_has_are_deleted(lake, repo, clock) -> None:
    for number in range(5):
        await upload(lake, repo, "a", bytes([number]))
        _, main = await resolve.branch(lake, repo, "main")
        await compact.compact(lake, repo, main, anyway=True)
    await commit_all(lake, repo, "main")
    assert len(await nodes(lake, repo)) == 5
    report = await collect_all(lake, repo, clock)
    assert report.deleted == 8
    assert len(await nodes(lake, repo)) == 1
    assert await read_all(lake, repo, "main") == {"a"}


async def test_retention_by_branch(lake, repo, clock) -> None:
    await set_rules(lake, repo, RetentionRules(10, {"main": 20}))
    assert await get_rules(lake, repo) == RetentionRules(10, {"main": 20})
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    made = {}
    for number in range(3):
        for branch in ("main", "dev"):
            await upload(lake, repo, "a", f"{branch}{number}".encode(), branch=branch)
            made[branch, number] = (await commit_all(lake, repo, branch)).id
        clock.now += 15 * DAY
    await tags.create_tag(lake, repo, "v1", ref=made["dev", 0])
    await sweep(lake)
    # ages are 45, 30 and 15 days: a parent is kept while its child is younger than the rule
    report = await collect(lake, repo)
    assert report.commits_expired == 3  # dev 1, main 0 and the initial one; the tag keeps dev 0
    for key in (("main", 0), ("dev", 1)):
        assert await error_of(resolve.commit(lake, repo, made[key])) is CommitExpired
    clock.now += GRACE
    assert (await collect(lake, repo)).deleted == 2  # their objects; trees stay, so that one can merge
    assert await read_all(lake, repo, "main") == {"a"}
    assert await read_all(lake, repo, "main~1") == {"a"}
    assert await read_all(lake, repo, "dev") == {"a"}
    assert await read_all(lake, repo, "v1") == {"a"}


async def test_nothing_starts_from_an_expired_commit(lake, repo, clock) -> None:
    await set_rules(lake, repo, RetentionRules(1))
    await upload(lake, repo, "a", b"1")
    old = (await commit_all(lake, repo, "main")).id
    await upload(lake, repo, "a", b"2")
    await commit_all(lake, repo, "main")
    clock.now += 10 * DAY
    assert (await collect(lake, repo)).commits_expired == 2
    for call in (
        branches.create_branch(lake, repo, "b", source=old, actor=ANN),
        branches.create_branch(lake, repo, "b", source="main~1", actor=ANN),
        branches.create_branch(lake, repo, old, source="main", actor=ANN),
        tags.create_tag(lake, repo, "t", ref=old),
        reset.hard_reset_branch(lake, repo, "main", ref=old, actor=ANN),
        merge.merge_into_branch(lake, repo, old, "main", merge.MergeRequest(), ANN),
        pick.cherry_pick(lake, repo, "main", ref=old, parent_number=None, actor=ANN),
        shown(lake, repo, old),
    ):
        assert await error_of(call) is not None, call
    assert await error_of(branches.create_branch(lake, repo, "b", source=old, actor=ANN)) is CommitExpired
    from lakehouse.versioning.history.log import LogQuery, log_commits

    assert len((await log_commits(lake, repo, "main", LogQuery())).items) == 3
    assert (await resolve.commit_record(lake, repo, old))[1].id == old


async def test_branches_that_parted_long_ago_are_merged(lake, repo, clock) -> None:
    """Their base is expired and its objects are gone; its tree is there."""
    await set_rules(lake, repo, RetentionRules(1))
    for number in range(3):
        await upload(lake, repo, f"p{number}", b"old")
    base = (await commit_all(lake, repo, "main")).id
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    clock.now += 10 * DAY
    for branch, path in (("main", "p0"), ("dev", "p1")):
        await upload(lake, repo, path, b"new", branch=branch)
        await commit_all(lake, repo, branch)
        await upload(lake, repo, "p2", branch.encode(), branch=branch)
        await commit_all(lake, repo, branch)
    clock.now += 10 * DAY
    await collect_all(lake, repo, clock)
    lake.nodes.clear()
    assert await error_of(resolve.commit(lake, repo, base)) is CommitExpired
    request = merge.MergeRequest(strategy="source-wins")
    made = await merge.merge_into_branch(lake, repo, "dev", "main", request, ANN)
    assert (made.added, made.changed) == (0, 2)
    assert await read_all(lake, repo, "main") == {"p0", "p1", "p2"}
    assert await error_of(pick.revert_branch(lake, repo, "dev", ref="dev", parent_number=0, actor=ANN)) is CommitExpired


async def test_a_ref_that_is_made_while_commits_expire_keeps_its_commit(lake, repo, clock, monkeypatch) -> None:
    await set_rules(lake, repo, RetentionRules(1))
    await upload(lake, repo, "a", b"1")
    old = (await commit_all(lake, repo, "main")).id
    await upload(lake, repo, "a", b"2")
    await commit_all(lake, repo, "main")
    clock.now += 10 * DAY
    from lakehouse.gc import collect as module

    expire = module._expire

    async def later(*args):
        """After the mark has read the branches: one that starts at the commit and has moved on already."""
        await branches.create_branch(lake, repo, "late", source=old, actor=ANN)
        await upload(lake, repo, "b", b"3", branch="late")
        await commit_all(lake, repo, "late")
        return await expire(*args)

    monkeypatch.setattr(module, "_expire", later)
    await collect(lake, repo)
    monkeypatch.setattr(module, "_expire", expire)
    assert (await resolve.commit(lake, repo, old))[1].id == old
    clock.now += GRACE
    await collect(lake, repo)
    assert await read_all(lake, repo, "late") == {"a", "b"}


async def test_what_the_server_did_not_name_is_left_alone(lake, repo, clock) -> None:
    place = lake.place(await resolve.repository(lake, repo))
    for key in ("data/mine", "data/x/y.parquet", "_lakehouse/nodes/zz", "other", "data/0000000/" + "0" * 27):
        await place.store.objects.put(place.locate(key), b"x")
    before = await stored(lake, repo)
    report = await collect_all(lake, repo, clock)
    assert (report.deleted, report.foreign) == (0, 4)
    assert await stored(lake, repo) == before


async def test_namespaces_that_are_shared(lake, repo, clock) -> None:
    place = lake.place(await resolve.repository(lake, repo))
    bare = RepositoryRequest(name="bare", storage_namespace=place.uri, bare=True)
    await create_repository(lake, bare)
    with pytest.raises(CollectionRefused, match="another repository"):
        await collect(lake, "bare")
    kept = await upload(lake, repo, "a", b"kept")
    from lakehouse.meta import refs

    made = await commit_all(lake, repo, "main")
    other = await resolve.repository(lake, "bare")
    from lakehouse.meta import commits

    await lake.db.apply(
        commits.insert(other.id, made, None),
        refs.insert_branch(other.id, "main", commit_id=made.id, token=77, hidden=False, now=1),
    )
    await set_rules(lake, repo, RetentionRules(1))
    await reset.hard_reset_branch(lake, repo, "main", ref="main~", actor=ANN)
    clock.now += 10 * DAY
    await collect_all(lake, repo, clock)
    assert await data(lake, repo) == {kept}
    assert await read_all(lake, "bare", "main") == {"a"}


async def test_one_run_at_a_time(lake, repo) -> None:
    record = await resolve.repository(lake, repo)
    await lake.db.apply(leases.claim(f"gc:{record.id}", "other", now=lake.now, until=lake.now + 60))
    with pytest.raises(CollectionRefused, match="another run"):
        await collect(lake, repo)


async def test_a_run_that_takes_long_is_still_the_only_one(lake, repo, clock, monkeypatch) -> None:
    for number in range(6):
        await upload(lake, repo, f"o{number}")
        await commit_all(lake, repo, "main")
    record = await resolve.repository(lake, repo)
    note, run, holders = Mark._note, Mark.run, []

    def takes_a_minute(self, *args, **options):
        clock.now += 60
        note(self, *args, **options)

    async def then_asks(self, sharing):
        await run(self, sharing)
        holders.append(await leases.holder(lake.db, f"gc:{record.id}", now=lake.now))

    monkeypatch.setattr(Mark, "_note", takes_a_minute)
    monkeypatch.setattr(Mark, "run", then_asks)
    monkeypatch.setattr(marks, "TOGETHER", 1)
    began = clock.now
    await collect(lake, repo)
    assert clock.now > began + 300
    assert None not in holders


async def test_a_damaged_tree_stops_the_run(lake, repo, clock) -> None:
    lost = await upload(lake, repo, "a", b"lost")
    await upload(lake, repo, "a", b"kept")
    await commit_all(lake, repo, "main")
    clock.now += OLD
    await collect(lake, repo)
    clock.now += GRACE
    place = lake.place(await resolve.repository(lake, repo))
    for key in await nodes(lake, repo):
        await place.store.objects.delete([place.locate(key)])
    with pytest.raises(DataDamaged):
        await collect(lake, repo)
    assert lost in await data(lake, repo)


async def test_reports_are_kept(lake, repo, clock) -> None:
    first = await collect(lake, repo)
    clock.now += 5
    second = await collect(lake, repo)
    assert await reports(lake, repo) == [second, first]
    assert await reports(lake, repo, after=second.id) == [first]


async def test_rules_that_are_refused(lake, repo) -> None:
    with pytest.raises(SettingNotFound):
        await get_rules(lake, repo)
    for bad in (RetentionRules(0), RetentionRules(1, {"main": -1}), RetentionRules(1, {"no branch": 1})):
        assert issubclass(await error_of(set_rules(lake, repo, bad)), InvalidArgument)
    await set_rules(lake, repo, RetentionRules(7))
    await set_rules(lake, repo, None)
    with pytest.raises(SettingNotFound):
        await get_rules(lake, repo)


async def test_commits_beside_deletes_of_nodes_are_built_again(lake, repo, clock) -> None:
    """A commit stores a node that was garbage, and the collector deletes it: the commit must store it again."""
    await upload(lake, repo, "a", b"1")
    record, main = await resolve.branch(lake, repo, "main")
    await compact.compact(lake, repo, main, anyway=True)
    [node] = await nodes(lake, repo)
    place = lake.place(record)
    puts = []
    put = place.store.objects.put

    async def putting(location, *args, **options):
        done = await put(location, *args, **options)
        if "/nodes/" in location.key and not puts:
            puts.append(location.key)
            async with deleting_nodes(lake, record.id, "me"):
                await place.store.objects.delete([location])
        return done

    place.store.objects.put = putting
    await upload(lake, repo, "b", b"2")
    await commit_all(lake, repo, "main")
    assert puts
    assert node
    lake.nodes.clear()
    assert await read_all(lake, repo, "main") == {"a", "b"}


async def test_a_collector_that_died_is_put_right(lake, repo, clock) -> None:
    record = await resolve.repository(lake, repo)
    await lake.db.apply(
        leases.claim(lease_name(record.id), "dead", now=lake.now, until=lake.now + 10),
        repositories.step_sweeping(record.id, seen=0),
    )
    await upload(lake, repo, "a")
    clock.now += 11
    await commit_all(lake, repo, "main")
    assert (await resolve.repository(lake, repo)).sweeping == 2


STEPS = int(os.environ.get("LAKEHOUSE_TEST_ROUNDS", "1")) * 60


@pytest.mark.parametrize("seed", range(3))
async def test_writers_beside_the_collector_lose_nothing(lake, repo, clock, seed) -> None:
    """Random writes, commits, merges, resets, folds and deletes of branches, and runs at any moment with the clock
    jumping: what refs show can always be read.
    """
    chance = random.Random(seed)
    await set_rules(lake, repo, RetentionRules(3, {"main": 5}))

    async def write() -> None:
        branch = await any_branch()
        await upload(lake, repo, f"p{chance.randrange(8)}", chance.randbytes(3), branch=branch)

    async def any_branch() -> str:
        page = await branches.list_branches(lake, repo, prefix="", after="", amount=100)
        return chance.choice([ref.name for ref in page.items])

    async def commit() -> None:
        await commit_all(lake, repo, await any_branch())

    async def branch() -> None:
        source = chance.choice([await any_branch(), f"{await any_branch()}~{chance.randrange(4)}"])
        await branches.create_branch(lake, repo, f"b{chance.randrange(5)}", source=source, actor=ANN)

    async def unbranch() -> None:
        await branches.delete_branch(lake, repo, await any_branch())

    async def join() -> None:
        request = merge.MergeRequest(strategy="source-wins", allow_empty=True)
        await merge.merge_into_branch(lake, repo, await any_branch(), await any_branch(), request, ANN)

    async def fold() -> None:
        _, found = await resolve.branch(lake, repo, await any_branch())
        await compact.compact(lake, repo, found, anyway=True)

    async def back() -> None:
        name = await any_branch()
        await reset.hard_reset_branch(lake, repo, name, ref=f"{name}~", actor=ANN)

    async def forget() -> None:
        await reset.reset_branch(lake, repo, await any_branch())

    async def remove() -> None:
        await objects.delete_object(lake, repo, await any_branch(), parse_path(f"p{chance.randrange(8)}"))

    actions = [write] * 8 + [commit] * 4 + [branch, unbranch, join, join, fold, fold, back, forget, remove]

    refused: list[int] = []

    async def act() -> None:
        try:
            await chance.choice(actions)()
        except DataDamaged:
            raise
        except LakehouseError:
            refused.append(1)

    deleted = 0
    for _ in range(STEPS):
        clock.now += chance.choice([1, 60, 3600, 20_000])
        running = asyncio.ensure_future(collect(lake, repo)) if chance.random() < 0.3 else None
        await asyncio.gather(*[act() for _ in range(chance.randrange(1, 4))])
        if running is not None:
            deleted += (await running).deleted
        if chance.random() < 0.3:
            await sweep(lake)
            clock.now += KEPT
    clock.now += OLD
    for _ in range(3):
        deleted += (await collect(lake, repo)).deleted
        clock.now += GRACE
    assert deleted
    lake.nodes.clear()
    for ref in (await branches.list_branches(lake, repo, prefix="", after="", amount=100)).items:
        await read_all(lake, repo, ref.name)
        await read_all(lake, repo, f"{ref.name}@")
