# SPDX-License-Identifier: Apache-2.0
"""Tables `staged` and `dropped`: what was written to a branch since its head commit.

A row's value is a packed Entry; an empty value is a tombstone. Rows of a sealed token never change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import BranchNotFound, LostRace, StagingMoved
from lakehouse.db.statement import Statement
from lakehouse.meta.refs import PATH_END

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.ids import BranchId, StagingToken
    from lakehouse.db.port import Database

TOMBSTONE = b""
PAGE = 1000
_PUT = (
    "insert into staged(token, path, value) select staging_token, ?, ? from refs where id = ?%s "
    "on conflict(token, path) do update set value = excluded.value%s"
)
_PUT_ANY = _PUT % ("", "")
_PUT_EPOCH = _PUT % (" and epoch = ?", "")
_PUT_VERSION_IF_ABSENT = _PUT % (" and version = ?", " where staged.value = x''")
_PUT_VERSION_IF_SAME = _PUT % (" and version = ?", " where staged.value = ?")


def put(branch: BranchId, path: bytes, value: bytes) -> Statement:
    """Stage `value` on whatever token is current. Raises BranchNotFound."""
    return Statement(_PUT_ANY, (path, value, branch), rows=1, otherwise=BranchNotFound())


def put_at_epoch(branch: BranchId, path: bytes, value: bytes, epoch: int) -> Statement:
    """Stage `value` if no staged data left the branch since `epoch`. Raises StagingMoved (without a location)."""
    return Statement(_PUT_EPOCH, (path, value, branch, epoch), rows=1, otherwise=StagingMoved())


def put_if_absent(branch: BranchId, path: bytes, value: bytes, version: int) -> Statement:
    """Stage `value` if the branch is at `version` and nothing but a tombstone is staged. Raises LostRace."""
    return Statement(_PUT_VERSION_IF_ABSENT, (path, value, branch, version), rows=1, otherwise=LostRace())


def put_if_same(branch: BranchId, path: bytes, value: bytes, *, version: int, seen: bytes) -> Statement:
    """Stage `value` if the branch is at `version` and what is staged, if anything, is `seen`. Raises LostRace."""
    return Statement(_PUT_VERSION_IF_SAME, (path, value, branch, version, seen), rows=1, otherwise=LostRace())


def put_many(branch: BranchId, rows: Sequence[tuple[bytes, bytes]]) -> Statement:
    """Stage many (path, value) on whatever token is current. Raises BranchNotFound."""
    return Statement(
        _PUT_ANY,
        many=tuple((path, value, branch) for path, value in rows),
        rows=len(rows),
        otherwise=BranchNotFound(),
    )


def put_many_under(token: StagingToken, rows: Sequence[tuple[bytes, bytes]]) -> Statement:
    """Stage many (path, value) under a token that no branch shows yet."""
    return Statement(
        "insert into staged(token, path, value) values (?, ?, ?) "
        "on conflict(token, path) do update set value = excluded.value",
        many=tuple((token, path, value) for path, value in rows),
    )


def publish(branch: BranchId, token: StagingToken, fresh: StagingToken, epoch: int | None) -> Statement:
    """Make the rows under `token` the newest of the branch: the current token is sealed beneath it, `fresh` on top.

    Raises StagingMoved when `epoch` is given and staged data left the branch since, else BranchNotFound.
    """
    return Statement(
        "update refs set sealed = ? || ',' || staging_token || ',' || sealed, staging_token = ?, "
        "version = version + 1 where id = ? and epoch = coalesce(?, epoch)",
        (token, fresh, branch, epoch),
        rows=1,
        otherwise=BranchNotFound() if epoch is None else StagingMoved(),
    )


def require_epoch(branch: BranchId, epoch: int) -> Statement:
    """Change nothing; raises StagingMoved when staged data left the branch since `epoch`."""
    return Statement(
        "update refs set epoch = epoch where id = ? and epoch = ?",
        (branch, epoch),
        rows=1,
        otherwise=StagingMoved(),
    )


def remove(branch: BranchId, path: bytes) -> Statement:
    """Take back what the current staging area holds at `path`."""
    return Statement(
        "delete from staged where path = ? and token = (select staging_token from refs where id = ?)", (path, branch)
    )


def remove_range(branch: BranchId, *, start: bytes, end: bytes | None) -> Statement:
    """Take back what the current staging area holds in [start, end)."""
    return Statement(
        "delete from staged where token = (select staging_token from refs where id = ?) and path >= ? and path < ?",
        (branch, start, PATH_END if end is None else end),
    )


async def rows(
    db: Database, branch: BranchId, token: StagingToken, *, start: bytes, end: bytes | None, limit: int
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Up to `limit` rows of a token in [start, end), with the branch's version, in one statement.

    Raises BranchNotFound.
    """
    found = await db.all(
        "select f.version, s.path, s.value from refs f "
        "left join staged s on s.token = ? and s.path >= ? and s.path < ? where f.id = ? order by s.path limit ?",
        (token, start, PATH_END if end is None else end, branch, limit),
    )
    if not found:
        raise BranchNotFound
    return found[0][0], [(row[1], row[2]) for row in found if row[1] is not None]


async def value(
    db: Database, branch: BranchId, tokens: Sequence[StagingToken], path: bytes
) -> tuple[int, bytes | None]:
    """What the first of `tokens` that knows `path` holds (None: none does), with the branch's version.

    Raises BranchNotFound.
    """
    marks = ", ".join("?" * len(tokens))
    found = await db.all(
        f"select f.version, s.token, s.value from refs f left join staged s on s.token in ({marks}) and s.path = ? "
        "where f.id = ?",
        (*tokens, path, branch),
    )
    if not found:
        raise BranchNotFound
    by_token = {row[1]: row[2] for row in found}
    return found[0][0], next((by_token[token] for token in tokens if token in by_token), None)


async def is_empty(db: Database, tokens: Sequence[StagingToken]) -> bool:
    """Whether none of the tokens has a row."""
    marks = ", ".join("?" * len(tokens))
    return await db.one(f"select 1 from staged where token in ({marks}) limit 1", tuple(tokens)) is None


async def scan(
    db: Database, token: StagingToken, *, start: bytes = b"", end: bytes | None = None
) -> AsyncIterator[list[tuple[bytes, bytes]]]:
    """All rows of a token in [start, end) in order of path, in pages."""
    after = start
    sql = "select path, value from staged where token = ? and path >= ? and path < ? order by path limit ?"
    stop = PATH_END if end is None else end
    while True:
        found = await db.all(sql, (token, after, stop, PAGE))
        if found:
            yield [(row[0], row[1]) for row in found]
        if len(found) < PAGE:
            return
        after = found[-1][0] + b"\x00"


def drop(tokens: Sequence[StagingToken], *, now: int) -> list[Statement]:
    """Hand tokens that no branch shows any more to the sweeper."""
    if not tokens:
        return []
    return [
        Statement(
            "insert into dropped(token, at) values (?, ?) on conflict(token) do nothing",
            many=tuple((token, now) for token in tokens),
        )
    ]


async def sweep(db: Database, *, before: int) -> int:
    """Delete up to 1,000 staged rows of a token that was dropped before `before` (seconds); 0 when there is none."""
    row = await db.one("select token from dropped where at < ? order by at limit 1", (before,))
    if row is None:
        return 0
    token = row[0]
    [gone] = await db.apply(
        Statement(
            "delete from staged where token = ? and path in (select path from staged where token = ? limit ?) "
            "returning 1",
            (token, token, PAGE),
        )
    )
    if len(gone) < PAGE:
        await db.apply(Statement("delete from dropped where token = ?", (token,)))
    return max(1, len(gone))
