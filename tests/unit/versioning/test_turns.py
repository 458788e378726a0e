# SPDX-License-Identifier: Apache-2.0
"""Turns among processes: whoever would only lose a race waits; nobody waits for the dead; what lost repeats little."""

from __future__ import annotations

import asyncio

import pytest

from lakehouse.core.errors import DatabaseUnavailable
from lakehouse.core.paths import parse_path
from lakehouse.meta import leases
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import change_list, commit, compact, merge, pick, reset, train
from lakehouse.versioning.objects import objects
from lakehouse.versioning.refs import branches
from lakehouse.versioning.state import turns
from lakehouse.versioning.state.turns import Turns
from tests.lakes import ANN, changes, commit_all, lake_on, link, open_lake, put, shown

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(metadata, lake):
    """A second process: its own connection and turns, on the same database and store."""
    second = await open_lake(metadata, objects=lake.stores.default.objects, clock=lake.clock)
    yield second
    await second.background.drain()
    await second.db.close()


@pytest.fixture
def hasty(other):
    """A second process that waits for nobody."""
    return lake_on(other.db, other.stores.default.objects, other.clock, turns=Turns(patience=0.0))


@pytest.fixture
async def side(lake, repo):
    """A branch that has a commit to merge."""
    await branches.create_branch(lake, repo, "side", source="main", actor=ANN)
    await put(lake, repo, "side", s="s1")
    await commit_all(lake, repo, "side")
    return "side"


def merging(lake, repo, side):
    return merge.merge_into_branch(lake, repo, side, "main", merge.MergeRequest(), ANN)


async def waiting(task, db):
    """Whether it has looked at the lease several times and is not done."""
    looked = 0
    one = db.one

    async def counting(sql, params=()):
        nonlocal looked
        looked += "from leases" in sql
        return await one(sql, params)

    db.one = counting
    try:
        while looked < 3 and not task.done():
            await asyncio.sleep(0)
    finally:
        del db.one
    return not task.done()


async def held(lake):
    return await lake.db.all("select owner, until from leases")


async def test_a_merge_waits_for_anothers_commit(lake, repo, other, side, monkeypatch):
    """What the commit has sealed is not uncommitted work that somebody forgot."""
    await put(lake, repo, "main", a="a1")
    compared, sealed, on = commit.compared, asyncio.Event(), asyncio.Event()

    async def slowly(*args):
        sealed.set()
        await on.wait()
        return await compared(*args)

    monkeypatch.setattr(commit, "compared", slowly)
    committing = asyncio.create_task(commit_all(lake, repo, "main"))
    await sealed.wait()
    assert len(await held(lake)) == 1
    merged = asyncio.create_task(merging(other, repo, side))
    assert await waiting(merged, other.db)
    on.set()
    await asyncio.gather(committing, merged)
    assert await shown(lake, repo, "main@") == {"a": "a1", "s": "s1"}
    assert await held(lake) == []


async def test_a_merge_that_began_before_the_seal_waits_too(lake, repo, other, side, monkeypatch):
    """It has its turn, then finds rows that another process is committing."""
    await put(lake, repo, "main", a="a1")
    dirty, sealed = train.is_dirty, []

    async def while_another_seals(*args):
        if not sealed:
            sealed.append(turns.Turn(other.db, f"branch/{args[2].id}", other.turns.owner, other.clock, 1))
            await commit.seal(other, args[1], args[2], sealed[0])
        return await dirty(*args)

    monkeypatch.setattr(train, "is_dirty", while_another_seals)
    merged = asyncio.create_task(merging(lake, repo, side))
    assert await waiting(merged, lake.db)
    await commit_all(other, repo, "main")
    await sealed[0].end()
    await merged
    assert await shown(lake, repo, "main@") == {"a": "a1", "s": "s1"}


async def test_nobody_waits_for_the_dead(lake, repo, side):
    await put(lake, repo, "main", a="a1")
    _, branch = await resolve.branch(lake, repo, "main")
    now = int(lake.clock())
    await lake.db.apply(leases.claim(f"branch/{branch.id}", "dead", now=now, until=now + turns.LEASE))
    impatient = lake_on(lake.db, lake.stores.default.objects, lake.clock, turns=Turns(patience=0.0))
    await commit_all(impatient, repo, "main")
    assert [owner for owner, _ in await held(lake)] == ["dead"]
    lake.clock.now += turns.LEASE + 1
    await merging(lake, repo, side)  # it ran out
    await put(lake, repo, "main", a="a2")
    await commit_all(lake, repo, "main")
    assert await held(lake) == []
    assert await shown(lake, repo, "main@") == {"a": "a2", "s": "s1"}


async def test_a_lease_that_grows_is_waited_for(lake, repo, side):
    """However long it takes, as long as there is a sign of life."""
    _, branch = await resolve.branch(lake, repo, "main")
    name, now = f"branch/{branch.id}", int(lake.clock())
    patient = lake_on(lake.db, lake.stores.default.objects, lake.clock, turns=Turns(patience=0.2))
    await lake.db.apply(leases.claim(name, "busy", now=now, until=now + 1))
    merged = asyncio.create_task(merging(patient, repo, side))
    for second in range(2, 5):
        assert await waiting(merged, lake.db)
        await lake.db.apply(leases.claim(name, "busy", now=now, until=now + second))
    await lake.db.apply(leases.release(name, "busy"))
    await merged


async def test_a_holder_gives_signs_of_life(lake, repo, monkeypatch):
    monkeypatch.setattr(turns, "LEASE", 0)
    turn = turns.Turn(lake.db, "name", "me", lake.clock, 1)
    await lake.db.apply(turn.claim())
    [(_, before)] = await held(lake)
    lake.clock.now += 100
    while (await held(lake))[0][1] == before:
        await asyncio.sleep(0)
    await turn.end()
    assert await held(lake) == []


async def test_only_one_holds_a_lease(lake):
    for owner, now in (("one", 10), ("other", 11), ("one", 12)):
        await lake.db.apply(leases.claim("name", owner, now=now, until=now + 5))
    assert await leases.holder(lake.db, "name", now=17) == ("one", 17)
    assert await leases.holder(lake.db, "name", now=18) is None
    await lake.db.apply(leases.release("name", "other"))
    await lake.db.apply(leases.claim("name", "other", now=18, until=20))
    assert await leases.holder(lake.db, "name", now=18) == ("other", 20)


async def test_a_lease_that_cannot_be_given_back_runs_out(lake, repo, monkeypatch, caplog):
    turn = turns.Turn(lake.db, "name", "me", lake.clock, 1)
    await lake.db.apply(turn.claim())

    async def no_database(*statements):
        raise DatabaseUnavailable

    monkeypatch.setattr(lake.db, "apply", no_database, raising=False)
    await turn.end()
    monkeypatch.undo()
    assert "runs out" in caplog.text
    assert await leases.holder(lake.db, "name", now=int(lake.clock()) + turns.LEASE + 1) is None


def overtaken(monkeypatch, module, times, beside):
    """Another process is faster: `beside` runs before each of the first `times` landings."""
    land, done = module.land, []

    async def then(*args, **options):
        if len(done) < times:
            done.append(True)
            await beside(len(done))
        return await land(*args, **options)

    monkeypatch.setattr(module, "land", then)
    return done


def counted(monkeypatch):
    """How often the source's differences are searched for."""
    search, searched = change_list.source_changes, []

    def counting(*args, **options):
        searched.append(args)
        return search(*args, **options)

    monkeypatch.setattr(change_list, "source_changes", counting)
    return searched


@pytest.mark.usefixtures("side")
@pytest.mark.parametrize(("picks", "kept"), [(False, 100), (False, 0), (True, 100)])
async def test_what_lost_a_race_repeats_its_changes_only(lake, repo, hasty, monkeypatch, picks, kept):
    monkeypatch.setattr(change_list, "MOST", kept)

    async def another_commit(number):
        with monkeypatch.context() as alone:
            alone.setattr(train, "land", commit.land)
            await link(hasty, repo, "main", f"o{number}")
            await commit_all(hasty, repo, "main")

    done = overtaken(monkeypatch, train, 3, another_commit)
    searched = counted(monkeypatch)
    if picks:
        await pick.cherry_pick(lake, repo, "main", ref="side", parent_number=None, actor=ANN)
    else:
        await merging(lake, repo, "side")
    assert len(done) == 3
    assert len(searched) == (1 if kept else 4)
    assert await shown(lake, repo, "main@") == {"o1": "c1", "o2": "c1", "o3": "c1", "s": "s1"}
    assert await held(lake) == []


async def test_what_lost_a_race_meets_the_winners_conflict(lake, repo, other, side, monkeypatch):
    """Decided on the new head, as if it had come after the winner."""
    from lakehouse.core.errors import MergeConflict

    async def another_commit(_):
        with monkeypatch.context() as alone:
            alone.setattr(train, "land", commit.land)
            await put(other, repo, "main", s="other")
            await commit_all(other, repo, "main")

    overtaken(monkeypatch, train, 1, another_commit)
    with pytest.raises(MergeConflict):
        await merging(lake, repo, side)
    assert await shown(lake, repo, "main") == {"s": "other"}


async def test_a_commit_that_lost_a_race_runs_again(lake, repo, other, monkeypatch):
    await put(lake, repo, "main", a="a1")

    async def another_head(_):
        with monkeypatch.context() as alone:
            alone.setattr(turns, "_FIRST_LOOK", 0.0)
            _, branch = await resolve.branch(other, repo, "main")
            _, made = await resolve.commit(other, repo, "moved")
            await other.db.apply(compact.refs.move_head(branch, head=made.id, taken=(), leaves_staging=False, now=1))

    await branches.create_branch(lake, repo, "moved", source="main", actor=ANN)
    await put(lake, repo, "moved", m="m1")
    await commit_all(lake, repo, "moved")
    done = overtaken(monkeypatch, commit, 1, another_head)
    await commit_all(lake, repo, "main")
    assert done
    assert await shown(lake, repo, "main@") == {"a": "a1", "m": "m1"}
    assert await held(lake) == []


async def test_a_hard_reset_that_lost_a_race_runs_again(lake, repo, other, side, monkeypatch):
    rebased, done = reset.rebased, []

    async def while_another_commits(*args):
        if not done:
            done.append(True)
            await put(other, repo, "main", a="a1")
            await commit_all(other, repo, "main")
        return await rebased(*args)

    monkeypatch.setattr(reset, "rebased", while_another_commits)
    await reset.hard_reset_branch(lake, repo, "main", ref=side, actor=ANN)
    assert await shown(lake, repo, "main") == {"s": "s1"}
    assert await changes(lake, repo, "main") == {}
    assert await held(lake) == []


async def test_rows_without_effect_hinder_no_merge_and_leave_with_it(lake, repo, side):
    await objects.delete_object(lake, repo, "main", parse_path("s"))
    await merging(lake, repo, side)
    assert await shown(lake, repo, "main") == {"s": "s1"}
    assert await held(lake) == []


async def test_who_holds_a_turn_hears_that_others_wait(lake, repo) -> None:
    branch = (await resolve.branch(lake, repo, "main"))[1].id
    async with lake.turn(branch):
        assert not lake.turns.wanted(branch)
        put_off = asyncio.create_task(compact.compact(lake, repo, (await resolve.branch(lake, repo, "main"))[1]))
        await asyncio.sleep(0)
        assert lake.turns.wanted(branch)
    await put_off
    assert not lake.turns.wanted(branch)
