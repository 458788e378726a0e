# SPDX-License-Identifier: Apache-2.0
"""The services of docker-compose.yml as processes: the same command lines and variables, on ports of this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from lakehouse.sdk import Client
from tests.running import KEY, SECRET, start_server

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DOT_ENV = {
    "LAKEHOUSE_SECRET": "0123456789abcdef0123456789abcdef",
    "LAKEHOUSE_ADMIN_ACCESS_KEY_ID": KEY,
    "LAKEHOUSE_ADMIN_SECRET_ACCESS_KEY": SECRET,
    "POSTGRES_PASSWORD": "nobody asks for it here",
    "STORE_ACCESS_KEY_ID": "AKIASTORE",
    "STORE_SECRET_ACCESS_KEY": "secret-of-the-store",
}


def filled(text: str, values: dict[str, str]) -> str:
    """What compose makes of a value. Raises KeyError for a variable that must be set."""

    def one(match: re.Match[str]) -> str:
        name, how, default = match.groups()
        return values.get(name) or (default if how == ":-" else values[name])

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", one, text)


def start(name: str, data: Path, values: dict[str, str], **replaced: str):
    """A service as a process: its command without host, port and data, which are this machine's."""
    service = SERVICES[name]
    command, *options = service["command"]
    kept, skip = [], False
    for option in options:
        if skip:
            skip = False
        elif option in ("--host", "--port", "--data"):
            skip = True
        else:
            kept.append(option)
    environment = {key: filled(value, values) for key, value in service["environment"].items()}
    return start_server(data, *kept, environment={**environment, **replaced}, command=command)


@pytest.fixture(scope="module")
def running(postgres, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose")
    store = start("store", folder / "store", DOT_ENV)
    try:
        url = postgres.new_database()
        values = {**DOT_ENV, "STORE_ENDPOINT": store.url}
        server = start("lakehouse", folder / "server", values, LAKEHOUSE_DATABASE__URL=url)
        try:
            environment = {
                name: filled(value, values) for name, value in SERVICES["lakehouse"]["environment"].items()
            } | {"LAKEHOUSE_DATABASE__URL": url}
            yield server, store, folder / "server", environment
        finally:
            assert server.stop() in (0, -15)
    finally:
        assert store.stop() in (0, -15)


def run(data: Path, environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        env={**own, **environment},
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_main_job(running):
    server, store, data, environment = running
    with Client(server.url, access_key_id=KEY, secret_access_key=SECRET) as lake:
        repository = lake.repositories.create_repository("composed")
        assert repository.storage_namespace.startswith("s3://lake/")
        lake.staging.upload("composed", "main", "a/b.txt", b"through the store")
        lake.commits.commit("composed", "main", "first")
        assert lake.objects.get_object("composed", "main", "a/b.txt") == b"through the store"
        address = lake.objects.stat_object("composed", "main", "a/b.txt", presign=True).physical_address
        assert address.startswith(store.url)
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == b"through the store"
    for service in (server, store):
        with urllib.request.urlopen(f"{service.url}/_health", timeout=10) as answer:
            assert answer.status == 200
    code, said = run(data, environment, "gc", "--json")
    assert code == 0
    assert '"repository":"composed"' in said
    code, said = run(data, environment, "fsck", "--bytes")
    assert code == 0, said
    assert "All is well." in said
    code, said = run(data, environment, "db", "inspect", "--json")
    assert json.loads(said)["database"].startswith("PostgreSQL ")
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    assert "lakehouse_workers 2" in page


def test_what_must_be_set_is_asked_for():
    with pytest.raises(KeyError):
        filled(SERVICES["lakehouse"]["environment"]["LAKEHOUSE_SECRET"], {})
