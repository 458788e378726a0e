# SPDX-License-Identifier: Apache-2.0
"""Lua hooks, as the server sees them: a process for each, limited in all it can use, and what it asks for.

Invariant: whatever a script does, its process is gone when `run` returns. It holds no secret: its environment is empty,
and what it asks for is asked in the name of the user who set the hook off.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import lakehouse
from lakehouse.actions import properties
from lakehouse.actions.environment import filled
from lakehouse.actions.inbound import NoInbound
from lakehouse.actions.lua.lake import lake_request
from lakehouse.actions.lua.messages import HEAD, LARGEST, Answer, Ask, Ended, FromScript, Limits, Said, Script, framed
from lakehouse.core.errors import HookFailed, Unavailable
from lakehouse.core.records import NOBODY, Actor

if TYPE_CHECKING:
    from lakehouse.actions.inbound import Inbound
    from lakehouse.actions.outbound import Outbound
    from lakehouse.actions.spec import Hook

AT_ONCE = 4
"""Scripts that run at the same time, not counting those that scripts set off."""
LARGEST_SCRIPT = 1 << 20
_ROOT = str(Path(lakehouse.__file__).parent.parent)
_BEGIN = "import sys; sys.path.insert(0, sys.argv[1]); from lakehouse.actions.lua.child import main; main()"
_WORDS = {200: "OK", 201: "Created", 204: "No Content"}
_decoder = msgspec.msgpack.Decoder(FromScript)


class Told(msgspec.Struct, frozen=True):
    """What a script is told of its event: the members of `action`, and who set it off."""

    event: Mapping[str, Any]
    actor: Actor = NOBODY


class LuaRunner:
    """Runs scripts. `http`: whether scripts whose hook asks for it may send requests through `outbound`."""

    def __init__(
        self, outbound: Outbound, inbound: Inbound | None = None, *, limits: Limits | None = None, http: bool = True
    ) -> None:
        self._outbound = outbound
        self._inbound = inbound or NoInbound()
        self._limits = limits or Limits()
        self._http = http
        self._room = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def run(self, hook: Hook, told: Told, *, environment: Mapping[str, str], log: list[str]) -> None:
        """Run a hook's script; `log` gets what it prints. Raises HookFailed with the script's own message."""
        if find_spec("lupa") is None:
            raise HookFailed("Lua hooks need an extra of the server: pip install 'lakehouse[lua]'")
        given = filled({name: one for name, one in hook.properties.items() if name != "script"}, environment)
        seconds = properties.seconds(given, default=self._limits.timeout)
        try:
            async with asyncio.timeout(seconds):
                script = await self._script(hook, given, told)
                if told.actor.depth > 1:
                    await self._live(script, told, log)
                else:
                    async with self._room:
                        await self._live(script, told, log)
        except TimeoutError as error:
            raise HookFailed(f"the script did not end within {seconds:g} seconds") from error

    async def close(self) -> None:
        """End all scripts: their hooks fail."""
        self._closed = True
        for process in self._running:
            _kill(process)

    async def _script(self, hook: Hook, given: dict[str, Any], told: Told) -> Script:
        name = "script"
        if given.get("script_path") is None:
            text = properties.text(hook.properties, "script").encode()
        else:
            name = properties.text(given, "script_path")
            text = await self._stored(name, told)
        if len(text) > LARGEST_SCRIPT:
            raise HookFailed(f"the script is larger than {LARGEST_SCRIPT} bytes")
        arguments = given.get("args") or {}
        if not isinstance(arguments, dict):
            raise HookFailed("property args: a mapping is expected")
        return Script(
            name=name,
            text=text,
            told=dict(told.event),
            arguments=arguments,
            user=told.actor.name,
            limits=self._limits,
            http=self._http and given.get("net_http") is True,
        )

    async def _stored(self, path: str, told: Told) -> bytes:
        """A script that stands in the repository, as the acting user may read it."""
        request = lake_request("get_object", [told.event["repository_id"], told.event["source_ref"], path])
        status, body = await self._inbound.request(told.actor, request.method, request.path, query=request.query)
        if status != 200:
            raise HookFailed(f"property script_path: {path}: {status} {_message(body)}")
        return body

    async def _live(self, script: Script, told: Told, log: list[str]) -> None:
        """A process from its start to its end."""
        if self._closed:
            raise HookFailed("not run: the server stops")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _BEGIN,
            _ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,
        )
        self._running.add(process)
        try:
            ended = await self._talk(process, script, told, log)
            if ended is None:
                raise HookFailed(await self._why(process, script.limits))
            if ended.error is not None:
                raise HookFailed(ended.error)
        finally:
            self._running.discard(process)
            _kill(process)
            await process.wait()

    async def _talk(
        self, process: asyncio.subprocess.Process, script: Script, told: Told, log: list[str]
    ) -> Ended | None:
        """Answer what the process asks until it says that it has ended; None when it ended without a word."""
        if process.stdin is None or process.stdout is None:
            raise HookFailed("the script's process has no pipes")
        said = 0
        try:
            process.stdin.write(framed(script))
            while True:
                message = await _received(process.stdout)
                if isinstance(message, Ended):
                    return message
                if isinstance(message, Said):
                    said += len(message.text)
                    if said <= script.limits.output:
                        log.append(message.text.decode(errors="replace"))
                else:
                    process.stdin.write(framed(await self._answer(message, script, told)))
                    await process.stdin.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def _answer(self, asked: Ask, script: Script, told: Told) -> Answer:
        try:
            if asked.what == "http":
                return Answer(await self._elsewhere(asked.arguments, script))
            return Answer(await self._lake(asked.what, asked.arguments, told))
        except HookFailed as error:
            return Answer(error=error.message)

    async def _lake(self, name: str, given: list[Any], told: Told) -> list[Any]:
        request = lake_request(name, given)
        status, body = await self._inbound.request(
            told.actor, request.method, request.path, query=request.query, body=request.body
        )
        if request.raw:
            return [status, body]
        return [status, _decoded(body)]

    async def _elsewhere(self, given: list[Any], script: Script) -> list[Any]:
        """A request through the one way out. Raises HookFailed."""
        if not script.http:
            raise HookFailed(
                "net/http: not allowed: the hook needs the property net_http: true, and the server's leave"
            )
        try:
            url, method, headers = msgspec.convert(given[:3], tuple[str, str, dict[str, str]])
        except msgspec.ValidationError as error:
            raise HookFailed(f"net/http: {error}") from error
        body = given[3] if len(given) > 3 else b""
        sent = body if isinstance(body, bytes) else str(body).encode()
        try:
            status, answer = await self._outbound.request(
                method, url, headers=headers, body=sent, timeout=script.limits.timeout
            )
        except Unavailable as error:
            raise HookFailed(f"net/http: {error.message}") from error
        return [status, answer, {}, f"{status} {_WORDS.get(status, '')}".strip()]

    async def _why(self, process: asyncio.subprocess.Process, limits: Limits) -> str:
        """Why a process ended without a word."""
        if self._closed:
            return "ended: the server stops"
        code = await process.wait()
        if code in (-24, -9):
            return f"the script used more than {limits.cpu} seconds of CPU, or more memory than there is"
        told = b"" if process.stderr is None else await process.stderr.read(4096)
        lines = told.decode(errors="replace").strip().splitlines()
        if lines and "MemoryError" in lines[-1]:
            return f"the script used more than {limits.memory} bytes of memory"
        return f"the script's process died ({code}): {lines[-1] if lines else 'it said nothing'}"


async def _received(reader: asyncio.StreamReader) -> FromScript:
    """The next message. Raises HookFailed for what is none."""
    size = int.from_bytes(await reader.readexactly(HEAD), "big")
    if size > LARGEST:
        raise HookFailed("the script asked for too much at once")
    try:
        message: FromScript = _decoder.decode(await reader.readexactly(size))
    except msgspec.DecodeError as error:
        raise HookFailed("the script's process cannot be understood") from error
    return message


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


def _decoded(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace")


def _message(body: bytes) -> str:
    """The message of an error's body."""
    found = _decoded(body)
    return str(found.get("message", "")) if isinstance(found, dict) else str(found)


def limits_of(*, cpu: float, memory: int, timeout: float, output: int) -> Limits:
    """Limits as settings have them. The CPU time is rounded up to whole seconds, which is what systems count."""
    return Limits(cpu=max(1, math.ceil(cpu)), memory=memory, timeout=timeout, output=output)
