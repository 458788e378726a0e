# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server for the tests: made in a temporary folder, shared by all processes of a test run, gone after it.

    python -m tests.postgres install     make sure that its programs are there

The server belongs to a keeper process, which ends it as soon as no test process holds the lock file any more: whatever
happens to the tests, nothing stays behind. It sorts text by the rules of a language, as many real ones do, and does
not wait for the disk: no test here cuts the power of the database itself.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
ADVICE = (
    "the tests need PostgreSQL 13 or newer (its programs only, no running server): run `make postgres` as root, or "
    "install the package `postgresql` of your system, or name the folder of `initdb` in LAKEHOUSE_TEST_POSTGRES"
)
OPTIONS = ("max_connections=200", "listen_addresses=")
HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SCHEMA = "&options=-csearch_path%3D"
EMPTY = """do $$ declare name text; begin
for name in select tablename from pg_tables where schemaname = '{schema}' and tablename <> 'schema_migrations' loop
    execute format('delete from {schema}.%I', name);
end loop;
perform setval(oid, 1, false) from pg_class where relkind = 'S' and relnamespace = '{schema}'::regnamespace;
end $$"""
"""No rows, and ids from 1 on. Deletes, because a truncated table gets new files, and so does each of its indexes."""


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest there is."""
    named = os.environ.get("LAKEHOUSE_TEST_POSTGRES")
    found = [Path(named)] if named else []
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    for pattern in FOLDERS:
        found += sorted(Path("/").glob(pattern[1:]), key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))])[
            ::-1
        ]
    return next((path for path in found if (path / "initdb").exists() and (path / "postgres").exists()), None)


class Cluster:
    """A running server, reached through the socket in `folder`. Whoever has made it closes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = ""
        self._idle: list[str] = []
        self._connections: dict[str, psycopg.Connection[Any]] = {}

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of a new, empty database. It goes when the server does: to drop one takes a checkpoint."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self._run(f"create database {name}", self.url())
        return self.url(name)

    def new_schema(self) -> str:
        """The URL of a new, empty schema in a database of this process: a hundred times as fast to make."""
        if not self._own:
            self._own = self.new_database()
        name = f"s{uuid.uuid4().hex[:12]}"
        self._run(f"create schema {name}", self._own)
        return self._own + SCHEMA + name

    @contextmanager
    def place(self) -> Iterator[str]:
        """The URL of a schema without rows, for as long as the block lasts; connections to it end before. It may have
        the lake's tables already: to empty them takes a millisecond, to make them a hundred. Who makes other tables
        wants `new_schema`.
        """
        url = self._idle.pop() if self._idle else self.new_schema()
        yield url
        self._run(EMPTY.format(schema=url.removeprefix(self._own + SCHEMA)), self._own)
        self._idle.append(url)

    def _run(self, statement: str, url: str) -> None:
        """Run a statement on a connection that is kept: what a new one does first takes ten times as long."""
        if url not in self._connections:
            self._connections[url] = psycopg.connect(url, autocommit=True)
        self._connections[url].execute(statement.encode())

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


@contextmanager
def cluster(shared: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """The server of all processes that name the same folder `shared`; the first one starts it.

    A `durable` one waits for the disk.
    """
    with (shared / "postgres.users").open("w") as users, (shared / "postgres.start").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # from here on the keeper leaves the server alone
        ready = shared / "postgres.ready"
        if not ready.exists():
            _start_keeper(shared, durable=durable)
        fcntl.flock(start, fcntl.LOCK_UN)
        with closing(Cluster(Path(ready.read_text()))) as running:
            yield running


def _start_keeper(shared: Path, *, durable: bool) -> None:
    keeper = subprocess.Popen(
        [sys.executable, __file__, "keep", str(shared), *(["durable"] if durable else [])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert keeper.stdout is not None
    said = keeper.stdout.readline()
    if said != "ready\n":
        keeper.wait()
        raise RuntimeError(f"PostgreSQL did not start: {said}{keeper.stdout.read()}")
    keeper.stdout.close()
    keeper.returncode = 0  # it outlives this process: nobody is to wait for it


def keep(shared: Path, *, durable: bool) -> None:
    """Run a server until nobody holds the lock file."""
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-pg-"))
    server = None
    try:
        server = _serve(folder, OPTIONS if durable else OPTIONS + HASTY)
        (shared / "postgres.ready").write_text(str(folder))
        print("ready", flush=True)
        with (shared / "postgres.users").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            (shared / "postgres.ready").unlink()
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _serve(folder: Path, settings: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Make a cluster in `folder` and start its server; return when it answers."""
    bin_ = programs()
    if bin_ is None:
        raise SystemExit(ADVICE)
    who: dict[str, object] = {}
    if os.getuid() == 0:  # it refuses to run as root
        person = next(entry for name in ("postgres", "nobody") for entry in pwd.getpwall() if entry.pw_name == name)
        os.chown(folder, person.pw_uid, person.pw_gid)
        who = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    version = int(re.findall(r"\d+", subprocess.check_output([bin_ / "postgres", "--version"], text=True))[0])
    sorting = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"] if version >= 15 else ["--locale=C"]
    start = {"cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, **who}
    made = subprocess.run(
        [bin_ / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync", *sorting],
        capture_output=True,
        text=True,
        check=False,
        **start,  # type: ignore[call-overload]
    )
    if made.returncode:
        raise SystemExit(made.stdout + made.stderr)
    options = [part for option in settings for part in ("-c", option)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [bin_ / "postgres", "-D", folder / "data", "-k", folder, *options],
            stdout=log,
            stderr=log,
            **start,  # type: ignore[call-overload]
        )
    ready = [bin_ / "pg_isready", "-q", "-h", folder]
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None:
            raise SystemExit((folder / "log").read_text())
    return server


def install() -> None:
    """Install the programs with apt-get where they are missing, without a server of the system's own."""
    if programs() is not None:
        return
    if os.getuid() or shutil.which("apt-get") is None:
        raise SystemExit(ADVICE)
    print("Installing PostgreSQL for the tests (once; no server of it is started) ...", flush=True)
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if not settings.exists():
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text("create_main_cluster = false\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    options = ["-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0"]
    for command in (["update", "-qq"], ["install", *options, "postgresql"]):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}\n{ADVICE}")
    if programs() is None:
        raise SystemExit(ADVICE)


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    elif len(sys.argv) >= 3 and sys.argv[1] == "keep":
        keep(Path(sys.argv[2]), durable=sys.argv[3:] == ["durable"])
    else:
        raise SystemExit(__doc__)
