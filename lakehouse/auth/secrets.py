# SPDX-License-Identifier: Apache-2.0
"""The master secret: where it comes from.

It is either configured or, for a data directory, generated once: a file that only its owner can read, complete and
durable before anyone uses it. Two processes that start at once end up with the same one. It is never printed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from lakehouse.core.errors import BadConfiguration, StartupError

if TYPE_CHECKING:
    from pathlib import Path

MIN_SECRET = 16
"""Fewest bytes of a configured secret."""


def configured_secret(text: str) -> bytes:
    """A secret that the operator chose. Raises BadConfiguration when it is too short to protect anything."""
    raw = text.strip().encode()
    if len(raw) < MIN_SECRET:
        raise BadConfiguration(
            f"secret: at least {MIN_SECRET} bytes are needed; `openssl rand -hex 32` makes a good one"
        )
    return raw


def generated_secret(path: Path) -> bytes:
    """The secret in the file `path`, made on first use: 256 random bits in hex, mode 0600, on disk when this returns.

    Raises StartupError when the file cannot be read or written, or holds no secret.
    """
    try:
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"the secret file {path} cannot be used: {error}") from error
    if len(text.strip()) < MIN_SECRET:
        raise StartupError(f"the secret file {path} is damaged: put it back from a backup, or set LAKEHOUSE_SECRET")
    return text.strip().encode()


def _create(path: Path) -> None:
    """Write a new secret beside `path`, then link it there: whoever comes second keeps the first one's."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
