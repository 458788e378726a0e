# SPDX-License-Identifier: Apache-2.0
"""Published clients of other projects, as they are, against a real server.

A script in `clients/` runs in an environment of its own, where nothing of lakehouse is installed. Its first lines name
the environment; each function `check_...` in it is one test here. A line `# deep` marks them as such.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.compat.environments import ENVIRONMENTS, PYTHONS, interpreter, python_of

if TYPE_CHECKING:
    from tests.running import RunningServer

DEEP = re.compile(r"^# deep$", re.MULTILINE)
CLIENTS = Path(__file__).parent / "clients"
ENVIRONMENT = re.compile(r"^# environment: (\w+)$", re.MULTILINE)
CHECKS = re.compile(r"^# checks: (\w+)$", re.MULTILINE)
SECONDS = 240


def scripts() -> list[Path]:
    return [path for path in sorted(CLIENTS.glob("*.py")) if ENVIRONMENT.search(path.read_text())]


def environment_of(script: Path) -> str:
    found = ENVIRONMENT.search(script.read_text())
    assert found is not None
    return found.group(1)


def checks(script: Path) -> list[str]:
    """The names of its checks, or of those of the file beside it that it runs."""
    named = CHECKS.search(script.read_text())
    tree = ast.parse((CLIENTS / f"{named.group(1)}.py" if named else script).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("check_")]


def marks(script: Path) -> list[pytest.MarkDecorator]:
    group = pytest.mark.xdist_group(script.stem)
    return [group, pytest.mark.deep] if DEEP.search(script.read_text()) else [group]


CASES = [
    pytest.param(script, check, id=f"{script.stem}-{check[6:]}", marks=marks(script))
    for script in scripts()
    for check in checks(script)
]


def run_script(script: Path, server: RunningServer, home: Path) -> dict[str, str]:
    """Run all checks of a script: what went wrong in each, empty when nothing did."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    report = home / "report.json"
    done = subprocess.run(
        [str(interpreter(environment_of(script))), str(script)],
        env={
            **inherited,
            "HOME": str(home),  # no configuration of whoever runs this
            "TMPDIR": str(home),  # some keep downloads there, by the object's name
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "CHECK_ENDPOINT": server.url,
            "CHECK_KEY": server.key,
            "CHECK_SECRET": server.secret,
            "CHECK_REPORT": str(report),
        },
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not report.exists():
        raise RuntimeError(f"{script.name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    outcome: dict[str, str] = json.loads(report.read_text())
    return outcome


@pytest.fixture(scope="session")
def outcomes() -> dict[str, dict[str, str]]:
    """What the scripts that have run have reported, by script."""
    return {}


@pytest.mark.parametrize(("script", "check"), CASES)
def test_client(
    script: Path,
    check: str,
    server: RunningServer,
    outcomes: dict[str, dict[str, str]],
    tmp_path: Path,
) -> None:
    environment = environment_of(script)
    if python_of(environment) is None:
        pytest.skip(f"there is no Python {PYTHONS[environment]} on this machine")
    if script.stem not in outcomes:
        outcomes[script.stem] = {}  # so that a script which cannot run is not run again for each of its checks
        outcomes[script.stem] = run_script(script, server, tmp_path)
    assert check in outcomes[script.stem], "the script ended before this check"
    assert outcomes[script.stem][check] == "", outcomes[script.stem][check]


def test_every_environment_has_a_script() -> None:
    assert {environment_of(script) for script in scripts()} == set(ENVIRONMENTS)
    assert all(checks(script) for script in scripts())
