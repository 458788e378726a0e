# SPDX-License-Identifier: Apache-2.0
"""The process of one script: it gives up all it does not need, runs the script, and ends.

Invariant: when the script's first line runs, this process can open no file and no connection, cannot fork, and has a
limit of CPU and of memory. It reads from its standard input and writes to its standard output, and the script reaches
these only through `Ask` and `Said`.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from lupa.lua54 import LuaError, LuaMemoryError, LuaRuntime

from lakehouse.actions.lua.library import MODULES
from lakehouse.actions.lua.messages import HEAD, Answer, Ask, Ended, Limits, Said, Script, ToScript, framed
from lakehouse.actions.lua.prelude import PRELUDE
from lakehouse.actions.lua.values import Values, as_bytes, as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.actions.lua.messages import FromScript

SPARE = 64 << 20
"""Bytes of memory for all but the script's own values."""
_decoder = msgspec.msgpack.Decoder(ToScript)


class Refused(Exception):
    """A call cannot be carried out; the script gets the text as an error."""


def main() -> None:
    """Run the script that comes by the standard input."""
    script = _received()
    if not isinstance(script, Script):
        raise SystemExit("a script is expected")
    _give_up(script.limits)
    try:
        _send(Ended(_run(script)))
    except MemoryError:
        _send(Ended(_too_much(script)))


def _run(script: Script) -> str | None:
    """Run the script; what went wrong, if anything."""
    lua = LuaRuntime(
        encoding="latin-1",
        attribute_filter=_no_attributes,
        register_eval=False,
        register_builtins=False,
        unpack_returned_tuples=True,
        max_memory=script.limits.memory,
    )
    try:
        world = lua.execute(PRELUDE, *_host(lua, script))
        told = Values(lua, world["mark"], world["marked"], longest=_longest(script))
        error = world["run"](
            script.text.decode("latin-1"),
            f"={as_text(script.name)}",
            told.to_lua(script.told),
            told.to_lua(script.arguments),
            as_text(script.user),
        )
    except LuaMemoryError:
        return _too_much(script)
    except LuaError as failure:
        return as_bytes(str(failure)).decode(errors="replace")
    if error == "not enough memory":
        return _too_much(script)
    return None if error is None else as_bytes(str(error)).decode(errors="replace")


def _longest(script: Script) -> int:
    return script.limits.memory // 4


def _too_much(script: Script) -> str:
    return f"the script used more than {script.limits.memory} bytes of memory"


def _host(lua: LuaRuntime, script: Script) -> tuple[Callable[..., Any], Callable[[str], None]]:
    """What the prelude calls: a function of the library by its name, and a line that was printed."""
    values: list[Values] = []
    left = [script.limits.output]

    def call(mark: Any, marked: Any, name: str, *given: Any) -> tuple[Any, ...]:
        if not values:
            values.append(Values(lua, mark, marked, longest=_longest(script)))
        try:
            plain = [values[0].from_lua(one) for one in given]
            module, _, function = name.rpartition(".")
            if module in ("lakefs", "http"):
                found = _asked(function if module == "lakefs" else "http", plain)
            else:
                made = MODULES[module][function](*plain)
                found = list(made) if isinstance(made, tuple) else [made]
            return (True, *[values[0].to_lua(one) for one in found])
        except MemoryError:
            return (False, "not enough memory")
        except Exception as error:  # noqa: BLE001  (no object of Python's may reach the script, errors least of all)
            return (False, as_text(str(error) or type(error).__name__))

    def say(line: str) -> None:
        if left[0] > 0:
            _send(Said(as_bytes(line)[: left[0]]))
            left[0] -= len(line) + 1

    return call, say


def _asked(what: str, given: list[Any]) -> list[Any]:
    """Ask the server. Raises Refused."""
    _send(Ask(what, given))
    answer = _received()
    if not isinstance(answer, Answer):
        raise SystemExit("an answer is expected")
    if answer.error is not None:
        raise Refused(answer.error)
    return answer.values


def _no_attributes(_owner: object, name: object, _setting: bool) -> str:
    raise AttributeError("no attributes")


def _give_up(limits: Limits) -> None:
    """Take from this process what a script has no use for."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    size = pages * resource.getpagesize() + 3 * limits.memory + SPARE
    for what, most in (
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def _send(message: FromScript) -> None:
    sys.stdout.buffer.write(framed(message))
    sys.stdout.buffer.flush()


def _received() -> ToScript:
    head = sys.stdin.buffer.read(HEAD)
    if len(head) < HEAD:
        raise SystemExit("nobody is there any more")
    message: ToScript = _decoder.decode(sys.stdin.buffer.read(int.from_bytes(head, "big")))
    return message
