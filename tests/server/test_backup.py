# SPDX-License-Identifier: Apache-2.0
"""`lakehouse db`: a backup beside a server that is written to, put back, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading

import pytest

from lakehouse.config.model import Config, Database, Secret
from lakehouse.core.errors import BadConfiguration
from lakehouse.sdk import Client
from lakehouse.server.backup import back_up, restore
from tests.running import KEY, SECRET, running_server


def run(*arguments: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "AWS_"))}
    done = subprocess.run(
        [sys.executable, "-m", "lakehouse", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def client_of(server) -> Client:
    return Client(server.url, access_key_id=KEY, secret_access_key=SECRET)


def paths(lake: Client) -> set[str]:
    return {one.path for one in lake.objects.list_objects("one", "main", amount=1000).results}


def test_backed_up_under_load_and_put_back(tmp_path):
    data, saved = tmp_path / "data", tmp_path / "saved"
    with running_server(data) as server, client_of(server) as lake:
        lake.repositories.create_repository("one")
        for number in range(20):
            lake.staging.upload("one", "main", f"before/{number}", b"x")
        lake.commits.commit("one", "main", "before")
        ended = threading.Event()
        written = []

        def write() -> None:
            with client_of(server) as own:
                while not ended.is_set():
                    own.staging.upload("one", "main", f"beside/{len(written)}", b"y")
                    written.append(len(written))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            code, said, told = run("db", "backup", "--data", str(data), str(saved), "--json")
        finally:
            ended.set()
            writer.join()
        assert (code, told) == (0, "")
        lake.staging.upload("one", "main", "after", b"z")
        second = lake.repositories.create_repository("two")
        code, _, told = run("db", "restore", "--data", str(data), str(saved), "--force")
        assert code == 1
        assert "stop the servers first" in told
    manifest = json.loads(said)
    assert sorted(manifest["files"]) == ["metadata.sqlite", "secret"]
    assert (saved / "secret").stat().st_mode & 0o077 == 0
    assert not saved.with_name("saved.partial").exists()

    code, _, told = run("db", "restore", "--data", str(data), str(saved))
    assert code == 1
    assert "--force" in told
    code, said, _ = run("db", "restore", "--data", str(data), str(saved), "--force")
    assert code == 0
    assert len(list(data.glob("metadata.sqlite.before-*Z"))) == 1
    code, said, _ = run("fsck", "--data", str(data), "--bytes")
    assert (code, said.splitlines()[-1]) == (0, "All is well.")
    with running_server(data) as server, client_of(server) as lake:
        shown = paths(lake)
        assert {f"before/{number}" for number in range(20)} <= shown
        assert "after" not in shown
        beside = sorted(int(path.partition("/")[2]) for path in shown if path.startswith("beside/"))
        assert beside == list(range(len(beside)))  # one moment's state: no later write without the earlier ones
        # A name that was given after the backup gets a namespace of its own, not the one that is in the store already.
        assert lake.repositories.create_repository("two").storage_namespace != second.storage_namespace


def test_into_an_empty_directory(tmp_path):
    data, saved, other = tmp_path / "data", tmp_path / "saved", tmp_path / "other"
    with running_server(data) as server, client_of(server) as lake:
        lake.repositories.create_repository("one")
        lake.staging.upload("one", "main", "p", b"body")
        lake.commits.commit("one", "main", "m")
        assert run("db", "backup", "--data", str(data), str(saved))[0] == 0
        assert run("db", "backup", "--data", str(data), str(saved))[0] == 1  # nothing is overwritten
        shutil.copytree(data / "objects" / "objects", other / "objects" / "objects")  # files only: no index
        shutil.copy(data / "objects" / "store.json", other / "objects")
    assert run("db", "restore", "--data", str(other), str(saved))[0] == 0
    with running_server(other) as server, client_of(server) as lake:
        assert lake.objects.get_object("one", "main", "p") == b"body"
    code, said, _ = run("fsck", "--data", str(other))
    assert (code, said.splitlines()[-1]) == (0, "All is well.")


def test_a_damaged_backup_is_refused(tmp_path):
    data, saved = tmp_path / "data", tmp_path / "saved"
    with running_server(data):
        pass
    back_up(Config(data=str(data)), saved, with_secret=False)
    assert not (saved / "secret").exists()
    with (saved / "metadata.sqlite").open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff")
    code, _, told = run("db", "restore", "--data", str(data), str(saved), "--force")
    assert code == 1
    assert "is not what it was" in told
    assert not list(data.glob("*.before-*"))
    assert run("db", "restore", "--data", str(data), str(data))[0] == 1  # no backup at all


def test_a_lake_without_its_database(tmp_path):
    with running_server(tmp_path) as server, client_of(server) as lake:
        namespace = lake.repositories.create_repository("one").storage_namespace
        lake.staging.upload("one", "main", "p", b"body")
        lake.commits.commit("one", "main", "m")
    for path in tmp_path.glob("metadata.sqlite*"):
        path.unlink()
    code, said, told = run("db", "rebuild", "one", namespace, "--data", str(tmp_path))
    assert (code, told) == (0, "")
    assert "one: 2 commits, branches main" in said
    with running_server(tmp_path) as server, client_of(server) as lake:
        assert lake.objects.get_object("one", "main", "p") == b"body"


def test_inspect(tmp_path):
    with running_server(tmp_path):
        code, said, _ = run("db", "inspect", "--data", str(tmp_path))
        assert code == 0
        assert "0001_initial" in said
        shown = json.loads(run("db", "inspect", "--data", str(tmp_path), "--json")[1])
    rows = {table["name"]: table["rows"] for table in shown["tables"]}
    assert (rows["users"], rows["credentials"], rows["repositories"]) == (1, 1, 0)
    assert shown["missing"] == []
    assert shown["database"].startswith("SQLite ")
    assert run("db", "inspect", "--data", str(tmp_path / "nothing"))[0] == 1


def test_inspect_on_postgres(postgres, tmp_path):
    url = postgres.new_database()
    flags = ("--data", str(tmp_path), "--database", url)
    shown = json.loads(run("db", "inspect", *flags, "--json")[1])
    assert (shown["applied"], shown["tables"]) == ([], [])
    code, _, told = run("fsck", *flags)
    assert code == 1
    assert "secret" in told


def test_postgres_has_its_own(tmp_path):
    config = Config(
        data=str(tmp_path), database=Database(url="postgresql://u@localhost/x"), secret=Secret("0123456789abcdef")
    )
    with pytest.raises(BadConfiguration, match="pg_dump"):
        back_up(config, tmp_path / "saved", with_secret=True)
    with pytest.raises(BadConfiguration, match="pg_restore"):
        restore(config, tmp_path, force=True)
