# SPDX-License-Identifier: Apache-2.0
"""The page about buckets of the neuro platform is what happens: its examples run in order and print what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lakehouse.wire.buckets import OPERATIONS
from tests.compat.environments import interpreter
from tests.docs.test_tutorial import blocks, run, steps
from tests.running import running_server

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "neuro.md"
WHERE = "export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...\n"
FOREIGN = "import apolo_sdk"
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


@pytest.mark.xdist_group("apolo")
def test_the_example_for_the_published_clients(tmp_path: Path) -> None:
    [(at, code)] = [(at, text) for at, (_, text) in enumerate(blocks(PAGE.read_text())) if FOREIGN in text]
    printed = blocks(PAGE.read_text())[at + 1][1]
    with running_server(tmp_path / "lake") as server:
        done = subprocess.run(
            [str(interpreter("apolo")), "-"],
            input=code,
            env={
                "HOME": str(tmp_path),
                "PATH": os.environ["PATH"],
                "NO_PROXY": "127.0.0.1",
                "AWS_EC2_METADATA_DISABLED": "true",
                "LAKEHOUSE": server.url,
                "KEY": server.key,
                "SECRET": server.secret,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, printed), done.stderr


def test_every_request_is_in_the_table() -> None:
    rows = [f"| `{one.method} {one.path}` | {one.summary} |" for one in OPERATIONS]
    assert [line for line in PAGE.read_text().splitlines() if line.startswith(("| `GET", "| `P", "| `D"))] == rows
