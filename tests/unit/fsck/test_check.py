# SPDX-License-Identifier: Apache-2.0
"""A lake with one thing wrong at a time: it is told, with the refs that need it, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import pytest

from lakehouse.core.paths import parse_path
from lakehouse.db.statement import Statement
from lakehouse.format.header import unwrap, wrap
from lakehouse.fsck.check import Options, check_lake
from lakehouse.fsck.report import Kind
from lakehouse.meta import refs
from lakehouse.objects.local import open_local_store
from lakehouse.objects.local_file import MAGIC
from lakehouse.objects.port import Location
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import objects, staging
from lakehouse.versioning.refs.branches import create_branch
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, Hands, commit_all, open_lake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lakehouse.versioning.lake import Lake

pytestmark = pytest.mark.anyio
SMALL = Options(held=5)
"""So few in memory that everything goes through temporary files."""


@pytest.fixture
async def lake(tmp_path: Path) -> Any:
    """Two commits on main, a branch from the first, an uncommitted object on main; and an empty repository."""
    clock = Hands()
    store = await open_local_store(tmp_path / "objects", clock=clock)
    lake = await open_lake(tmp_path / "db.sqlite", objects=store, clock=clock)
    await create_repository(lake, RepositoryRequest(name="empty"))
    await create_repository(lake, RepositoryRequest(name="repo"))
    for number in range(20):
        await put(lake, f"first/{number:03}", f"body {number}".encode())
    await commit_all(lake, "repo", "main", "one")
    await create_branch(lake, "repo", "side", source="main", actor=ANN)
    await put(lake, "second", b"second body")
    await commit_all(lake, "repo", "main", "two")
    await put(lake, "staged", b"staged body")
    await lake.background.drain()
    clock.now += 3600
    yield lake
    await lake.background.drain()
    await store.close()
    await lake.db.close()


async def put(lake: Lake, path: str, body: bytes, branch: str = "main") -> None:
    await objects.upload_object(lake, "repo", branch, objects.Upload(parse_path(path)), body)


async def entry(lake: Lake, path: str, ref: str = "main") -> Any:
    return (await objects.stat_object(lake, "repo", ref, parse_path(path))).entry


async def place(lake: Lake) -> Any:
    return lake.place(await resolve.repository(lake, "repo"))


async def remove(lake: Lake, relative: str) -> None:
    found = await place(lake)
    await found.store.objects.delete([found.locate(relative)])


async def test_a_sound_lake(lake: Lake) -> None:
    report = await check_lake(lake, options=Options(read=True, held=5))
    assert (report.problems, report.whole) == ([], True)
    assert (report.repositories, report.refs, report.commits) == (2, 3, 4)
    assert (report.objects, report.staged) == (22, 1)
    assert report.bytes_read > 22 * 6
    assert report.nodes >= 2


async def test_an_object_that_is_missing(lake: Lake) -> None:
    found = await entry(lake, "first/007")
    await remove(lake, found.address)
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert problem.kind is Kind.OBJECT_MISSING
    assert problem.key == found.address
    assert sorted(problem.refs) == ["main: first/007", "side: first/007"]
    assert "restore this key" in problem.repair


async def test_only_the_refs_that_need_it_are_named(lake: Lake) -> None:
    await remove(lake, (await entry(lake, "second")).address)
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert problem.refs == ["main: second"]


async def test_an_uncommitted_object_that_is_missing(lake: Lake) -> None:
    await remove(lake, (await entry(lake, "staged")).address)
    report = await check_lake(lake, ["repo"], SMALL)
    assert [(one.kind, one.refs) for one in report.problems] == [(Kind.OBJECT_MISSING, ["main: staged"])]
    assert not report.whole


async def test_an_object_of_another_size(lake: Lake) -> None:
    found, where = await entry(lake, "second"), await place(lake)
    await where.store.objects.put(where.locate(found.address), b"shorter")
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert (problem.kind, problem.refs) == (Kind.OBJECT_SIZE, ["main: second"])
    assert "has 7 bytes, 11 are needed" in problem.message


async def test_other_bytes_are_seen_when_they_are_read(lake: Lake) -> None:
    found, where = await entry(lake, "second"), await place(lake)
    await where.store.objects.put(where.locate(found.address), b"SECOND body")
    assert (await check_lake(lake, ["repo"], SMALL)).whole
    [problem] = (await check_lake(lake, ["repo"], Options(read=True, held=5))).problems
    assert (problem.kind, problem.refs) == (Kind.OBJECT_DAMAGED, ["main: second"])


async def files_of(tmp_path: Path, content: bytes) -> list[Path]:
    return [
        path
        for path in (tmp_path / "objects" / "objects").rglob("*")
        if path.is_file() and content in path.read_bytes()
    ]


@pytest.mark.parametrize("how", ["gone", "cut short"])
async def test_a_file_that_is_lost_behind_the_index(lake: Lake, tmp_path: Path, how: str) -> None:
    await put(lake, "large", b"large body" * 20_000)
    await commit_all(lake, "repo", "main", "three")
    [path] = await files_of(tmp_path, b"large body")
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert (problem.kind, problem.refs) == (Kind.OBJECT_MISSING, ["main: large"])
    assert path.name in problem.message


async def test_a_record_that_is_lost_behind_the_index(lake: Lake, tmp_path: Path) -> None:
    [path] = await files_of(tmp_path, b"body 19")
    data = path.read_bytes()
    begin = data.rindex(MAGIC, 0, data.index(b"body 19"))
    path.write_bytes(data[:begin] + bytes(80) + data[begin + 80 :])
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert problem.kind is Kind.OBJECT_MISSING
    assert f"is not in the segment {path.name}" in problem.message


async def root_of(lake: Lake, branch: str) -> str:
    found = await refs.find(lake.db, "repo", branch)
    assert found.branch is not None
    return found.branch.root


async def test_a_node_that_is_missing(lake: Lake) -> None:
    root = await root_of(lake, "side")
    await remove(lake, f"_lakehouse/nodes/{root[:2]}/{root}")
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert problem.kind is Kind.NODE_MISSING
    assert root in problem.message
    assert problem.key.endswith(root)
    assert "side" in problem.refs


def flipped(body: bytes) -> bytes:
    """A node with the last bit the other way round."""
    return body[:-1] + bytes([body[-1] ^ 1])


def forged(body: bytes) -> bytes:
    """A node with a block of another one, and all else as it should be."""
    header, body = unwrap(body, name="")
    directory, [_] = msgpack.unpackb(body)
    body = msgpack.packb([directory, [b"another block"]])
    return wrap(body, level=header.level, table=header.table, length=header.length, codec=header.codec)


@pytest.mark.parametrize("damage", [flipped, forged])
async def test_a_node_that_is_damaged(lake: Lake, damage: Callable[[bytes], bytes]) -> None:
    root, where = await root_of(lake, "side"), await place(lake)
    location = where.locate(f"_lakehouse/nodes/{root[:2]}/{root}")
    body = await (await where.store.objects.get(location)).read()
    await where.store.objects.put(location, damage(body))
    report = await check_lake(lake, ["repo"], SMALL)
    [problem] = report.problems
    assert problem.kind is Kind.NODE_DAMAGED
    assert "side" in problem.refs
    assert report.objects > 0  # the rest is looked at all the same


async def test_a_ref_without_commit_and_a_commit_without_parent(lake: Lake) -> None:
    side = await refs.find(lake.db, "repo", "side")
    await lake.db.apply(Statement("delete from commits where id = ?", (side.branch.commit_id,)))
    report = await check_lake(lake, ["repo"], SMALL)
    kinds = {one.kind: one for one in report.problems}
    assert set(kinds) == {Kind.REF_WITHOUT_COMMIT, Kind.COMMIT_WITHOUT_PARENT}
    assert kinds[Kind.REF_WITHOUT_COMMIT].refs == ["side"]


async def test_a_commit_whose_fields_were_changed(lake: Lake) -> None:
    main = await refs.find(lake.db, "repo", "main")
    await lake.db.apply(Statement("update commits set message = 'forged' where id = ?", (main.branch.commit_id,)))
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert problem.kind is Kind.COMMIT_DAMAGED
    assert main.branch.commit_id in problem.message


async def test_a_commit_without_its_record(lake: Lake) -> None:
    main = await refs.find(lake.db, "repo", "main")
    await remove(lake, f"_lakehouse/commits/{main.branch.commit_id}")
    report = await check_lake(lake, ["repo"], SMALL)
    assert [one.kind for one in report.problems] == [Kind.RECORD_MISSING]
    assert report.whole  # a warning


async def test_rows_that_are_nobodys(lake: Lake) -> None:
    await lake.db.apply(
        Statement("insert into staged(token, path, value) values (?, ?, ?)", (4711, b"p", b"")),
        Statement("insert into staged_pages(token, first, paths, body) values (?, ?, ?, ?)", (4712, b"p", 1, b"x")),
        Statement("insert into settings(repository, key, value, etag) values (?, ?, ?, ?)", (99, "k", "v", "e")),
    )
    report = await check_lake(lake, options=SMALL)
    assert sorted(one.kind for one in report.problems) == [Kind.DANGLING_ROW] + 2 * [Kind.STAGED_LEFT_BEHIND]
    assert report.whole


async def test_staged_rows_that_cannot_be_read(lake: Lake) -> None:
    await lake.db.apply(Statement("update staged set value = ? where path = ?", (b"\xc1", b"staged")))
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert (problem.kind, problem.refs) == (Kind.STAGED_DAMAGED, ["main"])


async def test_two_branches_with_one_staging_area(lake: Lake) -> None:
    main = await refs.find(lake.db, "repo", "main")
    await lake.db.apply(
        Statement("update refs set staging_token = ? where name = 'side'", (main.branch.staging_token,))
    )
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert (problem.kind, sorted(problem.refs)) == (Kind.TOKEN_SHARED, ["main", "side"])


async def test_objects_elsewhere(lake: Lake) -> None:
    where = await place(lake)
    await where.store.objects.put(Location("lake.local", "outside/x"), b"abc")
    link = staging.Link(path=parse_path("ext"), physical_address="s3://lake.local/outside/x", checksum="c", size=3)
    await staging.stage_object(lake, "repo", "main", link)
    report = await check_lake(lake, ["repo"], SMALL)
    assert (report.problems, report.external) == ([], 1)
    await where.store.objects.delete([Location("lake.local", "outside/x")])
    [problem] = (await check_lake(lake, ["repo"], SMALL)).problems
    assert (problem.kind, problem.refs) == (Kind.OBJECT_MISSING, ["main: ext"])
