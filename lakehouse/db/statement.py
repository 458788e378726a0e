# SPDX-License-Identifier: Apache-2.0
"""A transaction as a value: a list of guarded statements.

"This must change exactly one row, else raise X" travels with the SQL, so the same value runs in SQLite's writer thread
and in an asynchronous PostgreSQL pool, and needs no callback; a transaction that the database gave up to undo a
deadlock is simply run again. SQL is one portable subset: upsert, RETURNING, row values, `?` for parameters.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

Scalar = int | str | bytes | float | None


class Scope(IntEnum):
    """What a lock is on, in the order in which locks are taken."""

    NAMESPACES = 1
    REPOSITORY = 2
    BRANCH = 3


class Lock(msgspec.Struct, frozen=True):
    """What a statement relies on not changing, or changes, until its transaction ends.

    A database that runs transactions side by side takes the locks of all statements, each once and in order of
    `scope` and `id`, before the first of them: a statement that waits inside itself would go on with what it saw
    before. One that runs them one after the other takes none. Shared locks do not wait for each other.
    """

    scope: Scope
    id: int
    exclusive: bool = False


class Statement(msgspec.Struct, frozen=True):
    """One INSERT, UPDATE or DELETE; or a SELECT, which is a guard.

    `rows` is the number of rows it must change, or find (all rounds of `many` together); when it differs, the
    transaction is undone and `otherwise` is raised. `many` runs the statement once for each tuple of parameters.
    """

    sql: str
    params: tuple[Scalar, ...] = ()
    rows: int | None = None
    otherwise: Exception | None = None
    many: tuple[tuple[Scalar, ...], ...] | None = None
    locks: tuple[Lock, ...] = ()


def shared(scope: Scope, identifier: int) -> tuple[Lock, ...]:
    """Nobody changes it meanwhile; others may rely on it too."""
    return (Lock(scope, identifier),)


def exclusive(scope: Scope, identifier: int) -> tuple[Lock, ...]:
    """Nobody changes it or relies on it meanwhile."""
    return (Lock(scope, identifier, exclusive=True),)


def locks_of(statements: tuple[Statement, ...]) -> list[Lock]:
    """The locks of a transaction in the order in which to take them, each once, exclusive if any statement asks."""
    wanted: dict[tuple[Scope, int], Lock] = {}
    for statement in statements:
        for lock in statement.locks:
            if lock.exclusive or (lock.scope, lock.id) not in wanted:
                wanted[lock.scope, lock.id] = lock
    return [wanted[key] for key in sorted(wanted)]
