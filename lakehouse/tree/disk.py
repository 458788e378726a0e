# SPDX-License-Identifier: Apache-2.0
"""Nodes of stores that are far away, kept in a folder of this machine: `<folder>/<repository>/<2 digits>/<id>`.

A copy is only ever a copy: it is checked like a node of the store itself, nothing is synced, and what a crash, a full
disk or a curious hand has done to it costs one more read of the store. Several processes may share the folder. A name
holds the repository, because a bare id would let one repository read another's node.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from lakehouse.core.clock import system_clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.core.clock import Clock
    from lakehouse.core.ids import RepositoryId

_STEP = 16
"""After this part of the budget was written, what is there is measured again."""
_ROOM = 8
"""This part of the budget is made free at a time."""
_STRAY = 3600
"""Seconds after which an unfinished file is one that nobody will finish."""
_UNFINISHED = ".tmp"
logger = logging.getLogger(__name__)


class DiskCache:
    """Stored bytes of nodes by (repository, id), least recently used out first. Its methods block: call from a thread.

    Each process keeps the folder within `budget` bytes and a sixteenth. No method raises OSError.
    """

    def __init__(self, folder: Path, budget: int, *, clock: Clock = system_clock) -> None:
        self._folder = folder
        self._budget = budget
        self._clock = clock
        self._lock = Lock()
        self._written = budget  # what is there from before has yet to be measured
        self._broken = False

    def read(self, repository: RepositoryId, node_ids: Sequence[str]) -> dict[str, bytes]:
        """The bytes of those nodes that are here, unchecked."""
        found = {}
        now = self._clock()
        for node_id in node_ids:
            path = self._path(repository, node_id)
            with suppress(OSError):
                found[node_id] = path.read_bytes()
                os.utime(path, (now, now))
        return found

    def write(self, repository: RepositoryId, nodes: Iterable[tuple[str, bytes]]) -> None:
        """Keep nodes; others go when there is no room."""
        for node_id, body in nodes:
            if len(body) > self._budget // _STEP:
                continue
            try:
                self._write(self._path(repository, node_id), body)
            except OSError as error:
                if not self._broken:
                    logger.warning("node cache %s: cannot be written to (%s): goes on without it", self._folder, error)
                self._broken = True
                return
            self._broken = False
            self._written += len(body)
        if self._written > self._budget // _STEP:
            self.trim()

    def drop(self, repository: RepositoryId, node_id: str) -> None:
        """Let go of a copy that is damaged."""
        with suppress(OSError):
            self._path(repository, node_id).unlink()

    def trim(self) -> int:
        """Remove what was not used for longest until all fits in the budget; the bytes that are left."""
        with self._lock:
            self._written = 0
            copies = []
            for folder, _, names in os.walk(self._folder):
                for name in names:
                    with suppress(OSError):
                        about = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - a hundred thousand times
                        copies.append((about.st_mtime, about.st_size, os.path.join(folder, name)))  # noqa: PTH118
            used = sum([size for _, size, _ in copies])
            aim = self._budget if used <= self._budget else self._budget - self._budget // _ROOM
            stray = self._clock() - _STRAY
            for used_at, size, path in sorted(copies):
                if used > aim or (path.endswith(_UNFINISHED) and used_at < stray):
                    with suppress(OSError):
                        Path(path).unlink()
                        used -= size
            return used

    def _path(self, repository: RepositoryId, node_id: str) -> Path:
        return self._folder / str(repository) / node_id[:2] / node_id

    def _write(self, path: Path, body: bytes) -> None:
        """Readers see all of the file or none: a rename. After a power cut it may be empty; the check finds that."""
        unfinished = path.with_name(f"{path.name}-{os.urandom(6).hex()}{_UNFINISHED}")
        try:
            try:
                unfinished.write_bytes(body)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                unfinished.write_bytes(body)
            now = self._clock()
            os.utime(unfinished, (now, now))
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
