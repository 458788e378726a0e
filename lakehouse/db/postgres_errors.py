# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL's errors mean to the engine.

A mistake (syntax, a constraint) stays the driver's own error. What the database cannot do now becomes
DatabaseUnavailable or StorageFull; transactions that it gave up to undo a deadlock are run again by the adapter.
"""

from __future__ import annotations

import psycopg
import psycopg_pool

from lakehouse.core.errors import DatabaseUnavailable, LakehouseError, StorageFull

_DISK_FULL = "53100"
_GIVEN_UP = frozenset({"40001", "40P01"})
_PASSING = ("08", "53", "57", "58", "25006", "25P03", "25P04", "55P03")
"""SQLSTATE classes and codes of what passes by itself: connection, resources, operator, input or output, a server that
became a standby, time-outs.
"""


def given_up(error: psycopg.Error) -> bool:
    """Whether the server undid the transaction for the sake of another: it may run again."""
    return error.sqlstate in _GIVEN_UP


def lost(connection: psycopg.AsyncConnection[object]) -> bool:
    """Whether the connection is of no use any more."""
    return connection.closed or connection.broken


def translated(error: Exception) -> LakehouseError | None:
    """The engine's error for a driver's, or None when it is a mistake that nobody should survive."""
    if isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.TooManyRequests):
        return DatabaseUnavailable(f"no connection to the metadata database was free in time: {_first_line(error)}")
    if isinstance(error, psycopg_pool.PoolClosed):
        return DatabaseUnavailable("the database is closed")
    if not isinstance(error, psycopg.Error):
        return None
    if error.sqlstate is None:
        return _without_state(error)
    if error.sqlstate == _DISK_FULL:
        return StorageFull("the metadata database has no space left: nothing was stored; free some and try again")
    if error.sqlstate.startswith(_PASSING) or given_up(error):
        return DatabaseUnavailable(f"the metadata database cannot be used now, try again: {_first_line(error)}")
    return None


def _without_state(error: psycopg.Error) -> LakehouseError | None:
    """Errors that the client side found: a connection that is gone."""
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailable(f"the metadata database cannot be reached now, try again: {_first_line(error)}")
    return None


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
