# SPDX-License-Identifier: Apache-2.0
"""Reading table `reflog`: where a branch's head was.

Rows of a branch are numbered from 1 in the order of its moves, without gaps; `refs` writes them. The oldest may go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import BranchId, CommitId

if TYPE_CHECKING:
    from lakehouse.db.port import Database


class Move(msgspec.Struct, frozen=True):
    """One move of a branch's head, from `old` ("" when the branch was made) to `new`. `at` in seconds."""

    sequence: int
    at: int
    old: CommitId
    new: CommitId
    operation: str
    actor: str
    request: str


async def page(db: Database, branch: BranchId, *, before: int | None, limit: int) -> list[Move]:
    """Up to `limit` moves, newest first; those before the move number `before` if it is given."""
    rows = await db.all(
        "select seq, at, old, new, operation, actor, request_id from reflog where branch = ? and seq < ? "
        "order by seq desc limit ?",
        (branch, 2**62 if before is None else before, limit),
    )
    return [Move(row[0], row[1], CommitId(row[2]), CommitId(row[3]), row[4], row[5], row[6]) for row in rows]


async def last(db: Database, branch: BranchId) -> int:
    """The number of the newest move; 0 when there is none."""
    row = await db.one("select max(seq) from reflog where branch = ?", (branch,))
    return 0 if row is None or row[0] is None else int(row[0])


async def moves_ago(db: Database, branch: BranchId, moves: int) -> CommitId | None:
    """The head before the last `moves` moves; None when the log does not reach back so far.

    The row that made the branch is no move: before it there was nothing.
    """
    row = await db.one(
        "select new from reflog where branch = ? and seq = (select max(seq) from reflog where branch = ?) - ?",
        (branch, branch, moves),
    )
    return None if row is None else CommitId(row[0])


async def head_at(db: Database, branch: BranchId, time: int) -> CommitId | None:
    """The head at `time` (seconds): what the last move up to then made it; None before the first.

    A binary search over the numbers, so O(log n) reads. When the clock was set back in between, it is one of the
    places where the log passes `time`.
    """
    low, high = 0, await last(db, branch)  # the wanted move is number `low` or one of those up to `high`
    head: CommitId | None = None
    while low < high:
        middle = (low + high + 1) // 2
        row = await db.one("select at, new from reflog where branch = ? and seq = ?", (branch, middle))
        if row is not None and row[0] > time:
            high = middle - 1
        else:
            low, head = middle, None if row is None else CommitId(row[1])
    return head
