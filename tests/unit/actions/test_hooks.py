# SPDX-License-Identifier: Apache-2.0
"""Hooks on a lake: asked once however often an operation is tried, and nothing to pay where there are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from lakehouse.actions import runs
from lakehouse.actions.hooks import FileHooks
from lakehouse.actions.runner import Runner
from lakehouse.core.errors import HookFailed, InvalidAction, LostRace, Unavailable
from lakehouse.core.paths import parse_path
from lakehouse.meta import staging
from lakehouse.tree import lookup
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit, merge, train
from lakehouse.versioning.objects import writing
from lakehouse.versioning.refs import branches
from lakehouse.versioning.refs.repositories import RepositoryRequest, create_repository
from tests.lakes import ANN, Hands, commit_all, error_of, open_lake, put

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio
URL = "http://hooks.example/{{ ENV.TOKEN }}"


class Outside:
    """Answers everything, or nothing, and keeps what it was sent."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.urls: list[str] = []
        self.reachable = True

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> tuple[int, bytes]:
        self.told.append(json.loads(body))
        self.urls.append(url)
        if not self.reachable:
            raise Unavailable(f"{url} cannot be reached")
        return 200, b"x" * 100_000

    def events(self) -> list[str]:
        return [one["event_type"] for one in self.told]


@pytest.fixture
def outside():
    return Outside()


@pytest.fixture
async def lake(tmp_path, outside):
    plain = await open_lake(tmp_path / "metadata.sqlite", clock=Hands())
    runner = Runner(outside, environment={"TOKEN": "secret"}, clock=plain.clock)
    yield msgspec.structs.replace(plain, hooks=FileHooks(plain, runner))
    await plain.background.drain()
    await plain.db.close()


@pytest.fixture
async def repo(lake):
    await create_repository(lake, RepositoryRequest(name="lakes"))
    return "lakes"


async def install(lake, repo, *events, name="a.yaml"):
    """Stage a hook file on main."""
    hook = {"id": "h1", "type": "webhook", "properties": {"url": URL}}
    text = json.dumps({"name": "test", "on": dict.fromkeys(events), "hooks": [hook]}).encode()
    place = await writing.target(lake, repo, "main", parse_path(f"_lakefs_actions/{name}"))
    await writing.write(lake, place, text, size=len(text), content_type="", metadata={})


@pytest.fixture
def losing(monkeypatch):
    """The first try to land loses a race, after `meanwhile`."""
    land, tries = commit.land, []
    hooks: dict[str, Any] = {}

    async def once(*args, **options):
        tries.append(1)
        if len(tries) == 1:
            if "meanwhile" in hooks:
                await hooks["meanwhile"]()
            raise LostRace
        await land(*args, **options)

    monkeypatch.setattr(commit, "land", once)
    monkeypatch.setattr(train, "land", once)
    return hooks


async def test_a_commit_that_lost_a_race_asks_once(lake, repo, outside, losing) -> None:
    await install(lake, repo, "prepare-commit", "pre-commit", "post-commit")
    made = await commit_all(lake, repo, "main")
    await lake.background.drain()
    assert outside.events() == ["prepare-commit", "pre-commit", "post-commit"]
    page = await runs.list_repository_runs(lake, repo, branch="", commit=made.id, after="", amount=10)
    assert sorted(run.event for run in page.items) == sorted(outside.events())


async def test_but_asks_files_that_came_meanwhile(lake, repo, outside, losing) -> None:
    await install(lake, repo, "pre-commit")

    async def meanwhile() -> None:
        await lake.db.apply(
            staging.put_many_under((await resolve.branch(lake, repo, "main"))[1].sealed[0], [await row()])[0]
        )

    async def row() -> tuple[bytes, bytes]:
        await install(lake, repo, "pre-commit", name="b.yaml")
        _, branch = await resolve.branch(lake, repo, "main")
        [found] = await staging.page(lake.db, branch.staging_token, start=b"", end=None, limit=2)
        return found

    losing["meanwhile"] = meanwhile
    await commit_all(lake, repo, "main")
    assert outside.events() == ["pre-commit", "pre-commit"]


async def test_a_merge_that_lost_a_race_asks_once(lake, repo, outside, monkeypatch, request) -> None:
    await install(lake, repo, "pre-merge", "post-merge")
    await commit_all(lake, repo, "main")
    await branches.create_branch(lake, repo, "dev", source="main", actor=ANN)
    await put(lake, repo, "dev", a="1")
    await commit_all(lake, repo, "dev")
    request.getfixturevalue("losing")
    made = await merge.merge_into_branch(lake, repo, "dev", "main", merge.MergeRequest(), ANN)
    await lake.background.drain()
    assert [(one["event_type"], one["commit_id"]) for one in outside.told] == [
        ("pre-merge", made.commit.id),
        ("post-merge", made.commit.id),
    ]


async def test_what_the_environment_filled_in_is_sent_and_never_shown(lake, repo, outside) -> None:
    await install(lake, repo, "pre-commit")
    outside.reachable = False
    with pytest.raises(HookFailed, match="the URL cannot be reached") as failure:
        await commit_all(lake, repo, "main")
    assert outside.urls == ["http://hooks.example/secret"]
    page = await runs.list_repository_runs(lake, repo, branch="", commit="", after="", amount=10)
    output = await runs.get_run_hook_output(lake, repo, page.items[0].id, "0000_0000")
    assert "secret" not in failure.value.message + output.decode()
    assert URL in output.decode()
    outside.reachable = True
    await commit_all(lake, repo, "main")
    page = await runs.list_repository_runs(lake, repo, branch="", commit="", after="", amount=10)
    sizes = [len(await runs.get_run_hook_output(lake, repo, run.id, "0000_0000")) for run in page.items]
    assert 30_000 < max(sizes) < 65_536


async def test_without_hook_files_no_tree_is_looked_into(lake, repo, outside, monkeypatch) -> None:
    await put(lake, repo, "main", a="1")
    await commit_all(lake, repo, "main")
    looked: list[object] = []

    async def counting(*args, **options):
        looked.append(args)
        return await lookup.scan(*args, **options)

    monkeypatch.setattr("lakehouse.actions.files.scan", counting)
    for name in ("dev", "dev2"):
        await branches.create_branch(lake, repo, name, source="main", actor=ANN)
        await put(lake, repo, name, b=name)
        await commit_all(lake, repo, name)
    await merge.merge_into_branch(lake, repo, "dev", "main", merge.MergeRequest(), ANN)
    await put(lake, repo, "main", c="1")
    await commit_all(lake, repo, "main")
    assert looked == []


async def test_a_missing_object_behind_a_hook_file_stops_the_commit(lake, repo) -> None:
    await put(lake, repo, "main", _lakefs_actions__a="c")
    error = await error_of(commit.commit(lake, repo, "main", commit.CommitRequest("m"), ANN))
    assert error is InvalidAction
