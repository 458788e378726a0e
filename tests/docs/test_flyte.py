# SPDX-License-Identifier: Apache-2.0
"""The pages about Flyte are what happens: their examples run as they stand, after the line that says where to."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.test_tutorial import run, steps
from tests.running import running_server

ROOT = Path(__file__).parents[2] / "docs" / "howto"
WHERE = "export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
@pytest.mark.parametrize("name", ["flyte-cache.md", "flyte-client.md", "flyte-storage.md"])
def test_examples(tmp_path: Path, name: str) -> None:
    _, (where, *examples) = steps((ROOT / name).read_text())
    assert where == (WHERE, "")
    assert all(output for _, output in examples)
    with running_server(tmp_path / "lake") as server:
        export = f"export LAKEHOUSE={server.url} KEY={server.key} SECRET={server.secret}"
        printed = run([export, *(commands for commands, _ in examples)], tmp_path)
    assert printed[1:] == [output for _, output in examples], server.output
