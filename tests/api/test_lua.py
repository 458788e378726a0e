# SPDX-License-Identifier: Apache-2.0
"""Hooks in Lua on a whole server: what they say counts, and what they ask for they get as who set them off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.webhooks import webhook_target

from .conftest import Repo, make, refused
from .people import allow, as_user, make_user

pytestmark = pytest.mark.anyio


def action(script: str, *events: str, **properties: Any) -> bytes:
    """A hook file with one script."""
    hook = {"id": "check", "type": "lua", "properties": {"script": script, **properties}}
    return json.dumps({"name": "Scripts", "on": dict.fromkeys(events), "hooks": [hook]}).encode()


async def install(repo: Repo, text: bytes) -> None:
    await repo.put("_lakefs_actions/a.yaml", text)


async def outputs(repo: Repo, server: Any) -> list[tuple[str, str, str]]:
    """Event, status and output of each run's only hook, the newest first."""
    await server.application._lake.background.drain()
    found = []
    for run in (await repo.done("GET", "/actions/runs"))["results"]:
        hook = (await repo.done("GET", f"/actions/runs/{run['run_id']}/hooks"))["results"][0]
        text = await repo.ask("GET", f"/actions/runs/{run['run_id']}/hooks/{hook['hook_run_id']}/output")
        found.append((run["event_type"], hook["status"], text.text))
    return found


async def test_a_script_decides(repo, server) -> None:
    """It sees what is staged, and what was passed before; its words reach the caller and the run."""
    script = """
        local lakefs, hook = require("lakefs"), require("hook")
        local status, found = lakefs.diff_branch(action.repository_id, action.branch_id)
        print(action.event_type, status, action.commit.message, action.storage_namespace ~= "")
        for _, one in ipairs(found.results) do
          if not one.path:find("^_lakefs_actions/") and not one.path:find(args.suffix .. "$") then
            hook.fail(one.path .. " is no " .. args.suffix)
          end
        end
    """
    await install(repo, action(script, "pre-commit", args={"suffix": "csv"}))
    await repo.put("a.txt")
    answer = await repo.ask("POST", "/branches/main/commits", json={"message": "first"})
    refused(answer, 412, "hook 'check': a.txt is no csv")
    await repo.remove("a.txt")
    server.clock.now += 1
    await repo.put("a.csv")
    await repo.commit("second")
    good, bad = await outputs(repo, server)
    assert good == ("pre-commit", "completed", "pre-commit\t200\tsecond\ttrue")
    assert bad == ("pre-commit", "failed", "pre-commit\t200\tfirst\ttrue\nError: a.txt is no csv\n")


async def test_after_a_commit_a_tag_is_made(repo, server) -> None:
    script = """
        local status, made = require("lakefs").create_tag(action.repository_id, action.commit_id, args.name)
        print(status, made.id, #action.commit.parents, action.pre_run_id ~= "", username)
    """
    await install(repo, action(script, "post-commit", args={"name": "made"}))
    made = await repo.commit()
    assert await outputs(repo, server) == [("post-commit", "completed", "201\tmade\t1\tfalse\tadmin")]
    assert (await repo.done("GET", "/tags/made"))["commit_id"] == made["id"]


async def test_scripts_ask_as_the_one_who_set_them_off(repo, api, server) -> None:
    """With the permissions of that user, also where these are narrower than the writer's of the hook."""
    other = await make(api)
    await other.put("secret", b"the bytes")
    script = f"""
        local status, body = require("lakefs").get_object("{other.name}", "main", "secret")
        print(status, status == 200 and body or body:sub(1, 60))
    """
    await install(repo, action(script, "post-commit"))
    await repo.commit()
    assert (await outputs(repo, server))[0][2] == "200\tthe bytes"
    user = await make_user(api)
    await allow(api, user, "fs:*", on=f"arn:lakefs:fs:::repository/{repo.name}/*")
    async with as_user(server, api, user) as client:
        mine = Repo(client, repo.name)
        server.clock.now += 1
        await mine.put("b")
        await mine.commit()
        assert (await outputs(repo, server))[0][2].startswith('401\t{"message":"insufficient permissions')
        await allow(api, user, "fs:ReadObject", on=f"arn:lakefs:fs:::repository/{other.name}/object/secret")
        server.clock.now += 1
        await mine.put("c")
        await mine.commit()
        assert (await outputs(repo, server))[0][2] == "200\tthe bytes"
        await server.application._audit.flush()
        events = (await api.get("/auth/audit", params={"actor": user, "amount": 100})).json()["results"]
        assert any(one["operation"] == "get_object" and one["status_code"] == 401 for one in events)


async def test_a_narrowed_session_stays_narrow(repo, api, server) -> None:
    """Short-lived keys that may only write do not read by way of a hook."""
    other = await make(api)
    await other.put("secret", b"the bytes")
    script = f'print((require("lakefs").get_object("{other.name}", "main", "secret")))'
    await install(repo, action(script, "post-commit"))
    await repo.commit()
    statements = [{"effect": "allow", "action": ["fs:*"], "resource": f"arn:lakefs:fs:::repository/{repo.name}/*"}]
    made = (await api.post("/auth/sessions", json={"policy": statements})).json()
    headers = {"x-amz-security-token": made["session_token"]}
    auth = (made["access_key_id"], made["secret_access_key"])
    async with server.client(auth=auth, headers=headers) as client:
        mine = Repo(client, repo.name)
        server.clock.now += 1
        await mine.put("b")
        await mine.commit()
    assert [text for _, _, text in await outputs(repo, server)] == ["401", "200"]


async def test_a_circle_of_hooks_ends(repo, server) -> None:
    script = """
        local status, body = require("lakefs").create_tag(action.repository_id, "main", (action.tag_id or "t") .. "x")
        print(status)
    """
    await install(repo, action(script, "post-create-tag"))
    await repo.commit()
    await repo.done("POST", "/tags", json={"id": "t", "ref": "main"})
    for _ in range(6):
        await server.application._lake.background.drain()
    tags = [one["id"] for one in (await repo.done("GET", "/tags"))["results"]]
    assert tags == ["t", "tx", "txx", "txxx", "txxxx"]
    assert len(await outputs(repo, server)) == 4


async def test_a_script_in_the_repository(repo, server) -> None:
    hook = {"id": "check", "type": "lua", "properties": {"script_path": "scripts/check.lua", "args": {"x": 1}}}
    file = {"name": "Scripts", "on": {"pre-commit": None}, "hooks": [hook]}
    await install(repo, json.dumps(file).encode())
    refused(
        await repo.ask("POST", "/branches/main/commits", json={"message": "m"}),
        412,
        "property script_path: scripts/check.lua: 404",
    )
    server.clock.now += 1
    await repo.put("scripts/check.lua", b"print('stored', args.x)")
    await repo.commit()
    assert (await outputs(repo, server))[0] == ("pre-commit", "completed", "stored\t1")


async def test_requests_to_elsewhere(repo, server) -> None:
    """By the one way out, and only where the hook says that it wants it."""
    async with webhook_target() as target:
        target.answers["/x"] = (201, b"made")
        script = f"""
            local http = require("net/http")
            print(http.request{{url = "{target.url}/x", method = "PUT", headers = {{["X-A"] = "b"}}, body = "hello"}})
            print(pcall(http.request, "http://169.254.169.254/latest/meta-data"))
        """
        await install(repo, action(script, "pre-commit"))
        refused(await repo.ask("POST", "/branches/main/commits", json={"message": "m"}), 412, "net/http: not allowed")
        assert target.asked == []
        server.clock.now += 1
        await install(repo, action(script, "pre-commit", net_http=True))
        await repo.commit()
        (asked,) = target.asked
        assert (asked.method, asked.path, asked.headers["x-a"], asked.body) == ("PUT", "/x", "b", b"hello")
        output = (await outputs(repo, server))[0][2]
        assert output.startswith("201\tmade\t")
        assert "its address may not be reached from here" in output


async def test_a_request_from_outside_is_never_one_of_ours(repo, nobody, server) -> None:
    """Whatever headers it has: only a scope that this process made itself says so."""
    for name in ("lakehouse.inside", "lakehouse-inside", "x-lakehouse-inside"):
        refused(await nobody.get(repo.url, headers={name: "admin"}), 401, "error authenticating request")
