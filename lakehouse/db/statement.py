# SPDX-License-Identifier: Apache-2.0
"""A transaction as a value: a list of guarded statements.

"This must change exactly one row, else raise X" travels with the SQL, so the same value runs in SQLite's writer thread
and in an asynchronous PostgreSQL pool, and needs no callback. SQL is one portable subset: upsert, RETURNING, row
values, `?` for parameters.
"""

from __future__ import annotations

import msgspec

Scalar = int | str | bytes | float | None


class Statement(msgspec.Struct, frozen=True):
    """One INSERT, UPDATE or DELETE.

    `rows` is the number of rows it must change (all rounds of `many` together); when it differs, the transaction is
    undone and `otherwise` is raised. `many` runs the statement once for each tuple of parameters.
    """

    sql: str
    params: tuple[Scalar, ...] = ()
    rows: int | None = None
    otherwise: Exception | None = None
    many: tuple[tuple[Scalar, ...], ...] | None = None
