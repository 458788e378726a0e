# SPDX-License-Identifier: Apache-2.0
"""The tutorial is what happens: its commands run in order against a real server, and print what it says they print."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.examples import NEEDS_BASH, NEEDS_CURL, environment, run, run_at, steps
from tests.running import RunningServer, running_server

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-lake.md"
PORT = "8000"


def start(block: str, folder: Path) -> RunningServer:
    """Run the tutorial's own lines, but for the port: any free one."""
    assert f"--port {PORT}" in block
    lines = block.replace(f"--port {PORT}", "--port 0").replace("lakehouse serve", "exec lakehouse serve")
    process = subprocess.Popen(
        ["bash", "-euc", lines],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = RunningServer(process)
    try:
        server.wait_until_ready(seconds=30)
    except BaseException:
        server.kill()
        raise
    return server


@NEEDS_CURL
@NEEDS_BASH
def test_tutorial(tmp_path: Path) -> None:
    start_block, others = steps(TUTORIAL.read_text())
    server = start(start_block, tmp_path)
    try:
        here = server.url.removeprefix("http://")
        printed = run([commands.replace(f"127.0.0.1:{PORT}", here) for commands, _ in others], tmp_path)
        assert printed == [output for _, output in others], server.output
    finally:
        server.stop()
    assert (tmp_path / "lake").is_dir()


@NEEDS_CURL
@NEEDS_BASH
def test_first_use_of_the_readme(tmp_path: Path) -> None:
    """Each of the README's examples runs as it stands, after its line that says where the server is."""
    text = (ROOT / "README.md").read_text().partition("## First use")[2].partition("## Documentation")[0]
    _, (where, *examples) = steps(text)
    assert where[0].startswith("export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...")
    with running_server(tmp_path / "lake") as server:
        printed = run_at(server, [commands for commands, _ in examples], tmp_path)
    assert [text.splitlines()[-1] for text in printed[:2]] == ["b'hello, lake'", "hello, lake"]
    assert printed[2].count("/data/") == 2


def test_blocks_are_taken_in_order() -> None:
    text = "```sh\nlakehouse serve --port 8000\n```\n```sh\na\n```\n```text\nout\n```\n```python\nb\n```\n"
    server, found = steps(text)
    assert server == "lakehouse serve --port 8000\n"
    assert found == [("a\n", "out\n"), ("python3 - <<'END_OF_PYTHON'\nb\nEND_OF_PYTHON\n", "")]


@NEEDS_BASH
def test_a_block_that_fails_is_named(tmp_path: Path) -> None:
    assert run(["echo one", "x=2", "echo $x"], tmp_path) == ["one\n", "", "2\n"]
    with pytest.raises(AssertionError, match="block 2 failed"):
        run(["echo one", "false", "echo three"], tmp_path)
