# SPDX-License-Identifier: Apache-2.0
"""Scripts: what they can do, what they cannot, and what becomes of those that try."""

from __future__ import annotations

import asyncio
import hmac
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from lakehouse.actions.lua.messages import Limits
from lakehouse.actions.lua.run import LuaRunner, Told
from lakehouse.actions.spec import Hook, HookType
from lakehouse.core.errors import HookFailed
from lakehouse.core.records import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.anyio
ANN = Actor(committer="ann@example.org", name="ann", depth=1)
EVENT = {"event_type": "pre-commit", "repository_id": "lakes", "source_ref": "main", "branch_id": "main"}


class Inside:
    """Answers requests of scripts to the server, and keeps them."""

    def __init__(self, status: int = 200, body: bytes = b'{"results": []}') -> None:
        self.asked: list[tuple[str, str, str, dict[str, str], bytes]] = []
        self.answer = (status, body)

    async def request(
        self, actor: Actor, method: str, path: str, *, query: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, bytes]:
        self.asked.append((actor.name, method, path, dict(query), body))
        return self.answer


class Outside:
    """Answers requests of scripts to elsewhere, and keeps them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> tuple[int, bytes]:
        self.asked.append((method, url, dict(headers), body))
        return 418, b"\xff\x00 teapot"


async def ran(text: str | None, *, runner: LuaRunner | None = None, **given: Any) -> tuple[str | None, str]:
    """The error, if any, and the output of a script."""
    runner = runner or LuaRunner(Outside(), Inside())
    wanted = given if text is None else {"script": text, **given}
    hook = Hook("check", HookType.LUA, lambda _: True, wanted)
    log: list[str] = []
    try:
        await runner.run(hook, Told(EVENT, ANN), environment={"LAKEFSACTION_A": "from outside"}, log=log)
    except HookFailed as error:
        return error.message, "\n".join(log)
    return None, "\n".join(log)


async def lines(text: str, **given: Any) -> list[str]:
    """What a script that ends well prints."""
    error, output = await ran(text, **given)
    assert error is None, error
    return output.splitlines()


async def test_what_a_script_is_told() -> None:
    script = """
        print(action.event_type, action.repository_id, username, args.deep[2], args.env)
        print(args.none, #args.deep, type(args.number), args.yes)
    """
    args = {"deep": ["a", "b"], "env": "{{ ENV.LAKEFSACTION_A }}", "number": 1.5, "yes": True, "none": None}
    assert await lines(script, args=args) == ["pre-commit\tlakes\tann\tb\tfrom outside", "nil\t2\tnumber\ttrue"]
    error, _ = await ran("print(1)", args={"a": "{{ ENV.HOME }}"})
    assert error is not None
    assert "HOME: not set, or not allowed" in error
    assert await lines('print("{{ ENV.LAKEFSACTION_A }}")') == ["{{ ENV.LAKEFSACTION_A }}"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ('error("no good")', "script:1: no good"),
        ('require("hook").fail("three rows are missing")', "three rows are missing"),
        ("local x = nil; x.y = 1", "script:1: attempt to index a nil value (local 'x')"),
        ("x = = 1", "script:1: unexpected symbol near '='"),
        ("error({code = 1})", "error object is a table"),
        ('error(setmetatable({}, {__tostring = function() return "mine" end}))', "mine"),
        ("\x1bLua", "attempt to load a binary chunk (mode is 't')"),
        ('require("lakefs").stat_object("r")', "script:1: lakefs.stat_object: too few arguments"),
        ('require("lakefs").stat_object("..", "main", "x")', "script:1: argument 1: '..' is no name"),
        ('require("encoding/json").unmarshal("{")', "script:1: Input data was truncated"),
        ("local t = {} t.t = t; require('encoding/json').marshal(t)", "script:1: a table is nested too deeply"),
        ("require('encoding/json').marshal({print})", "script:1: a function cannot be handed over"),
        ('require("io")', "script:1: module 'io' not found; there are crypto/hmac, "),
    ],
)
async def test_errors(script: str, error: str) -> None:
    found, _ = await ran(script)
    assert found is not None
    assert found.startswith(error)


async def test_a_traceback_names_the_script_and_nothing_of_ours() -> None:
    error, output = await ran("local function f() error('x') end\nf()\nprint('never')")
    assert error == "script:1: x"
    assert re.fullmatch("stack traceback:\n\tscript:1: in (upvalue|local) 'f'\n\tscript:2: in main chunk", output)


async def test_nothing_leads_outside() -> None:
    """Neither a library, nor bytecode, nor an object of Python's."""
    script = """
        print(io, os, debug, package, python, dofile, loadfile, collectgarbage, string.dump, ("").dump)
        print(load("\\27Lua"))
        print(load("return 1 + 1", "n", "b")(), load(function() return nil end) ~= nil)
        print(getmetatable(print), getmetatable(require("uuid").new), load("return _G == ...")(_G))
        local seen = {}
        local function walk(value)
          if type(value) == "userdata" then error("userdata") end
          if type(value) ~= "table" or seen[value] then return end
          seen[value] = true
          for k, v in pairs(value) do walk(k) walk(v) end
          walk(getmetatable(value))
        end
        walk(_G) walk(getmetatable("")) walk(require("lakefs")) walk(require("regexp").compile("a"))
        local fine, problem = pcall(require("encoding/hex").decode, "zz")
        print(fine, type(problem))
    """
    out = await lines(script)
    assert out[0] == "\t".join(["nil"] * 10)
    assert out[1] == "nil\tattempt to load a binary chunk (mode is 't')"
    assert out[2] == "2\ttrue"
    assert out[3].startswith("nil\tnil\ttrue")
    assert out[4] == "false\tstring"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("while true do end", "more than 1 seconds of CPU"),
        ('require("regexp").match("(a+)+$", ("a"):rep(40) .. "b")', "more than 1 seconds of CPU"),
        ('local s = "x"; while true do s = s .. s end', "more than 8388608 bytes of memory"),
        ("local t = {}; for i = 1, 1e9 do t[i] = {i} end", "more than 8388608 bytes of memory"),
        ('require("strings").replace(("x"):rep(1e6), "x", ("y"):rep(100), -1)', "script:1: not enough memory"),
        ('require("strings").replace(("x"):rep(1e6), "x", "yyy", -1)', "3000000 bytes is too long for the memory"),
    ],
)
async def test_a_script_that_takes_too_much_is_ended(script: str, error: str) -> None:
    runner = LuaRunner(Outside(), limits=Limits(cpu=1, memory=8 << 20))
    found, _ = await ran(script, runner=runner)
    assert found is not None
    assert error in found
    assert not runner._running


async def test_a_script_that_takes_too_long_is_ended() -> None:
    error, _ = await ran('require("time").sleep(600e9)', timeout="500ms")
    assert error == "the script did not end within 0.5 seconds"


async def test_output_is_cut() -> None:
    error, output = await ran('for i = 1, 10000 do print(("x"):rep(100)) end')
    assert error is None
    assert 60_000 < len(output) <= Limits().output


async def test_what_was_printed_before_an_end_is_kept() -> None:
    runner = LuaRunner(Outside(), limits=Limits(cpu=1))
    error, output = await ran('print("so far"); while true do end', runner=runner)
    assert error is not None
    assert output == "so far"


async def test_the_library() -> None:
    script = r"""
        local json, yaml = require("encoding/json"), require("encoding/yaml")
        print(json.marshal(json.unmarshal('{"a":[1,2.5,{}],"b":[],"é":"ü"}')), json.marshal(array({})))
        print((yaml.marshal({list = {1, 2}, name = "x"}):gsub("\n", "|")), yaml.unmarshal("a: [1, two]").a[2])
        local hex, base64 = require("encoding/hex"), require("encoding/base64")
        print(hex.encode("\255\0a"), #hex.decode("ff0061"), base64.encode("\255\0"), base64.url_encode("\255\254"))
        local z85 = require("encoding/z85")
        print(z85.encode(hex.decode("864fd26fb559f75b")), hex.encode(z85.decode("HelloWorld")))
        print(pcall(z85.decode, "#####"))
        print(base64.decode("AP8=") == "\0\255", base64.url_decode("__4=") == "\255\254")
        print(hex.encode(require("crypto/sha256").digest("abc")):sub(1, 8))
        print(hex.encode(require("crypto/md5").digest("abc")):sub(1, 8))
        print(hex.encode(require("crypto/hmac").sign_sha256("what", "key")):sub(1, 8))
        local strings = require("strings")
        print(table.concat(strings.split("a,b,c", ","), "|"), strings.trim(" x "), strings.replace("aaa", "a", "b", 2))
        print(strings.has_prefix("abc", "ab"), strings.has_suffix("abc", "ab"), strings.contains("abc", "bc"))
        local regexp = require("regexp")
        local p = regexp.compile("(a)(b?)")
        print(regexp.match("^a.c$", "abc"), regexp.quote_meta("a.b"), p.find("xab"), p:find("xab"), p.find("x") == "")
        print(#p.find_all("ab a ab", -1), #p.find_all("ab a ab", 2), p.find_submatch("ab")[3])
        print(p.find_all_submatch("ab a", -1)[2][1], #p.find_submatch("x"))
        local path = require("path")
        print(path.parse("a/b/c.csv").parent, path.parse("a/b/c.csv").base_name, path.join("/", "a/", "/b", "c"))
        print(path.is_hidden("a/_b/c"), path.is_hidden("a/b"), path.default_separator())
        local url = require("net/url")
        local parts = url.parse("https://u@h.example:1/p?a=1&a=2#f")
        print(parts.host, parts.path, parts.query.a[2], parts.fragment, url.escape("a/b c"), url.unescape("a%20b"))
        print(url.build({scheme = "https", host = "h", path = "/p", query = {a = {"1", "2"}}}))
        print(#require("uuid").new())
    """
    assert await lines(script) == [
        '{"a":[1,2.5,{}],"b":[],"é":"ü"}\t[]',
        "list:|- 1|- 2|name: x|\ttwo",
        "ff0061\t3\t/wA=\t__4=",
        "HelloWorld\t864fd26fb559f75b",
        "false\tthese 5 characters are no z85",
        "true\ttrue",
        "ba7816bf",
        "90015098",
        hmac.digest(b"key", b"what", "sha256").hex()[:8],
        "a|b|c\tx\tbba",
        "true\tfalse\ttrue",
        "true\ta\\.b\tab\tab\ttrue",
        "3\t2\tb",
        "a\t0",
        "a/b/\tc.csv\ta/b/c",
        "true\tfalse\t/",
        "h.example:1\t/p\t2\tf\ta%2Fb%20c\ta b",
        "https://h/p?a=1&a=2",
        "36",
    ]


async def test_times() -> None:
    script = """
        local time = require("time")
        local at = time.parse_iso("2026-01-02T15:04:05.123456+02:00")
        print(math.type(at), time.format(at, "2006-01-02 15:04:05.000", "UTC"), time.format_iso(at, "+02:00"))
        print(time.format(at, "Mon, 2 Jan 2006 3:04:05PM -0700", "+02:00"), time.format(at, "02.01.06", ""))
        print(time.parse("2006-01-02T15:04:05Z07:00", "2026-01-02T15:04:05.5+02:00") - at)
        print(time.parse("2 January 2006, 3:04 pm", "2 March 2026, 1:30 pm") == time.parse_iso("2026-03-02T13:30:00Z"))
        print(time.add(at, {hour = 1, millisecond = 2}) - at, time.since(time.now()) < 1e9)
        print(pcall(time.format, at, "2006", "Europe/Rome"))
    """
    assert await lines(script) == [
        "integer\t2026-01-02 13:04:05.123\t2026-01-02T15:04:05+02:00",
        "Fri, 2 Jan 2026 3:04:05PM +0200\t02.01.26",
        "376544000",
        "true",
        "3600002000000\ttrue",
        "false\tzone 'Europe/Rome': UTC or an offset such as +02:00 is expected",
    ]


async def test_the_lake_is_asked_as_the_user() -> None:
    inside = Inside()
    script = """
        local lakefs = require("lakefs")
        local status, found = lakefs.list_objects("a/b", "main", "after", "p/", "", 5)
        print(status, #found.results)
        lakefs.diff_refs("lakes", "v1~1", "main")
        lakefs.diff_branch("lakes", "main", "", 7)
        lakefs.create_tag("lakes", "main", "v2")
        lakefs.stat_object("lakes", "main", "a b")
        lakefs.update_object_user_metadata("lakes", "main", "x", {k = 1, l = "v"})
        local status, bytes = lakefs.get_object("lakes", "main", "x")
        print(status, bytes)
    """
    out = await lines(script, runner=LuaRunner(Outside(), inside))
    assert out == ["200\t0", '200\t{"results": []}']
    assert inside.asked == [
        (
            "ann",
            "GET",
            "/repositories/a%2Fb/refs/main/objects/ls",
            {"after": "after", "prefix": "p/", "amount": "5"},
            b"",
        ),
        ("ann", "GET", "/repositories/lakes/refs/v1~1/diff/main", {}, b""),
        ("ann", "GET", "/repositories/lakes/branches/main/diff", {"amount": "7"}, b""),
        ("ann", "POST", "/repositories/lakes/tags", {}, b'{"ref":"main","id":"v2"}'),
        ("ann", "GET", "/repositories/lakes/refs/main/objects/stat", {"path": "a b"}, b""),
        (
            "ann",
            "PUT",
            "/repositories/lakes/branches/main/objects/stat/user_metadata",
            {"path": "x"},
            b'{"set":{"k":"1","l":"v"}}',
        ),
        ("ann", "GET", "/repositories/lakes/refs/main/objects", {"path": "x"}, b""),
    ]


async def test_a_script_that_stands_in_the_repository() -> None:
    inside = Inside(200, b"print('stored', args.a)\nerror('here')")
    error, output = await ran(None, runner=LuaRunner(Outside(), inside), script_path="checks/a.lua", args={"a": 1})
    assert error == "checks/a.lua:2: here"
    assert output.startswith("stored\t1")
    assert inside.asked == [("ann", "GET", "/repositories/lakes/refs/main/objects", {"path": "checks/a.lua"}, b"")]
    inside.answer = (401, b'{"message": "insufficient permissions"}')
    error, _ = await ran(None, runner=LuaRunner(Outside(), inside), script_path="checks/a.lua")
    assert error == "property script_path: checks/a.lua: 401 insufficient permissions"


async def test_requests_to_elsewhere_need_leave() -> None:
    script = """
        local http = require("net/http")
        print(pcall(http.request, "http://x.example/a"))
        print(pcall(http.request, {url = "http://x.example/b", method = "PUT", headers = {A = "b"}, body = "\\255"}))
    """
    outside = Outside()
    out = await lines(script, runner=LuaRunner(outside))
    assert all(line.startswith("false\tnet/http: not allowed") for line in out)
    out = await lines(script, runner=LuaRunner(outside, http=False), net_http=True)
    assert all(line.startswith("false\tnet/http: not allowed") for line in out)
    assert outside.asked == []
    error, output = await ran(script, runner=LuaRunner(outside), net_http=True)
    assert error is None
    assert output.count("true\t418\t") == 2
    assert outside.asked == [
        ("GET", "http://x.example/a", {}, b""),
        ("PUT", "http://x.example/b", {"A": "b"}, b"\xff"),
    ]


async def test_the_process_has_nothing_to_tell() -> None:
    """Were a script to break out of Lua, it would find no secret, and no way to open anything."""
    program = (
        "import os, socket, sys; sys.path.insert(0, sys.argv[1])\n"
        "from lakehouse.actions.lua import child, messages\n"
        "child._give_up(messages.Limits())\n"
        "for what in (lambda: open('/etc/hostname'), socket.socket, lambda: os.listdir('/')):\n"
        "    try:\n        what(); print('opened')\n    except OSError as error: print(error.errno)\n"
        "print(dict(os.environ) == {} or sorted(os.environ))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", program, sys.path[0], stdout=asyncio.subprocess.PIPE, env={}
    )
    out, _ = await process.communicate()
    assert b"opened" not in out
    assert out.split()[:3] == [b"24"] * 3


async def test_without_the_extra_the_hook_says_which(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    error, _ = await ran("print(1)")
    assert error == "Lua hooks need an extra of the server: pip install 'lakehouse[lua]'"


async def test_a_runner_that_closes_ends_its_scripts() -> None:
    runner = LuaRunner(Outside())
    work = asyncio.get_running_loop().create_task(ran('print("on"); require("time").sleep(60e9)', runner=runner))
    while not runner._running:
        await asyncio.sleep(0)
    await runner.close()
    error, _ = await work
    assert error == "ended: the server stops"
    assert (await ran("print(1)", runner=runner))[0] == "not run: the server stops"
