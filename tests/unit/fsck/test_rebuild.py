# SPDX-License-Identifier: Apache-2.0
"""A repository from its storage alone: the same commits and trees, names as far as they were dumped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.core.errors import NotBare, NotFound
from lakehouse.fsck.check import check_lake
from lakehouse.fsck.rebuild import rebuild
from lakehouse.meta import refs
from lakehouse.objects.memory import MemoryStore
from lakehouse.versioning import resolve
from lakehouse.versioning.refs.branches import create_branch
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from lakehouse.versioning.refs.tags import create_tag
from lakehouse.versioning.work.dump import dump_refs
from tests.lakes import ANN, commit_all, open_lake, put, shown

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def lake(tmp_path: Path, store: MemoryStore) -> Any:
    """main: one, two; side: one, other."""
    lake = await open_lake(tmp_path / "before.sqlite", objects=store)
    await create_repository(lake, RepositoryRequest(name="repo"))
    await put(lake, "repo", "main", a="1", b="1")
    await commit_all(lake, "repo", "main", "one")
    await create_branch(lake, "repo", "side", source="main", actor=ANN)
    lake.clock.now += 10
    await put(lake, "repo", "side", c="other")
    await commit_all(lake, "repo", "side", "other")
    lake.clock.now += 10
    await put(lake, "repo", "main", b="2")
    await commit_all(lake, "repo", "main", "two")
    await lake.background.drain()
    yield lake
    await lake.db.close()


@pytest.fixture
async def empty(tmp_path: Path, store: MemoryStore) -> Any:
    lake = await open_lake(tmp_path / "after.sqlite", objects=store)
    yield lake
    await lake.background.drain()
    await lake.db.close()


async def namespace(lake: Any) -> str:
    return (await resolve.repository(lake, "repo")).storage_namespace


async def head(lake: Any, name: str, repository: str = "repo") -> str:
    return (await refs.find(lake.db, repository, name)).branch.commit_id


async def test_without_a_dump(lake: Any, empty: Any) -> None:
    side = await head(lake, "side")
    report = await rebuild(empty, "repo", await namespace(lake))
    assert (report.commits, report.branches, report.tags, report.damaged) == (4, ["main"], [], [])
    assert report.recovered == [f"recovered-{side[:12]}"]
    assert await head(empty, "main") == await head(lake, "main")
    assert await head(empty, report.recovered[0]) == side
    for before, after in (("main", "main"), ("side", report.recovered[0])):
        assert await shown(empty, "repo", after) == await shown(lake, "repo", before)
    with pytest.raises(NotBare):
        await rebuild(empty, "repo", await namespace(lake))
    await put(empty, "repo", "main", d="3")  # and it is a repository like any other
    await commit_all(empty, "repo", "main", "three")
    assert (await shown(empty, "repo", "main"))["d"] == "3"


async def test_with_a_dump(lake: Any, empty: Any) -> None:
    await create_tag(lake, "repo", "v1", ref="main", actor=ANN)
    await dump_refs(lake, "repo")
    dumped = await head(lake, "main")
    await put(lake, "repo", "main", later="4")
    await commit_all(lake, "repo", "main", "after the dump")
    await lake.background.drain()
    report = await rebuild(empty, "repo", await namespace(lake))
    assert (report.commits, report.branches, report.tags) == (5, ["main", "side"], ["v1"])
    assert await head(empty, "main") == dumped
    assert [await head(empty, name) for name in report.recovered] == [await head(lake, "main")]
    checked = await check_lake(empty)
    assert {problem.kind for problem in checked.problems} <= {"object_missing"}  # links of the test have no bytes


async def test_records_that_cannot_be_read(lake: Any, empty: Any, store: MemoryStore) -> None:
    place = lake.place(await resolve.repository(lake, "repo"))
    side = await head(lake, "side")
    await store.put(place.locate(f"_lakehouse/commits/{side}"), b"nonsense")
    report = await rebuild(empty, "repo", await namespace(lake))
    assert (report.commits, report.recovered) == (3, [])
    assert [side in message for message in report.damaged] == [True]


async def test_where_nothing_lies(empty: Any) -> None:
    root = empty.stores.default.root
    with pytest.raises(NotFound, match="no commit"):
        await rebuild(empty, "repo", f"{root}nothing/")
