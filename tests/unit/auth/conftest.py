# SPDX-License-Identifier: Apache-2.0
"""A database of users, and keys that are the same in every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lakehouse.auth import setup
from lakehouse.auth.credentials import CredentialStore
from lakehouse.auth.identity import Authenticator
from lakehouse.auth.keys import KeyRing
from lakehouse.db.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from lakehouse.core.records import Credentials

NOW = 1_800_000_000
OLD = b"the old master secret, 32 bytes."
NEW = b"the new master secret, 32 bytes."


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(OLD)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "metadata.sqlite")
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def pair(db: SqliteDatabase, ring: KeyRing) -> Credentials:
    return await setup.setup(db, ring, setup.FirstUser("admin"), now=NOW)


@pytest.fixture
def authenticator(db: SqliteDatabase, ring: KeyRing) -> Authenticator:
    return Authenticator(db, ring, CredentialStore(db, ring, clock=lambda: NOW), clock=lambda: NOW)
