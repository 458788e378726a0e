# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: F811
"""What an adapter of the database port promises at its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lakehouse.core.errors import DatabaseUnavailable
from tests.contracts.test_database import SCAN, SETTING, database, opened, paths, stage  # noqa: F401

pytestmark = pytest.mark.anyio


async def test_what_was_written_is_there_after_closing(opened: Any) -> None:
    first = opened()
    await first.migrate()
    pending = [asyncio.create_task(first.apply(stage(b"%03d" % n))) for n in range(100)]
    await asyncio.sleep(0)
    await first.close()
    await asyncio.gather(*pending)
    assert await paths(opened()) == [b"%03d" % n for n in range(100)]


async def test_a_closed_database_says_so(database: Any) -> None:
    await database.one("select 1")
    await database.close()
    await database.close()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.apply(stage(b"a"))
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await database.one("select 1")
    with pytest.raises(DatabaseUnavailable, match="closed"):
        await anext(database.pages(SCAN, (1, b""), size=1))
