# SPDX-License-Identifier: Apache-2.0
"""`lakehouse fsck` beside a running server: words, JSON, exit codes, and that it makes and changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from lakehouse.sdk import Client
from tests.running import KEY, SECRET, running_server


def fsck(data, *options: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse", "fsck", "--data", str(data), *options],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def served(tmp_path):
    with running_server(tmp_path) as server, Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
        lake.repositories.create_repository("one")
        lake.staging.upload("one", "main", "kept", b"kept body")
        lake.staging.upload("one", "main", "lost", b"lost body" * 20_000)
        lake.commits.commit("one", "main", "m")
        yield tmp_path


def test_beside_a_server(served):
    code, said, _ = fsck(served, "--bytes")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    [lost] = [
        path
        for path in (served / "objects" / "objects").rglob("*")
        if path.is_file() and b"lost body" in path.read_bytes()
    ]
    lost.unlink()
    code, said, _ = fsck(served)
    assert code == 4
    assert "ERROR object_missing in one" in said
    assert "needed by main: lost" in said
    assert "repair: restore this key" in said
    code, said, told = fsck(served, "--json", "one")
    report = json.loads(said)
    assert (code, told) == (4, "")
    assert [(one["kind"], one["refs"]) for one in report["problems"]] == [("object_missing", ["main: lost"])]
    assert (report["repositories"], report["objects"], report["by_kind"]) == (1, 2, {"object_missing": 1})


def test_a_repository_that_is_not_there(served):
    code, said, told = fsck(served, "none")
    assert (code, said) == (1, "")
    assert "not found" in told


def test_no_lake_is_made(tmp_path):
    code, _, told = fsck(tmp_path / "nothing")
    assert code == 1
    assert "there is no lake" in told
    assert not (tmp_path / "nothing").exists()
