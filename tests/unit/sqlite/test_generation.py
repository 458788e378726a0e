# SPDX-License-Identifier: Apache-2.0
"""The number by which processes tell that something was written."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from lakehouse.core.errors import StartupError
from lakehouse.sqlite.generation import Generation
from lakehouse.sqlite.writer import Writer

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


def test_all_who_open_it_see_one_number(tmp_path: Path) -> None:
    one, other = Generation(tmp_path / "d.db"), Generation(tmp_path / "d.db")
    before = one.now()
    other.begin()
    other.begin()
    assert one.now() % 2 == 1
    other.end()
    other.end()
    assert one.now() == before + 2
    one.close()
    other.close()


def test_it_goes_on_from_the_end(tmp_path: Path) -> None:
    (tmp_path / "d.db.generation").write_bytes(b"\xff" * 8)
    generation = Generation(tmp_path / "d.db")
    generation.recover()
    assert generation.now() == 0
    generation.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartupError):
        Generation(tmp_path / "nowhere" / "d.db")


@pytest.mark.anyio
async def test_a_writer_moves_it_around_each_loud_write_and_puts_it_right_at_the_start(tmp_path: Path) -> None:
    left = Generation(tmp_path / "d.db")
    left.begin()  # and then that process died
    generation = Generation(tmp_path / "d.db")
    writer = Writer(tmp_path / "d.db", generation=generation)
    seen = [generation.now()]
    assert seen[0] % 2 == 0

    def look(connection: sqlite3.Connection) -> None:
        seen.append(generation.now())

    await writer.run(look, quiet=True)
    assert seen[-1] == seen[0]
    assert generation.now() == seen[0]
    await writer.run(look)
    assert seen[-1] == seen[0] + 1
    assert generation.now() == seen[0] + 2

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("create table t (n integer)")
        raise LookupError

    with pytest.raises(LookupError):
        await writer.run(fail, savepoint=False)
    assert generation.now() == seen[0] + 4
    await asyncio.to_thread(writer.close)
    left.close()
    generation.close()


@pytest.mark.anyio
async def test_it_has_moved_before_anybody_hears_of_the_write(tmp_path: Path) -> None:
    generation = Generation(tmp_path / "d.db")
    writer = Writer(tmp_path / "d.db", generation=generation)
    begun, go = threading.Event(), threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        begun.set()
        go.wait(20)

    before = generation.now()
    write = asyncio.ensure_future(writer.run(wait))
    await asyncio.to_thread(begun.wait, 20)
    assert generation.now() == before + 1
    go.set()
    await write
    assert generation.now() == before + 2
    await asyncio.to_thread(writer.close)
    generation.close()
