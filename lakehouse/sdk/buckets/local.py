# SPDX-License-Identifier: Apache-2.0
"""Questions about local files, asked at once: they are answered from memory, and a thread would cost more."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A directory entry. `kind` as `stat.S_IFMT` has it, through symbolic links; 0 where a link leads nowhere."""

    name: str
    kind: int
    size: int
    modified: float


def scan(folder: Path) -> list[Found]:
    """What is in a folder, by name."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat()
            except OSError:
                found.append(Found(entry.name, 0, 0, 0))
                continue
            found.append(Found(entry.name, stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime))
    return sorted(found, key=lambda one: one.name)


def source_file(path: Path) -> Found:
    """A file to be read. Raises FileNotFoundError, IsADirectoryError."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder: use upload_dir", str(path))
    return Found(path.name, stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime)


def require_folder(path: Path) -> None:
    """Raises FileNotFoundError, NotADirectoryError."""
    if not stat.S_ISDIR(path.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def refuse_folder(path: Path) -> None:
    """Where a file is to be written. Raises IsADirectoryError."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder: name the file, too", str(path))


def make_folder(path: Path) -> None:
    """Make a folder with those above it, unless it is there. Raises NotADirectoryError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
