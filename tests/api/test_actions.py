# SPDX-License-Identifier: Apache-2.0
"""Hooks over REST: who is asked, who is told, and what a no does."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.versioning.state.events import Event
from tests.api.conftest import KEY, SECRET, Hands, Repo, make, refused, started
from tests.api.people import allow, as_user, make_user
from tests.webhooks import webhook_target

if TYPE_CHECKING:
    from tests.webhooks import Asked

pytestmark = pytest.mark.anyio
ALL = [event.value for event in Event]


@pytest.fixture
async def target():
    async with webhook_target() as made:
        yield made


def action(*events: str, name: str = "Test action", **properties: Any) -> bytes:
    """A hook file with one webhook."""
    on = dict.fromkeys(events)
    hook = {"id": "first_hook", "type": "webhook", "properties": properties}
    return json.dumps({"name": name, "on": on, "hooks": [hook]}).encode()


async def install(repo: Repo, text: bytes | str, *, name: str = "a.yaml", branch: str = "main") -> None:
    """Stage a hook file."""
    body = text if isinstance(text, bytes) else text.encode()
    await repo.put(f"_lakefs_actions/{name}", body, branch=branch)


async def settled(server) -> None:
    """What goes on beside the requests is over."""
    await server.application._lake.background.drain()


async def runs(repo: Repo, **query: str) -> list[dict[str, Any]]:
    return (await repo.done("GET", "/actions/runs", params=query))["results"]


async def test_every_event_is_told_once(repo, target, server) -> None:
    await install(repo, action(*ALL, url=target.url))
    first = await repo.commit("one", metadata={"k": "v"})
    await settled(server)
    prepare, pre, post = (one.event for one in target.asked)
    assert prepare == {
        "event_type": "prepare-commit",
        "event_time": "2025-06-15T15:06:40Z",
        "action_name": "Test action",
        "hook_id": "first_hook",
        "repository_id": repo.name,
        "branch_id": "main",
        "source_ref": "main",
        "commit_message": "one",
        "committer": "admin",
        "commit_metadata": {"k": "v"},
    }
    assert pre == prepare | {"event_type": "pre-commit"}
    assert post == prepare | {"event_type": "post-commit", "source_ref": first["id"], "commit_id": first["id"]}
    assert target.asked[0].headers["content-type"] == "application/json"
    target.asked.clear()

    await repo.branch("dev")
    await repo.put("a", branch="dev")
    second = await repo.commit("two", branch="dev")
    await settled(server)
    create = [one.event for one in target.asked[:1]]
    assert (create[0]["branch_id"], create[0]["source_ref"]) == ("dev", "main")
    assert sorted(target.events()) == sorted(
        ["pre-create-branch", "post-create-branch", "prepare-commit", "pre-commit", "post-commit"]
    )
    target.asked.clear()

    merged = await repo.merge("dev", "main")
    await settled(server)
    pre, post = (one.event for one in target.asked)
    assert target.events() == ["pre-merge", "post-merge"]
    assert (pre["merge_source"], pre["source_ref"], pre["commit_id"]) == ("dev", second["id"], merged)
    assert pre["branch_id"] == post["branch_id"] == "main"
    assert (post["source_ref"], post["commit_id"], post["merge_source"]) == (merged, merged, "dev")
    target.asked.clear()

    await repo.done("POST", "/tags", json={"id": "v1", "ref": "main"})
    await repo.done("DELETE", "/tags/v1")
    await repo.done("POST", "/branches/dev/revert", json={"ref": second["id"], "parent_number": 0})
    await settled(server)
    picked = await repo.done("POST", "/branches/dev/cherry-pick", json={"ref": second["id"]})
    await repo.done("DELETE", "/branches/dev")
    await settled(server)
    told = {one.event["event_type"]: one.event for one in target.asked}
    assert len(told) == len(target.asked) == 10
    assert told["pre-create-tag"] | {"event_type": "", "event_time": ""} == told["post-create-tag"] | {
        "event_type": "",
        "event_time": "",
    }
    assert told["pre-delete-tag"]["tag_id"] == told["pre-create-tag"]["tag_id"] == "v1"
    assert told["pre-create-tag"]["commit_id"] == told["pre-create-tag"]["source_ref"] == merged
    assert "branch_id" not in told["pre-create-tag"]
    assert told["pre-revert"]["source_ref"] == "dev"
    assert "commit_id" not in told["pre-cherry-pick"]
    assert told["post-cherry-pick"]["commit_id"] == picked["id"]
    assert told["post-delete-branch"]["source_ref"] == picked["id"]


async def test_a_no_changes_nothing_and_says_who(repo, target, server) -> None:
    await repo.put("a")
    await repo.commit()
    await install(repo, action("pre-commit", url=target.url + "/no"))
    target.answers["/no"] = (400, b"the schema is wrong")
    before = await repo.head()
    answer = await repo.ask("POST", "/branches/main/commits", json={"message": "m"})
    [run] = await runs(repo)
    refused(answer, 412)
    assert answer.json()["message"] == (
        f"pre-commit hook aborted, run id '{run['run_id']}': 1 error occurred:\n\t* hook run id '0000_0000' failed on "
        "action 'Test action' hook 'first_hook': webhook request failed (status code: 400)\n\n"
    )
    assert await repo.head() == before
    assert await repo.paths() == ["_lakefs_actions/a.yaml", "a"]
    assert (run["status"], run["branch"], run["commit_id"]) == ("failed", "main", "")
    url = f"/actions/runs/{run['run_id']}"
    assert await repo.done("GET", url) == run
    [hook] = (await repo.done("GET", url + "/hooks"))["results"]
    assert (hook["hook_run_id"], hook["action"], hook["hook_id"], hook["status"]) == (
        "0000_0000",
        "Test action",
        "first_hook",
        "failed",
    )
    output = await repo.ask("GET", url + "/hooks/0000_0000/output")
    assert output.headers["content-type"] == "application/octet-stream"
    assert "the schema is wrong" in output.text
    assert "Status: 400" in output.text

    target.answers["/no"] = (204, b"")
    server.clock.now += 1
    made = await repo.commit()
    assert [one["commit_id"] for one in await runs(repo)] == [made["id"], ""]
    assert [one["status"] for one in await runs(repo, commit=made["id"])] == ["completed"]


async def test_hooks_run_before_it_is_known_that_nothing_changed(repo, target) -> None:
    await install(repo, action("pre-commit", url=target.url))
    await repo.commit()
    refused(await repo.ask("POST", "/branches/main/commits", json={"message": "m"}), 400, "no changes")
    assert target.events() == ["pre-commit"] * 2


async def test_a_merge_is_judged_by_the_files_of_its_source(repo, target, server) -> None:
    await repo.put("a")
    await repo.commit()
    await repo.branch("dev")
    await install(repo, action("pre-merge", "post-merge", url=target.url + "/merge"), branch="dev")
    await repo.commit(branch="dev")
    seen: list[list[str]] = []

    async def look(asked: Asked) -> tuple[int, bytes]:
        seen.append(await repo.paths(asked.event["commit_id"]))
        return 403, b"no"

    target.answers["/merge"] = look
    before = await repo.head()
    refused(await repo.ask("POST", "/refs/dev/merge/main", json={}), 412, "pre-merge hook aborted")
    assert await repo.head() == before
    assert seen == [["_lakefs_actions/a.yaml", "a"]]
    target.answers.clear()
    server.clock.now += 1
    merged = await repo.merge("dev", "main")
    await settled(server)
    assert target.events("/merge") == ["pre-merge", "pre-merge", "post-merge"]
    assert {one["event_type"]: one["commit_id"] for one in (await runs(repo))[:2]} == {
        "pre-merge": merged,
        "post-merge": merged,
    }


async def test_pull_requests_too(repo, target) -> None:
    await install(repo, action("pre-merge", url=target.url + "/no"))
    await repo.commit()
    await repo.branch("dev")
    await repo.put("a", branch="dev")
    await repo.commit(branch="dev")
    pull = await repo.done("POST", "/pulls", json={"title": "t", "source_branch": "dev", "destination_branch": "main"})
    target.answers["/no"] = (500, b"")
    refused(await repo.ask("PUT", f"/pulls/{pull['id']}/merge"), 412, "pre-merge hook aborted")
    assert (await repo.done("GET", f"/pulls/{pull['id']}"))["status"] == "open"


async def test_branch_filter(repo, target, server) -> None:
    text = f"""
name: by branch
on:
  pre-commit:
    branches: [main, "feature-*"]
hooks:
  - id: only_there
    type: webhook
    properties: {{url: "{target.url}"}}
"""
    await install(repo, text)
    await repo.commit()
    for name in ("feature-1", "other"):
        await repo.branch(name)
        await repo.put("a", branch=name)
        await repo.commit(branch=name)
    assert [one.event["branch_id"] for one in target.asked] == ["main", "feature-1"]
    assert len(await runs(repo)) == 2
    assert [one["branch"] for one in await runs(repo, branch="feature-1")] == ["feature-1"]


async def test_later_hooks_are_skipped_but_for_those_that_want_failures(repo, target) -> None:
    hooks = [
        {"id": "h1", "type": "webhook", "properties": {"url": target.url + "/1"}},
        {"id": "h2", "type": "webhook", "properties": {"url": target.url + "/2"}},
        {"id": "h3", "type": "webhook", "if": "success()", "properties": {"url": target.url + "/3"}},
        {"id": "h4", "type": "webhook", "if": "failure()", "properties": {"url": target.url + "/4"}},
        {"id": "h5", "type": "webhook", "if": True, "properties": {"url": target.url + "/5"}},
    ]
    await install(repo, json.dumps({"name": "many", "on": {"pre-commit": None}, "hooks": hooks}))
    await install(repo, action("pre-commit", name="another", url=target.url + "/6"), name="b.yaml")
    target.answers["/2"] = (500, b"")
    refused(await repo.ask("POST", "/branches/main/commits", json={"message": "m"}), 412, "hook run id '0000_0001'")
    assert sorted(one.path for one in target.asked) == ["/1", "/2", "/4", "/5", "/6"]
    [run] = await runs(repo)
    found = (await repo.done("GET", f"/actions/runs/{run['run_id']}/hooks"))["results"]
    assert [(one["hook_run_id"], one["status"]) for one in found] == [
        ("0000_0000", "completed"),
        ("0000_0001", "failed"),
        ("0000_0002", "skipped"),
        ("0000_0003", "completed"),
        ("0000_0004", "completed"),
        ("0001_0000", "completed"),
    ]
    assert found[2]["start_time"] == "0001-01-01T00:00:00Z"
    assert "end_time" not in found[2]
    assert (await repo.ask("GET", f"/actions/runs/{run['run_id']}/hooks/0000_0002/output")).content == b""
    page = await repo.done("GET", f"/actions/runs/{run['run_id']}/hooks", params={"amount": 2, "after": "0000_0000"})
    assert [one["hook_run_id"] for one in page["results"]] == ["0000_0001", "0000_0002"]
    assert page["pagination"]["has_more"]


async def test_properties(repo, target) -> None:
    properties = {
        "query_params": {"a": ["1", "2"], "b": True, "c": "x&y"},
        "headers": {"X-Mine": "yes", "Host": "elsewhere.example", "Content-Length": "1"},
        "timeout": "1m30s",
    }
    await install(repo, action("pre-commit", url=target.url + "/p?z=0", **properties))
    await repo.commit()
    [asked] = target.asked
    assert asked.path == "/p?z=0&a=1&a=2&b=true&c=x%26y"
    assert asked.headers["x-mine"] == "yes"
    assert asked.headers["host"] == target.url.removeprefix("http://")


async def test_what_prepare_hooks_stage_is_in_the_commit(repo, target) -> None:
    await install(repo, action("prepare-commit", url=target.url + "/add"))

    async def add(_: Asked) -> tuple[int, bytes]:
        await repo.put("added")
        return 200, b""

    target.answers["/add"] = add
    made = await repo.commit()
    assert await repo.paths(made["id"]) == ["_lakefs_actions/a.yaml", "added"]


async def test_a_slow_hook_holds_up_its_own_branch_only(repo, target) -> None:
    await install(repo, '{name: slow, on: {pre-commit: {branches: [main]}}, hooks: [{id: h1, type: webhook, '
                  f'properties: {{url: "{target.url}/slow"}}}}]}}')  # fmt: skip
    asked, go = asyncio.Event(), asyncio.Event()

    async def wait(_: Asked) -> tuple[int, bytes]:
        asked.set()
        await go.wait()
        return 200, b""

    target.answers["/slow"] = wait
    await repo.branch("other")
    slow = asyncio.create_task(repo.commit())
    await asked.wait()
    await repo.put("b", branch="other")
    await repo.commit(branch="other")
    await repo.put("late")
    assert not slow.done()
    go.set()
    assert await repo.paths((await slow)["id"]) == ["_lakefs_actions/a.yaml"]
    assert target.events("/slow") == ["pre-commit"]


async def test_merges_with_hooks_that_come_together_are_each_asked_once(repo, target, server) -> None:
    await install(repo, action("pre-merge", "post-merge", url=target.url))
    await repo.commit()
    names = [f"dev-{number}" for number in range(4)]
    for name in names:
        await repo.branch(name)
        await repo.put(name, branch=name)
        await repo.commit(branch=name)
    merged = await asyncio.gather(*[repo.merge(name, "main") for name in names])
    await settled(server)
    told = [(one.event["event_type"], one.event["commit_id"]) for one in target.asked]
    assert sorted(told) == sorted((kind, one) for kind in ("pre-merge", "post-merge") for one in merged)
    assert await repo.paths() == ["_lakefs_actions/a.yaml", *names]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name: [", "not YAML"),
        ("just text", "a mapping"),
        ("{on: {pre-commit: }, hooks: [{id: h1, type: lua}]}", "name"),
        ("{name: ok, on: {pre-push: }, hooks: [{id: h1, type: lua}]}", "no event"),
        ("{name: ok, on: {pre-commit: }}", "hooks"),
        ("{name: ok, on: {pre-commit: }, hooks: [{id: 1, type: lua}]}", "id"),
        ("{name: ok, on: {pre-commit: }, hooks: [{id: h1, type: shell}]}", "type"),
        ("{name: ok, on: {pre-create-tag: {branches: [main]}}, hooks: [{id: h1, type: lua}]}", "tags have no branches"),
    ],
)
async def test_what_is_no_hook_file_stops_everything(repo, text, why) -> None:
    await install(repo, text)
    answer = await repo.ask("POST", "/branches/main/commits", json={"message": "m"})
    refused(answer, 500, "invalid action: _lakefs_actions/a.yaml")
    assert why in answer.json()["message"]
    await repo.remove("_lakefs_actions/a.yaml")
    await repo.put("a")
    await repo.commit()


async def test_only_files_right_below_the_folder_count(repo, target) -> None:
    await install(repo, "nonsense", name="lib/code.txt")
    await install(repo, action("pre-commit", url=target.url), name="z")
    await repo.put("_lakefs_actionsx", b"[")
    await repo.commit()
    assert target.events() == ["pre-commit"]


async def test_where_hooks_may_not_go(repo, target) -> None:
    for url, why in [
        ("http://169.254.169.254/latest", "may not be reached"),
        ("http://10.0.0.1/", "may not be reached"),
        ("ftp://127.0.0.1/", "not an http"),
        (target.url + "/moved", "status code: 302"),
    ]:
        target.answers["/moved"] = (302, b"")
        await install(repo, action("pre-commit", url=url))
        refused(await repo.ask("POST", "/branches/main/commits", json={"message": "m"}), 412, why)
    assert [one.path for one in target.asked] == ["/moved"]


async def test_airflow(repo, target) -> None:
    states = iter(["success", "failed"])

    async def state(_: Asked) -> tuple[int, bytes]:
        return 200, json.dumps({"state": next(states)}).encode()

    async def begin(asked: Asked) -> tuple[int, bytes]:
        target.answers[f"/api/v1/dags/my_dag/dagRuns/{asked.event['dag_run_id']}"] = state
        return 200, b"{}"

    target.answers["/api/v1/dags/my_dag/dagRuns"] = begin
    properties = {"url": target.url, "dag_id": "my_dag", "username": "u", "password": "p", "dag_conf": {"x": 1}}
    hook = {"id": "dag", "type": "airflow", "properties": properties}
    await install(repo, json.dumps({"name": "dags", "on": {"pre-commit": None}, "hooks": [hook]}))
    await repo.commit()
    [asked] = target.asked
    assert asked.headers["authorization"] == "Basic dTpw"
    assert asked.event["conf"]["x"] == 1
    assert asked.event["conf"]["lakeFS_event"]["event_type"] == "pre-commit"
    properties["wait_for_dag"] = True
    await install(repo, json.dumps({"name": "dags", "on": {"pre-commit": None}, "hooks": [hook]}))
    await repo.commit()
    await repo.put("a")
    refused(await repo.ask("POST", "/branches/main/commits", json={"message": "m"}), 412, "the DAG failed")


async def test_runs(repo, target, server, frozen) -> None:
    assert await runs(repo) == []
    await install(repo, action("pre-commit", url=target.url))
    made = []
    for name in "abc":
        await repo.put(name)
        made.append((await repo.commit())["id"])
        server.clock.now += 1
    found = await runs(repo)
    assert [one["commit_id"] for one in found] == made[::-1]
    assert all(re.fullmatch(r"[0-9a-v]{20}", one["run_id"]) for one in found)
    page = await repo.done("GET", "/actions/runs", params={"amount": 2})
    assert page["pagination"] == {
        "has_more": True,
        "next_offset": found[1]["run_id"],
        "results": 2,
        "max_per_page": 1000,
    }
    assert await runs(repo, after=found[1]["run_id"]) == found[2:]
    assert await runs(repo, commit=made[1]) == [found[1]]
    both = {"branch": "main", "commit": "c"}
    refused(await repo.ask("GET", "/actions/runs", params=both), 400, "parameters conflict")
    refused(await repo.ask("GET", "/actions/runs/nothing"), 404)
    refused(await repo.ask("GET", "/actions/runs/nothing/hooks"), 404)
    refused(await repo.ask("GET", f"/actions/runs/{found[0]['run_id']}/hooks/0009_0000/output"), 404)
    refused(await Repo(repo.api, "nowhere").ask("GET", "/actions/runs"), 404, "repository not found")
    refused(await (await make(repo.api)).ask("GET", f"/actions/runs/{found[0]['run_id']}"), 404)


async def test_nothing_runs_in_a_read_only_repository(frozen, target, server) -> None:
    place = {"path": "_lakefs_actions/a.yaml", "force": "true"}
    await frozen.done("POST", "/branches/main/objects", params=place, content=action(*ALL, url=target.url))
    made = await frozen.commit(force=True)
    await frozen.branch("dev", force=True)
    await frozen.done("POST", "/branches/dev/revert", json={"ref": made["id"], "parent_number": 0, "force": True})
    await settled(server)
    assert target.asked == []
    assert await runs(frozen) == []


async def test_who_may_look(repo, server, api) -> None:
    user = await make_user(api)
    async with as_user(server, api, user) as client:
        refused(await client.get(f"{repo.url}/actions/runs"), 401, "insufficient permissions")
        await allow(api, user, "ci:ReadAction", on=f"arn:lakefs:fs:::repository/{repo.name}")
        assert (await client.get(f"{repo.url}/actions/runs")).status_code == 200


async def test_slow_listeners_do_not_hold_up_the_end_of_the_server(tmp_path, target) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def never(_: Asked) -> tuple[int, bytes]:
        asked.set()
        await gone.wait()
        return 200, b""

    target.answers["/slow"] = never
    server = await started(tmp_path, Hands(), shutdown_timeout=0.0)
    async with server.client(auth=(KEY, SECRET)) as client:
        repo = await make(client)
        await install(repo, action("post-commit", url=target.url + "/slow", timeout="1h"))
        await repo.commit()
        await asked.wait()
    await server.application.stop()
    gone.set()
