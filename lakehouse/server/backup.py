# SPDX-License-Identifier: Apache-2.0
"""Backups of a data directory's database and secret, and what puts them back.

A backup is a folder: `backup.json`, `metadata.sqlite` and, where the secret is the data directory's own, `secret`. It
says nothing of the bytes of objects, which never change: they are copied after it, by whatever copies files.

Invariants: a backup has its name only when it is complete and was read back; nothing is overwritten: what is in the way
is moved aside.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lakehouse import __version__
from lakehouse.core.errors import BadConfiguration, DataDamaged, StartupError
from lakehouse.db.backup import check_copy, copy_database, digest, move_ids_on
from lakehouse.db.inspection import is_sqlite
from lakehouse.server.start import DATABASE_FILE, SECRET_FILE, data_folder, database_file, database_scheme
from lakehouse.server.storage import FOLDER

if TYPE_CHECKING:
    from lakehouse.config.model import Config

MANIFEST = "backup.json"
FORMAT = 1
_ADVICE = (
    "PostgreSQL makes its own backups: `pg_dump --format=custom --file=lake.dump URL` while servers run, and "
    "`pg_restore --clean --if-exists --dbname=URL lake.dump` when they are stopped; keep the configured secret with it"
)


class Manifest(msgspec.Struct, frozen=True):
    """What is in a backup. `created` in seconds; `files` are SHA-256 in hex by name."""

    format: int
    version: str
    created: int
    schema: list[str]
    files: dict[str, str]


class Restored(msgspec.Struct, frozen=True):
    """Where a backup went, and what was moved aside for it."""

    manifest: Manifest
    database: str
    aside: list[str]


def _require_sqlite(config: Config) -> None:
    if not is_sqlite(database_scheme(config)):
        raise BadConfiguration(_ADVICE)


def back_up(config: Config, target: Path, *, with_secret: bool) -> Manifest:
    """Make the folder `target`. Servers may run.

    Raises BadConfiguration, StartupError, StorageUnavailable, DataDamaged.
    """
    _require_sqlite(config)
    source = database_file(config)
    if not source.is_file():
        raise StartupError(f"there is no lake: {source} does not exist; name the directory with --data")
    if target.exists():
        raise BadConfiguration(f"{target} is there already: name a folder that is not")
    draft = target.with_name(f"{target.name}.partial")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700, parents=True)
        copy_database(source, draft / DATABASE_FILE)
        schema = check_copy(draft / DATABASE_FILE)
        secret = Path(config.data).expanduser() / SECRET_FILE
        if with_secret and not config.secret and secret.is_file():
            _write(draft / SECRET_FILE, secret.read_bytes())
        files = {path.name: digest(path) for path in sorted(draft.iterdir())}
        manifest = Manifest(FORMAT, __version__, int(time.time()), schema, files)
        _write(draft / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        draft.rename(target)
    except OSError as error:
        raise StartupError(f"the backup {target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def read_backup(folder: Path) -> Manifest:
    """Read a backup from end to end. Raises BadConfiguration, DataDamaged, DataTooNew."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadConfiguration(f"{folder} is no backup: {error}") from error
    if manifest.format > FORMAT:
        raise BadConfiguration(f"{folder} was made by lakehouse {manifest.version}, which is newer: use that")
    for name, known in manifest.files.items():
        path = folder / name
        if path.parent != folder or not path.is_file() or digest(path) != known:
            raise DataDamaged(f"the backup's file {path} is not what it was when the backup was made")
    check_copy(folder / DATABASE_FILE)
    return manifest


def restore(config: Config, folder: Path, *, force: bool) -> Restored:
    """Put a backup in place. `force`: move what is there aside.

    Raises BadConfiguration, also while a server uses the data directory, DataDamaged, DataTooNew, StorageUnavailable.
    """
    _require_sqlite(config)
    manifest = read_backup(folder)
    data, database = data_folder(config), database_file(config)
    if _in_use(data):
        raise BadConfiguration(f"a process uses {data}: stop the servers first")
    wanted = {database: folder / DATABASE_FILE}
    if SECRET_FILE in manifest.files:
        secret = data / SECRET_FILE
        if not secret.is_file() or digest(secret) != manifest.files[SECRET_FILE]:
            wanted[secret] = folder / SECRET_FILE
    there = [str(path) for path in wanted if path.exists()]
    if there and not force:
        raise BadConfiguration(f"{' and '.join(there)} would be replaced: --force moves what is there aside")
    drafts = {}
    for path, source in wanted.items():
        drafts[path] = path.with_name(f"{path.name}.restoring")
        _write(drafts[path], b"")
        shutil.copyfile(source, drafts[path])
    move_ids_on(drafts[database])
    check_copy(drafts[database])
    aside = _moved_aside(wanted)
    for path, draft in drafts.items():
        draft.rename(path)
    return Restored(manifest, str(database), aside)


def _moved_aside(paths: dict[Path, Path]) -> list[str]:
    """Move files, with what SQLite keeps beside them, out of the way; their new names."""
    moved, mark = [], time.strftime("before-%Y%m%dT%H%M%SZ", time.gmtime())
    for path in paths:
        new = path.with_name(f"{path.name}.{mark}")
        for end in ("-wal", "-shm", ""):
            old = path.with_name(path.name + end)
            if old.exists():
                target = new.with_name(new.name + end)
                old.rename(target)
                moved.append(str(target))
    return moved


def _in_use(data: Path) -> bool:
    """Whether a server or another command has the data directory's store open: each holds a lock there."""
    processes = data / FOLDER / "processes"
    for path in processes.iterdir() if processes.is_dir() else ():
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
    return False


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
