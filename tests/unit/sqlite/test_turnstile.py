# SPDX-License-Identifier: Apache-2.0
"""The lock between processes: one at a time, in turns."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from lakehouse.core.errors import StartupError
from lakehouse.sqlite.turnstile import Turnstile

if TYPE_CHECKING:
    from pathlib import Path


def test_one_at_a_time(tmp_path: Path) -> None:
    inside = most = 0
    counting = threading.Lock()

    def client() -> None:
        nonlocal inside, most
        turnstile = Turnstile(tmp_path / "a.db")
        for _ in range(200):
            with turnstile:
                with counting:
                    inside += 1
                    most = max(most, inside)
                with counting:
                    inside -= 1
        turnstile.close()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_who_waits_is_let_in_before_who_has_just_left(tmp_path: Path) -> None:
    mine, other = Turnstile(tmp_path / "a.db"), Turnstile(tmp_path / "a.db")
    order: list[str] = []
    starting = threading.Event()

    def wait() -> None:
        starting.set()
        with other:
            order.append("other")

    with mine:
        thread = threading.Thread(target=wait)
        thread.start()
        starting.wait(60)
        while not _taken(mine._next):
            pass
    with mine:
        order.append("mine")
    thread.join()
    assert order == ["other", "mine"]
    mine.close()
    other.close()


def _taken(lock: int) -> bool:
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


def test_it_is_left_open_when_the_work_inside_fails(tmp_path: Path) -> None:
    first, second = Turnstile(tmp_path / "a.db"), Turnstile(tmp_path / "a.db")
    with pytest.raises(LookupError), first:
        raise LookupError
    with second:
        pass
    first.close()
    second.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db.active", "a.db.next"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="check that the folder exists"):
        Turnstile(tmp_path / "missing" / "a.db")


def test_a_second_lock_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "a.db.active").mkdir()
    with pytest.raises(StartupError, match="active"):
        Turnstile(tmp_path / "a.db")
