# SPDX-License-Identifier: Apache-2.0
"""The port to the metadata database: what every adapter promises.

All adapters pass the one suite in `tests/contracts`.

- `apply` is atomic and durable: when it returns, all of its statements are on disk; when it raises, none is.
- Two `apply` calls never see each other half done; each statement of one sees those before it.
- A mistake in a statement (its syntax, a constraint that it violates) raises the driver's own error: it is a bug, and
  the surfaces show it as one. What an operation must survive is said with guards and `on conflict`.
- A read sees the newest state that was acknowledged before it began. No read stays open over an await.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from lakehouse.db.statement import Scalar, Statement
    from lakehouse.telemetry.transactions import Transactions

Row = tuple[Any, ...]
"""The columns of one row, in the order of the statement: int, str, bytes or None."""
Lookup: TypeAlias = "tuple[str, Sequence[Scalar]]"
"""A SELECT and its parameters."""


class Database(Protocol):
    """A transactional store of rows."""

    async def one(self, sql: str, params: Sequence[Scalar] = ()) -> Row | None:
        """The first row of a SELECT, or None. Meant for lookups by key: it runs at once. Raises DatabaseUnavailable."""
        ...

    async def one_of_both(
        self, both: str, params: Sequence[Scalar], *, seldom: Lookup, often: Callable[[Row], Lookup]
    ) -> Row | None:
        """As `one` of `both`, which joins a lookup in tables that are seldom written, `seldom`, with one in a table
        that is written all the time: `often`, a single column, from the row of the other. Where it can be known that
        the first has not changed, only the second is read. Raises DatabaseUnavailable.
        """
        ...

    async def all(self, sql: str, params: Sequence[Scalar] = ()) -> list[Row]:
        """All rows of a SELECT that is bounded by its own LIMIT (or small by nature). Raises DatabaseUnavailable."""
        ...

    def pages(self, sql: str, params: Sequence[Scalar], *, size: int, keys: int = 1) -> AsyncIterator[list[Row]]:
        """A long scan by keyset paging, `size` rows at a time.

        `sql` selects the `keys` key columns first and ends in `.. where .. (key) > (?) order by key limit ?`, with one
        marker for each key column and one for the limit. The last `keys` entries of `params` are the key to start
        after; the limit is not among them. Every page is a read of its own: rows that are there all the time come
        once, in order; those that come or go meanwhile may be seen or not. Raises DatabaseUnavailable.
        """
        ...

    async def apply(self, *statements: Statement) -> list[list[Row]]:
        """Run the statements in order as one transaction; the rows that each returns (RETURNING) come back.

        Raises what the first statement whose row count is not as required carries as `otherwise`;
        StorageFull or DatabaseUnavailable when it could not be stored. Nothing is stored when it raises.
        """
        ...

    async def migrate(self) -> int:
        """Bring the schema to this program's version and return it. Raises DataTooNew."""
        ...

    async def close(self) -> None:
        """Wait for what was accepted, then let go of the files."""
        ...


@runtime_checkable
class Watched(Protocol):
    """What adapters tell about themselves."""

    @property
    def transactions(self) -> Transactions:
        """What was stored so far."""
        ...

    @property
    def waiting(self) -> int:
        """Transactions that wait for their turn or for a connection."""
        ...
