# SPDX-License-Identifier: Apache-2.0
"""The tutorial is what happens: its commands run in order against a real server, and print what it says they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import RunningServer, running_server

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-lake.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "=== end of a block ==="
PORT = "8000"


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


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_first_use_of_the_readme(tmp_path: Path) -> None:
    """Each of the README's examples runs as it stands, after its line that says where the server is."""
    text = (ROOT / "README.md").read_text().partition("## First use")[2].partition("## Documentation")[0]
    _, (where, *examples) = steps(text)
    assert where[0].startswith("export LAKEHOUSE=http://127.0.0.1:8000 KEY=... SECRET=...")
    with running_server(tmp_path / "lake") as server:
        export = f"export LAKEHOUSE={server.url} KEY={server.key} SECRET={server.secret}"
        printed = run([export, *(commands for commands, _ in examples)], tmp_path)
    assert [text.splitlines()[-1] for text in printed[1:3]] == ["b'hello, lake'", "hello, lake"]
    assert printed[3].count("/data/") == 2


def test_blocks_are_taken_in_order() -> None:
    text = "```sh\nlakehouse serve --port 8000\n```\n```sh\na\n```\n```text\nout\n```\n```python\nb\n```\n"
    server, found = steps(text)
    assert server == "lakehouse serve --port 8000\n"
    assert found == [("a\n", "out\n"), ("python3 - <<'END_OF_PYTHON'\nb\nEND_OF_PYTHON\n", "")]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_a_block_that_fails_is_named(tmp_path: Path) -> None:
    assert run(["echo one", "x=2", "echo $x"], tmp_path) == ["one\n", "", "2\n"]
    with pytest.raises(AssertionError, match="block 2 failed"):
        run(["echo one", "false", "echo three"], tmp_path)
