# SPDX-License-Identifier: Apache-2.0
"""The examples of a page: its fenced blocks, run in order as they stand, and what the page says that they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.compat.environments import interpreter
from tests.running import running_server

if TYPE_CHECKING:
    from tests.running import RunningServer

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "=== end of a block ==="
HOWTO = Path(__file__).parents[2] / "docs" / "howto"
WHERE = "export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...\n"
"""The line with which pages begin that are about a server: where it is."""
NEEDS_BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
NEEDS_CURL = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")


def blocks(text: str) -> list[tuple[str, str]]:
    """The fenced blocks: (language, content)."""
    found = BLOCK.findall(text)
    assert {language for language, _ in found} <= {"sh", "python", "text"}
    return found


def steps(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The block that starts the server, and the others as (commands, what they print)."""
    server = ""
    found: list[tuple[str, str]] = []
    for language, content in blocks(text):
        if language == "text":
            assert found[-1][1] == "", "a block has one block of output"
            found[-1] = (found[-1][0], content)
        elif "lakehouse serve" in content:
            assert server == "", "the server is started once"
            server = content
        elif language == "python":
            found.append((f"python3 - <<'END_OF_PYTHON'\n{content}END_OF_PYTHON\n", ""))
        else:
            found.append((content, ""))
    return server, found


def environment(home: Path) -> dict[str, str]:
    """Of a newcomer: the program on the path, nothing configured."""
    tree = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return {
        **tree,
        "HOME": str(home),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1",
    }


def run(commands: list[str], folder: Path) -> list[str]:
    """Run the blocks in one shell, as a reader does; what each of them printed."""
    script = "\n".join(f"{block}\nprintf '%s\\n' '{END}'" for block in commands)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = done.stdout.split(f"{END}\n")
    assert done.returncode == 0, (
        f"block {len(printed)} failed:\n{commands[len(printed) - 1]}\n{done.stdout}{done.stderr}"
    )
    return printed[:-1]


def whereabouts(server: RunningServer) -> dict[str, str]:
    """The variables of `WHERE`, filled in."""
    return {"LAKEHOUSE": server.url, "KEY": server.key, "SECRET": server.secret}


def run_at(server: RunningServer, examples: list[str], folder: Path) -> list[str]:
    """Run the blocks behind a `WHERE` that names this server; what each of them printed."""
    export = "export " + " ".join(f"{name}={value}" for name, value in whereabouts(server).items())
    return run([export, *examples], folder)[1:]


def check_page(text: str, folder: Path, *, foreign: str | None = None) -> None:
    """After the line that says where the server is, every example prints what the page says. The first one is left out
    if `foreign` is given, which stands in it and in no other: it runs where a published client is installed.
    """
    _, (where, *examples) = steps(text)
    assert where == (WHERE, "")
    if foreign is not None:
        assert foreign in examples.pop(0)[0]
        assert all(foreign not in commands for commands, _ in examples)
    assert all(output for _, output in examples)
    with running_server(folder / "lake") as server:
        printed = run_at(server, [commands for commands, _ in examples], folder)
    assert printed == [output for _, output in examples], server.output


def check_foreign(text: str, folder: Path, *, foreign: str, environment: str) -> None:
    """The one block with `foreign` in it, run where a published client is installed, prints what the page says."""
    [(at, code)] = [(at, text) for at, (_, text) in enumerate(blocks(text)) if foreign in text]
    printed = blocks(text)[at + 1][1]
    with running_server(folder / "lake") as server:
        done = subprocess.run(
            [str(interpreter(environment)), "-"],
            input=code,
            env={
                **whereabouts(server),
                "HOME": str(folder),
                "PATH": os.environ["PATH"],
                "NO_PROXY": "127.0.0.1",
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr
