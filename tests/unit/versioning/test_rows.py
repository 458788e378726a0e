# SPDX-License-Identifier: Apache-2.0
"""What lies in the tables: indexes that answer, folds, reserved tokens, the sweeper."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from lakehouse.core.errors import LinkAddressExpired, StagingMoved
from lakehouse.core.paths import parse_path
from lakehouse.core.records import RefKind
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.db.statement import Statement
from lakehouse.format.entry import unpack
from lakehouse.meta import commits, refs, staged_pages
from lakehouse.meta import staging as rows
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import batches, lookup, objects, staging
from lakehouse.versioning.staged import fold
from lakehouse.versioning.work import sweeping
from tests.lakes import by_column, changes, commit_all, error_of, link, put, seal, shown

pytestmark = pytest.mark.anyio
ON_SQLITE = pytest.mark.parametrize("metadata", ["sqlite"], indirect=True)
"""Plans are asked for in its words."""


class Recorder:
    """A Database that remembers its reads."""

    def __init__(self, db):
        self.db, self.reads = db, []

    async def one(self, sql, params=()):
        self.reads.append((sql, params))
        return await self.db.one(sql, params)

    async def one_of_both(self, both, params, *, seldom, often):
        row = await self.one(*seldom)
        await self.one(*often(row))
        return await self.one(both, params)

    async def all(self, sql, params=()):
        self.reads.append((sql, params))
        return await self.db.all(sql, params)

    async def apply(self, *statements):
        return await self.db.apply(*statements)


async def plan_of(db, sql, params):
    if not isinstance(db, SqliteDatabase):
        pytest.skip("these plans are SQLite's")
    return [row[3] for row in await db.all("explain query plan " + sql, params)]


def only_searches(plan):
    """No table is gone through from end to end (`chain` is the rows that a recursion made), nothing is sorted."""
    return not any(
        "SCAN"
        in step.replace("SCAN (", "").replace("CONSTANT ROW", "").replace("SCAN chain", "").replace("SCAN newest", "")
        or "TEMP B-TREE" in step
        for step in plan
    )


@ON_SQLITE
async def test_reads_are_answered_by_indexes(lake, repo):
    await put(lake, repo, "main", a="1", b="2")
    made = await commit_all(lake, repo, "main")
    found, branch = await resolve.branch(lake, repo, "main")
    tokens = (branch.staging_token, 5, 6)
    db = Recorder(lake.db)
    await refs.find(db, repo, "main")
    await refs.find_with_row(db, repo, "main", b"a")
    await refs.find_with_page(db, repo, "main", start=b"a", end=b"b", limit=10)
    await refs.find_with_page(db, repo, "main", start=b"a", end=None, limit=10)
    await refs.page(db, found.id, RefKind.BRANCH, prefix="m", after="", hidden=False, limit=10)
    await refs.page(db, found.id, RefKind.TAG, prefix="", after="a", hidden=True, limit=10)
    await refs.some(db, found.id)
    await refs.version(db, branch.id)
    await rows.rows(db, branch.id, branch.staging_token, start=b"", end=None, limit=10)
    await rows.value(db, branch.id, tokens, b"a")
    await rows.is_empty(db, tokens)
    async for _ in rows.scan(db, branch.staging_token, start=b"a", end=b"z"):
        pass
    await rows.sweep(db, before=5)
    await commits.find(db, found.id, made.id)
    await commits.first_parents(db, found.id, made.id, limit=9)
    await commits.find_many(db, found.id, [made.id, made.parents[0]])
    await commits.find_by_prefix(db, found.id, made.id[:5])
    await staged_pages.firsts(db, branch.staging_token, b"a", limit=5)
    assert len(db.reads) == 24
    for sql, params in db.reads:
        plan = await plan_of(lake.db, sql, params)
        assert only_searches(plan), (sql, plan)


@ON_SQLITE
async def test_writes_are_answered_by_indexes(lake, repo):
    _, branch = await resolve.branch(lake, repo, "main")
    [reserved], [kept] = rows.abandon(7, now=1).many, rows.keep(7, now=1).many
    statements = [
        Statement(rows.abandon(7, now=1).sql, reserved),
        Statement(rows.keep(7, now=1).sql, kept),
        rows.put(branch.id, b"a", b"v"),
        rows.put_at_epoch(branch.id, b"a", b"v", 1),
        rows.put_over(branch.id, b"a", b"v", version=1, seen=None),
        rows.put_over(branch.id, b"a", b"v", version=1, seen=b"v"),
        rows.publish(branch.id, [7], fresh=8, epoch=None),
        rows.require_epoch(branch.id, 1),
        rows.remove_range(branch.id, start=b"a", end=None),
        staged_pages.delete([7, 8], limit=9),
        refs.seal(branch.id, 9),
        refs.move_head(branch, head="x", taken=(5, 6), leaves_staging=True, now=1),
        refs.replace_sealed(branch, taken=(5, 6), by=7),
        refs.delete_branch(branch),
    ]
    for statement in statements:
        plan = await plan_of(lake.db, statement.sql, statement.params)
        assert only_searches(plan), (statement.sql, plan)


@ON_SQLITE
async def test_a_scan_would_be_noticed(lake, repo):
    assert not only_searches(await plan_of(lake.db, "select * from staged where value = ?", (b"",)))
    assert not only_searches(await plan_of(lake.db, "select * from dropped where at < ? order by token", (1,)))


async def sealed_of(lake, repo, branch="main"):
    _, found = await resolve.branch(lake, repo, branch)
    return found.sealed


@pytest.mark.parametrize("page", [1, 2, 1000])
async def test_folding_changes_nothing_that_is_shown(lake, repo, monkeypatch, page):
    monkeypatch.setattr(rows, "PAGE", page)
    await put(lake, repo, "main", a="0", b="0", c="0")
    await commit_all(lake, repo, "main")
    expected = {"a": "0", "b": "0", "c": "0"}
    for number in range(fold.MOST):
        await put(lake, repo, "main", a=f"{number}", **{f"n{number}": "1"})
        await objects.delete_object(lake, repo, "main", parse_path("bc"[number % 2]))
        await seal(lake, repo, "main")
        expected |= {"a": f"{number}", f"n{number}": "1"}
    await lake.background.drain()
    assert len(await sealed_of(lake, repo)) == fold.MOST
    await link(lake, repo, "main", "b", "back")
    await seal(lake, repo, "main")
    await link(lake, repo, "main", "top")
    del expected["c"]
    expected |= {"b": "back", "top": "c1"}
    assert await shown(lake, repo, "main") == expected
    before = await changes(lake, repo, "main")
    await lake.background.drain()
    assert len(await sealed_of(lake, repo)) == 1
    assert await shown(lake, repo, "main") == expected
    assert await changes(lake, repo, "main") == before
    assert (await lake.db.all("select count(*) from dropped"))[0][0] == fold.MOST + 1 + 1  # and the commit's own
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await shown(lake, repo, "main") == expected
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == expected


async def test_folding_takes_turns_and_loses_races(lake, repo, monkeypatch):
    for number in range(fold.MOST + 1):
        await link(lake, repo, "main", f"n{number}")
        _, branch = await resolve.branch(lake, repo, "main")
        await lake.db.apply(refs.seal(branch.id, 100 + number))
    _, branch = await resolve.branch(lake, repo, "main")
    scan = fold.changes.rows

    async def overtaken(*args, **options):
        await lake.db.apply(refs.drop_staging(branch, 77, now=lake.now))  # a reset by another process
        async for page in scan(*args, **options):
            yield page

    monkeypatch.setattr(fold.changes, "rows", overtaken)
    assert not await fold.fold(lake, repo, branch)
    assert await shown(lake, repo, "main") == {}
    assert not await fold.fold(lake, repo, branch)  # few are sealed now
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await lake.db.all("select token from dropped") == []


async def test_a_commit_whose_areas_are_folded_meanwhile_takes_them(lake, repo, monkeypatch):
    from lakehouse.versioning.commits import commit

    for number in range(fold.MOST):
        await link(lake, repo, "main", f"n{number}")
        _, branch = await resolve.branch(lake, repo, "main")
        await lake.db.apply(refs.seal(branch.id, 100 + number))
    await link(lake, repo, "main", "last")
    compared, done = commit.compared, []

    async def while_another_process_folds(*args, **options):
        found = await compared(*args, **options)
        if not done:
            done.append(True)
            _, seen = await resolve.branch(lake, repo, "main")
            assert await fold._fold(lake, seen)
        return found

    monkeypatch.setattr(commit, "compared", while_another_process_folds)
    await commit_all(lake, repo, "main")
    assert done
    assert len(await shown(lake, repo, "main@")) == fold.MOST + 1
    assert await changes(lake, repo, "main") == {}


# -- atomic batches ----------------------------------------------------------------------------------------------------


async def open_with(lake, repo, count, *, atomic=True, token=False, monkeypatch=None):
    paths = [parse_path(f"p/{number:03}") for number in range(count)]
    where = [one async for page in await staging.get_physical_addresses(lake, repo, "main", paths) for _, one in page]
    batch = await batches.open_batch(lake, repo, "main", atomic=atomic)
    links = [
        staging.Link(
            path=path, physical_address=at.physical_address, checksum="b", size=1, token=at.token if token else None
        )
        for path, at in zip(paths, where, strict=True)
    ]
    return batch, links


@pytest.fixture
def short_runs(monkeypatch):
    """Whatever is more than two links goes under private tokens, in runs of five, in pages of three."""
    monkeypatch.setattr(batches, "PUBLISH_ABOVE", 2)
    monkeypatch.setattr(batches, "HELD", 5)
    monkeypatch.setattr(staged_pages, "PATHS", 3)


async def left_over(lake):
    tables = ("staged", "staged_pages", "dropped")
    return [row for table in tables for row in await lake.db.all(f"select token from {table}")]


async def test_an_abandoned_batch_is_swept(lake, repo, short_runs):
    batch, links = await open_with(lake, repo, 8)
    for at in (0, 3, 6):
        await batch.add(by_column(links[at : at + 3]))
    await batch.abandon()
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await left_over(lake) == []


async def test_a_batch_whose_client_is_gone_is_swept_later(lake, repo, short_runs):
    batch, links = await open_with(lake, repo, 5)
    await batch.add(by_column(links[:3]))
    await batch.add(by_column(links[3:]))
    await batch.add(by_column(links[:1]))
    await batch._stored()
    lake.clock.now += lake.address_validity - 10
    await sweeping.sweep(lake)
    assert len(await left_over(lake)) == 3  # the reserved token, and two pages
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await left_over(lake) == []
    assert await error_of(batch.finish()) is LinkAddressExpired
    assert await shown(lake, repo, "main") == {}


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_staged_in_pages_is_read_as_rows_are(lake, repo, short_runs, seed):
    """Batches in any order, single writes between them, tombstones over them, a fold: always what a dict shows."""
    random = Random(seed)
    model: dict[str, str] = {}
    names_of_all = [f"p/{number:02}" for number in range(40)]
    for turn in range(8):
        wanted = random.choices(names_of_all, k=random.choice([1, 4, 9, 23]))
        if seed % 2:
            wanted.sort()
        batch = await batches.open_batch(lake, repo, "main", atomic=True)
        for at in range(0, len(wanted), 4):
            names = [parse_path(name) for name in wanted[at : at + 4]]
            pages = await staging.get_physical_addresses(lake, repo, "main", names)
            found = [one async for page in pages for one in page]
            links = [
                staging.Link(path=path, physical_address=where.physical_address, checksum=f"{turn}.{at}", size=1)
                for path, where in found
            ]
            await batch.add(by_column(links))
            model |= {path.decode(): f"{turn}.{at}" for path, _ in found}
        await batch.finish()
        if turn % 2:
            name = random.choice(names_of_all)
            await link(lake, repo, "main", name, "single")
            model[name] = "single"
        gone = random.choice(sorted(model))
        await objects.delete_object(lake, repo, "main", parse_path(gone))
        del model[gone]
        assert await shown(lake, repo, "main") == model
        for name in random.sample(names_of_all, 10):
            entry = (await lookup.at_ref(lake, repo, "main", parse_path(name))).packed
            assert (entry and unpack(entry).checksum) == model.get(name)
        start = random.choice(names_of_all)
        _, branch = await resolve.branch(lake, repo, "main")
        tokens = (branch.staging_token, *branch.sealed)
        within = await rows.any_within(lake.db, tokens, start=start.encode(), end=f"{start}~".encode())
        assert within or start not in model
        if turn == 5:
            await fold.fold(lake, repo, branch)
            assert len(await sealed_of(lake, repo)) <= fold.MOST
            assert await shown(lake, repo, "main") == model
    await commit_all(lake, repo, "main")
    assert await shown(lake, repo, "main@") == model
    lake.clock.now += 700
    await sweeping.sweep(lake)
    assert await left_over(lake) == []


async def test_pages_of_any_length_are_read_once(lake):
    """A fold writes pages as short as they come: then one look at the table is not enough."""
    random = Random(2)
    paths = [b"p/%05d" % number for number in range(3000)]
    at = 0
    while at < len(paths):
        size = random.choice([1, 2, 7, 130, 300])
        await lake.db.apply(*staged_pages.put(9, [(path, b"v") for path in paths[at : at + size]]))
        at += size
    assert [row[0] async for page in rows.scan(lake.db, 9) for row in page] == paths
    for _ in range(50):
        start, end = sorted(random.sample(range(len(paths)), 2))
        limit = random.choice([1, 5, 400, 1000, 2500])
        found = await staged_pages.page(lake.db, 9, start=paths[start] + b"!", end=paths[end], limit=limit)
        assert [path for path, _ in found] == paths[start + 1 : end][:limit]
        held = await staged_pages.values(lake.db, [8, 9], paths[start])
        assert held == {9: b"v"}
        assert await staged_pages.values(lake.db, [8, 9], paths[start] + b"!") == {}


async def test_large_entries_are_held_and_staged_by_their_bytes(lake, repo, short_runs, monkeypatch):
    monkeypatch.setattr(batches, "HELD", 1000)
    monkeypatch.setattr(batches, "HELD_BYTES", 4000)
    monkeypatch.setattr(staged_pages, "BYTES", 2000)
    batch, links = await open_with(lake, repo, 12)
    large = [msgspec.structs.replace(link, metadata={"k": "v" * 900}) for link in links]
    for at in range(0, 12, 2):
        await batch.add(by_column(large[at : at + 2]))
    await batch.finish()
    [(pages,)] = await lake.db.all("select count(*) from staged_pages where paths <= 2")
    assert pages >= 6
    assert len(await sealed_of(lake, repo)) == 1
    assert len(await shown(lake, repo, "main")) == 12


async def test_a_batch_in_order_needs_one_token(lake, repo, short_runs):
    batch, links = await open_with(lake, repo, 20)
    for at in range(0, 20, 4):
        await batch.add(by_column(links[at : at + 4]))
    await batch.finish()
    assert len(await sealed_of(lake, repo)) == 1
    assert len(await shown(lake, repo, "main")) == 20


async def test_abandoning_what_was_published_loses_nothing(lake, repo, monkeypatch):
    """The answer to the last transaction was lost, so the caller gives up what is on the branch already."""
    monkeypatch.setattr(batches, "PUBLISH_ABOVE", 2)
    batch, links = await open_with(lake, repo, 5)
    await batch.add(by_column(links))
    await batch.finish()
    await batch.abandon()
    lake.clock.now += 90_000
    await sweeping.sweep(lake)
    assert len(await shown(lake, repo, "main")) == 5


async def test_a_batch_on_a_clean_branch_seals_no_empty_area(lake, repo, monkeypatch):
    monkeypatch.setattr(batches, "PUBLISH_ABOVE", 2)
    for number in range(2):
        batch, links = await open_with(lake, repo, 3)
        await batch.add(by_column(links))
        await batch.finish()
        assert len(await sealed_of(lake, repo)) == number + 1
    await link(lake, repo, "main", "p/000", "newer")
    assert (await shown(lake, repo, "main"))["p/000"] == "newer"


@pytest.mark.parametrize("above", [2, 1000])
async def test_a_batch_with_stale_tokens(lake, repo, monkeypatch, above):
    monkeypatch.setattr(batches, "PUBLISH_ABOVE", above)
    batch, links = await open_with(lake, repo, 5, token=True)
    await batch.add(by_column(links))
    await commit_all(lake, repo, "main", allow_empty=True)
    with pytest.raises(StagingMoved) as moved:
        await batch.finish()
    await batch.abandon()
    assert moved.value.location.token != links[0].token
    assert await shown(lake, repo, "main") == {}


async def test_items_with_stale_tokens_are_refused_one_by_one(lake, repo):
    batch, links = await open_with(lake, repo, 2, atomic=False, token=True)
    _, without = await open_with(lake, repo, 3, atomic=False)
    assert len(await batch.add(by_column(links[:1]))) == 1
    await commit_all(lake, repo, "main")
    stale, good = await batch.add(by_column([links[1], without[2]]))
    assert isinstance(stale, StagingMoved)
    assert stale.location.token != links[1].token
    assert good is None
    assert await changes(lake, repo, "main") == {"p/002": "added"}


# -- the sweeper -------------------------------------------------------------------------------------------------------


async def test_the_sweeper_waits_ten_minutes_and_takes_much_in_pieces(lake, repo, monkeypatch):
    monkeypatch.setattr(rows, "PAGE", 3)
    monkeypatch.setattr(rows, "DROPPED_AT_ONCE", 2)
    for turn in range(5):
        await put(lake, repo, "main", **{f"{turn}x{number}": "1" for number in range(4)})
        await commit_all(lake, repo, "main")
    await put(lake, repo, "main", kept="1")
    lake.clock.now += sweeping.KEPT - 1
    assert await sweeping.sweep(lake) == 0
    lake.clock.now += 2
    assert await sweeping.sweep(lake) == 5 * 4 + 5
    assert await lake.db.all("select count(*) from staged") == [(1,)]
    assert await lake.db.all("select count(*) from dropped") == [(0,)]
