# SPDX-License-Identifier: Apache-2.0
"""The served document, taken at its word: schemathesis sends what it allows, and what it does not, to a running server.

A few requests to each operation here; `make deep` sends many, and all that it can think of at the edges.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.running import KEY, SECRET, running_server

SETTINGS = Path(__file__).with_name("schemathesis.toml")
OWN_RIGHTS = (
    "deleteUser", "deleteGroup", "deletePolicy", "updatePolicy", "detachPolicyFromGroup", "detachPolicyFromUser",
    "deleteGroupMembership", "deleteCredentials", "setGroupACL", "revokeSessions", "attachPolicyToUser",
    "attachPolicyToGroup",
)  # fmt: skip
"""What would take the tester's own rights away half-way."""


def send(folder, *options: str) -> str:
    """Run schemathesis on a server of its own; fails with what it said."""
    with running_server(folder) as server:
        with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as client:
            client.post("/repositories", json={"name": "main"}).raise_for_status()
            known = {one["operationId"] for path in client.get(f"{server.url}/openapi.json").json()["paths"].values()
                     for one in path.values()}  # fmt: skip
        assert set(OWN_RIGHTS) <= known
        pair = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS),
                "run", f"{server.url}/openapi.json", "--url", f"{server.url}/api/v1",
                "--header", f"Authorization: Basic {pair}", "--generation-deterministic", "--request-timeout", "30",
                "--warnings", "off", "--no-color", *options,
            ],
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("LAKEHOUSE_")},
            cwd=folder,
            check=False,
        )  # fmt: skip
        assert "Traceback" not in server.output, server.output
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-20_000:]
    return said


def without(names) -> list[str]:
    return [part for name in names for part in ("--exclude-operation-id", name)]


def only(names) -> list[str]:
    return [part for name in names for part in ("--include-operation-id", name)]


def test_a_few_requests_to_each_operation(tmp_path):
    said = send(tmp_path, "--phases", "fuzzing", "--max-examples", "1", *without(OWN_RIGHTS))
    assert "Server error" not in said


@pytest.mark.deep
def test_many_requests_to_each_operation(tmp_path):
    send(tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "30", *without(OWN_RIGHTS))


@pytest.mark.deep
def test_what_takes_rights_away(tmp_path):
    send(tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "30", *only(OWN_RIGHTS))
