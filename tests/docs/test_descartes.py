# SPDX-License-Identifier: Apache-2.0
"""The page about Descartes Labs Storage is what happens: its examples run in order and print what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.compat.environments import interpreter, python_of
from tests.docs.test_tutorial import blocks, run, steps
from tests.running import RunningServer, running_server

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "descartes.md"
WHERE = "export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...\n"
FOREIGN = "descarteslabs.auth"
"""In the example that runs where the published client is installed."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_examples(tmp_path: Path) -> None:
    _, (where, foreign, *examples) = steps(PAGE.read_text())
    assert where == (WHERE, "")
    assert FOREIGN in foreign[0]
    assert all(output and FOREIGN not in commands for commands, output in examples)
    with running_server(tmp_path / "lake") as server:
        export = f"export LAKEHOUSE={server.url} KEY={server.key} SECRET={server.secret}"
        printed = run([export, *(commands for commands, _ in examples)], tmp_path)
    assert printed[1:] == [output for _, output in examples], server.output


@pytest.mark.deep
@pytest.mark.skipif(python_of("descartes") is None, reason="there is no Python 3.8 on this machine")
def test_the_example_for_the_published_client(tmp_path: Path) -> None:
    [(at, code)] = [(at, text) for at, (_, text) in enumerate(blocks(PAGE.read_text())) if FOREIGN in text]
    printed = blocks(PAGE.read_text())[at + 1][1]
    with running_server(tmp_path / "lake") as server:
        done = subprocess.run(
            [str(interpreter("descartes")), "-"],
            input=code,
            env=environment(server, tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def environment(server: RunningServer, home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "NO_PROXY": "127.0.0.1",
        "LAKEHOUSE": server.url,
        "KEY": server.key,
        "SECRET": server.secret,
    }
