# SPDX-License-Identifier: Apache-2.0
"""The folder of the embedded store: its format mark, names of files, and which processes use it.

Every file name ends in the token of the process that wrote it. A process holds a lock on `processes/<token>` for as
long as it lives, so after a crash the files that it left without an index row are known for certain: their writer is
dead. Nothing is ever judged by its age.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import BadConfiguration, DataTooNew

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYOUT = 3
"""2 since objects of parts are manifests, 3 since small objects are in segments."""
_MARK = "store.json"


class Mark(msgspec.Struct):
    """Contents of the format mark."""

    layout: int


def prepare(root: Path) -> Path:
    """Make the folders of a new store, or check those that are there; the absolute path.

    Raises DataTooNew, BadConfiguration.
    """
    root = root.absolute()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(256):
            (root / "objects" / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        (root / "processes").mkdir(exist_ok=True)
        mark = root / _MARK
        if not mark.exists():
            _write_mark(mark)
        found = msgspec.json.decode(mark.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError) as error:
        raise BadConfiguration(f"the object store's folder {root} cannot be used: {error}") from error
    if found.layout > LAYOUT:
        raise DataTooNew(
            f"the object store in {root} has layout {found.layout}, this program knows up to {LAYOUT}: "
            "use the version that made it, or a newer one"
        )
    if found.layout < LAYOUT:
        _write_mark(mark)
    return root


def _write_mark(mark: Path) -> None:
    temporary = mark.with_name(f"{_MARK}.{os.getpid()}.{os.urandom(4).hex()}")
    temporary.write_bytes(msgspec.json.encode(Mark(LAYOUT)))
    for path, flags in ((temporary, os.O_RDONLY), (mark.parent, os.O_RDONLY | os.O_DIRECTORY)):
        file = os.open(path, flags)
        os.fsync(file)
        os.close(file)
    temporary.replace(mark)


class Process:
    """This process's place among those that use the folder."""

    def __init__(self, root: Path) -> None:
        self.token = os.urandom(4).hex()
        self.doubtful = False
        """Whether files without an object may be left behind: then the next start looks through them."""
        self._path = root / "processes" / self.token
        starting = self._path.with_suffix(".new")
        self._file = os.open(starting, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        # Locked before it has its name: nobody ever sees the token of a living process unlocked.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        starting.rename(self._path)

    def new_name(self) -> str:
        """A name for a file: 24 random hex digits and the token."""
        return f"{os.urandom(12).hex()}-{self.token}"

    def leave(self) -> None:
        """Give the place up."""
        if not self.doubtful:
            self._path.unlink(missing_ok=True)
        os.close(self._file)


def dead_processes(root: Path) -> list[str]:
    """Tokens of processes that ended without leaving."""
    return [token for token, living in _processes(root) if not living]


def living_processes(root: Path) -> frozenset[str]:
    """Tokens of processes that use the folder."""
    return frozenset(token for token, living in _processes(root) if living)


def _processes(root: Path) -> Iterator[tuple[str, bool]]:
    """Tokens, each with whether the process lives."""
    for path in (root / "processes").iterdir():
        if path.suffix:
            continue
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        living = False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            living = True
        finally:
            os.close(file)
        yield path.name, living


def forget(root: Path, token: str) -> None:
    """Strike out a dead process whose files have been looked through."""
    (root / "processes" / token).unlink(missing_ok=True)


def files(root: Path) -> Iterator[os.DirEntry[str]]:
    """Every file of the store, folder by folder."""
    for number in range(256):
        with os.scandir(root / "objects" / f"{number:02x}") as entries:
            yield from entries
