# SPDX-License-Identifier: Apache-2.0
"""Old runs of hooks go: by age and by number, with their outputs, and nothing else does."""

from __future__ import annotations

import pytest

from lakehouse.actions.expiry import Kept, remove_old_runs
from lakehouse.core.ids import RepositoryId
from lakehouse.core.ordered_ids import descending_id
from lakehouse.meta import action_runs
from lakehouse.meta.action_runs import ActionRun, HookRun, HookStatus
from tests.lakes import Hands, open_lake

pytestmark = pytest.mark.anyio
DAY = 86_400


@pytest.fixture
async def lake(tmp_path):
    made = await open_lake(tmp_path / "metadata.sqlite", clock=Hands())
    yield made
    await made.db.close()


async def add(lake, repository: int, *, days_ago: float) -> str:
    """A run with one hook."""
    at = lake.clock() - days_ago * DAY
    run = ActionRun(descending_id(at), "pre-commit", "main", "", int(at * 1000), int(at * 1000), True)
    hook = HookRun("0000_0000", "a", "h", HookStatus.COMPLETED, run.started, run.ended)
    await lake.db.apply(*action_runs.insert(RepositoryId(repository), run, [(hook, b"said")]))
    return run.id


async def left(lake, repository: int) -> list[str]:
    """The runs that are there, each with its output."""
    found = await action_runs.page(lake.db, RepositoryId(repository), branch="", commit="", after="", limit=1000)
    ids = [one.id for one in found]
    rows = await lake.db.all("select run from hook_runs where repository = ? order by run", (repository,))
    assert [row[0] for row in rows] == ids
    return ids


async def test_by_age(lake) -> None:
    runs = [await add(lake, 1, days_ago=days) for days in (0, 89.9, 90.1, 400)]
    other = [await add(lake, 7, days_ago=days) for days in (1, 91)]
    assert await remove_old_runs(lake, Kept()) == 3
    assert await left(lake, 1) == runs[:2]
    assert await left(lake, 7) == other[:1]
    assert await remove_old_runs(lake, Kept()) == 0


async def test_by_number(lake) -> None:
    runs = [await add(lake, 1, days_ago=hours / 24) for hours in range(250)]
    other = [await add(lake, 2, days_ago=0)]
    assert await remove_old_runs(lake, Kept(most=3)) == 247
    assert await left(lake, 1) == runs[:3]
    assert await left(lake, 2) == other


async def test_without_limits_all_stay(lake) -> None:
    runs = [await add(lake, 1, days_ago=days) for days in (0, 4000)]
    assert await remove_old_runs(lake, Kept(seconds=0, most=0)) == 0
    assert await left(lake, 1) == runs
    assert await remove_old_runs(lake, Kept(seconds=0, most=1)) == 1
