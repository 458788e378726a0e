# SPDX-License-Identifier: Apache-2.0
"""Directories of this machine that may be imported from, by the configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.core.errors import BadConfiguration
from lakehouse.objects.directory import DirectoryStore
from lakehouse.versioning.state.stores import Store

if TYPE_CHECKING:
    from lakehouse.config.model import Config

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")


def open_directories(config: Config, data: Path) -> tuple[Store, ...]:
    """The directories as one store, none without directories. `data` is the data directory. Raises BadConfiguration."""
    folders: dict[str, Path] = {}
    for text in config.directories:
        name, _, path = text.partition("=")
        folder = Path(path)
        if not _NAME.fullmatch(name) or not folder.is_absolute() or name in folders:
            raise BadConfiguration(
                f"directories: {text}: write NAME=/PATH, each name once, of a-z, 0-9, '-' and '_', and the whole path"
            )
        if not folder.is_dir():
            raise BadConfiguration(f"directories: {text}: there is no such directory")
        real, own = folder.resolve(), data.resolve()
        if real.is_relative_to(own) or own.is_relative_to(real):
            raise BadConfiguration(f"directories: {text}: the server's own data directory is never imported from")
        folders[name] = folder
    if not folders:
        return ()
    objects = DirectoryStore(folders)
    return (Store(id="", objects=objects, description=objects.describe(), presigner=None, buckets=frozenset(folders)),)
