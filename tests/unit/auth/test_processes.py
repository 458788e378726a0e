# SPDX-License-Identifier: Apache-2.0
"""Changes of policies in other processes: real ones, each with a connection and a clock of its own.

Their clocks are moved by hand, so that nothing waits: what counts is that one look is enough, and when it is due.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakehouse.auth import policies, users
from lakehouse.auth.checker import FRESH, PolicyChecker
from lakehouse.auth.directory import Directory
from lakehouse.auth.keys import KeyRing
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
READ = PolicyStatement(Effect.ALLOW, ("fs:ReadObject",), "*")
DENY = PolicyStatement(Effect.DENY, ("fs:*",), "*")
WORKER = """
import asyncio, sys
from pathlib import Path
from lakehouse.auth.checker import PolicyChecker
from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.meta import users

async def main(where):
    db = PostgresDatabase(where, connections=2) if "://" in where else SqliteDatabase(Path(where))
    await db.migrate()
    now = [0.0]
    checker = PolicyChecker(db, clock=lambda: now[0])
    user = await users.by_name(db, "ann")
    for line in sys.stdin:
        now[0] += float(line)
        await checker.prepare(user)
        print(int(checker.allowed(user, "fs:ReadObject", "repository/r/object/p")), flush=True)
    await db.close()

asyncio.run(main(sys.argv[1]))
"""


class Worker:
    """A process that answers whether Ann may read."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def allows(self, *, after: float) -> bool:
        """What it says when so many seconds of its own clock have gone by."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{after}\n".encode())
        return await self._process.stdout.readline() == b"1\n"

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert await self._process.wait() == 0


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path: Path) -> str:
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else str(tmp_path / "m.sqlite")


@pytest.fixture
async def here(where: str) -> AsyncIterator[Directory]:
    """The process that changes things; Ann is there."""
    db = PostgresDatabase(where, connections=2) if "://" in where else SqliteDatabase(Path(where))
    await db.migrate()
    directory = Directory(db=db, ring=KeyRing(b"a secret of the tests"), checker=PolicyChecker(db))
    await users.create_user(directory, "ann")
    yield directory
    await db.close()


@pytest.fixture
async def workers(where: str, here: Directory) -> AsyncIterator[list[Worker]]:
    pipe = asyncio.subprocess.PIPE
    made = [
        Worker(await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, where, stdin=pipe, stdout=pipe))
        for _ in range(2)
    ]
    yield made
    for worker in made:
        await worker.end()


async def test_every_worker_heeds_a_change_within_a_second(here: Directory, workers: list[Worker]) -> None:
    """Giving, denying, taking away; a look is due after half a second, and sees all that was done before it."""
    assert FRESH <= 0.5
    assert [await worker.allows(after=0) for worker in workers] == [False, False]
    await policies.create_policy(here, "reading", [READ])
    for change, allowed in (
        (policies.attach_to_user(here, "reading", "ann"), True),
        (policies.update_policy(here, "reading", [READ, DENY]), False),
        (policies.update_policy(here, "reading", [READ]), True),
        (policies.detach_from_user(here, "reading", "ann"), False),
    ):
        await change
        assert [await worker.allows(after=FRESH) for worker in workers] == [allowed, allowed]
        assert [await worker.allows(after=0) for worker in workers] == [allowed, allowed]
