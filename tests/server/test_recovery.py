# SPDX-License-Identifier: Apache-2.0
"""`lakehouse setup --recover`: back in after the last administrator locked everybody out, beside a running server."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.running import KEY, SECRET, running_server
from tests.server.test_backup import run


@pytest.fixture
def locked(tmp_path):
    """A server on which nobody may do anything any more."""
    with running_server(tmp_path) as server:
        with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as admin:
            for policy in ("FSFullAccess", "AuthFullAccess"):
                admin.delete(f"/auth/groups/Admins/policies/{policy}")
            assert admin.get("/auth/users").status_code == 401
        yield server, str(tmp_path)


def recover(data: str, *arguments: str) -> tuple[str, str]:
    code, said, told = run("setup", "--recover", "--json", "--data", data, *arguments)
    assert (code, told) == (0, "")
    made = json.loads(said)
    return made["access_key_id"], made["secret_access_key"]


def eventually(client: httpx2.Client, path: str) -> httpx2.Response:
    """A change of policies counts within a second; a few tries of a fresh client are sooner than that or not."""
    for _ in range(2000):
        answer = client.get(path)
        if answer.is_success:
            return answer
    return answer


def test_the_same_administrator(locked):
    server, data = locked
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=recover(data)) as admin:
        assert [user["id"] for user in eventually(admin, "/auth/users").json()["results"]] == ["admin"]
        assert admin.post("/repositories", json={"name": "back"}).status_code == 201
        events = admin.get("/auth/audit", params={"operation": "recover_administrator"}).json()["results"]
        assert [event["actor"] for event in events] == ["shell"]
        assert admin.get("/auth/audit/verify").json()["whole"] is True
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=(KEY, SECRET)) as before:
        assert before.get("/user").status_code == 200  # nothing was taken away


def test_a_new_one(locked):
    server, data = locked
    with httpx2.Client(base_url=f"{server.url}/api/v1", auth=recover(data, "rescue")) as admin:
        assert eventually(admin, "/auth/users").status_code == 200
        assert admin.get("/user").json()["user"]["id"] == "rescue"


def test_not_before_there_is_a_lake(tmp_path):
    code, _, told = run("setup", "--recover", "--data", str(tmp_path))
    assert code == 1
    assert "there is no lake" in told
