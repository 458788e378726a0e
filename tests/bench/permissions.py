# SPDX-License-Identifier: Apache-2.0
"""CPU of a permission check with cached rules, and of making the rules.

Run: `python tests/bench/permissions.py`. Prints microseconds of CPU, the least of several rounds; the budget of a check
is 10.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.auth import builtin, groups, policies, users
from lakehouse.auth.audit import AuditLog, Event
from lakehouse.auth.checker import PolicyChecker
from lakehouse.auth.directory import Directory
from lakehouse.auth.keys import KeyRing
from lakehouse.core.records import Effect, PolicyStatement
from lakehouse.db.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.core.records import User

TIMES, ROUNDS = 20_000, 5
OBJECT = "repository/weather/object/2026/11/21/part-00017.parquet"


def least(work: Callable[[], object], *, times: int = TIMES) -> float:
    """Microseconds of CPU for each call, the least of several rounds."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - started) / times * 1e6)
    return min(found)


async def least_of(work: Callable[[], object], *, times: int = TIMES) -> float:
    """The same for coroutines."""
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            await work()
        found.append((time.process_time() - started) / times * 1e6)
    return min(found)


async def people(directory: Directory) -> dict[str, User]:
    """An administrator, a developer, and somebody with many narrow statements."""
    made = {}
    for name, group in (("admin", "Admins"), ("developer", "Developers"), ("narrow", "")):
        made[name] = await users.create_user(directory, name)
        if group:
            await groups.add_member(directory, group, name)
    for number in range(50):
        statements = [
            PolicyStatement(Effect.ALLOW, ("fs:*Object",), f"arn:lakefs:fs:::repository/team-{number}/object/*/{n}/*")
            for n in range(10)
        ]
        statements.append(PolicyStatement(Effect.ALLOW, ("fs:ReadObject",), "arn:lakefs:fs:::repository/weather/*"))
        statements.append(PolicyStatement(Effect.DENY, ("fs:*",), "arn:lakefs:fs:::repository/*/object/secret/*"))
        await policies.create_policy(directory, f"many-{number}", statements)
        await policies.attach_to_user(directory, f"many-{number}", "narrow")
    return made


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        db = SqliteDatabase(Path(folder) / "metadata.sqlite")
        await db.migrate()
        await builtin.ensure(db, now=0)
        checker = PolicyChecker(db)
        directory = Directory(db=db, ring=KeyRing(b"a secret of the bench"), checker=checker)
        for name, user in (await people(directory)).items():
            await checker.prepare(user)
            checker.authorize(user, "fs:ReadObject", OBJECT)
            print(f"{name:>10} prepare, cached    {await least_of(lambda user=user: checker.prepare(user)):8.2f}")
            print(
                f"{name:>10} authorize, cached  "
                f"{least(lambda user=user: checker.authorize(user, 'fs:ReadObject', OBJECT)):8.2f}"
            )

            async def again(user: User = user) -> None:
                checker._rules.clear()
                await checker.prepare(user)
                checker.authorize(user, "fs:ReadObject", OBJECT)

            print(f"{name:>10} from the database  {await least_of(again, times=50):8.1f}")
        log = AuditLog(db, directory.ring)

        async def recorded() -> None:
            for number in range(1000):
                log.record(Event(number, "ann", "commit", 201, {"repository": "weather", "branch": "main"}, "x" * 36))
            await log.flush()

        print(f"{'audit':>10} event, stored      {await least_of(recorded, times=10) / 1000:8.2f}")
        await db.close()


if __name__ == "__main__":
    asyncio.run(main())
