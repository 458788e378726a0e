# SPDX-License-Identifier: Apache-2.0
"""Tables `staged` and `dropped`: what was written to a branch since its head commit.

A row's value is a packed Entry; an empty value is a tombstone. Rows of a sealed token never change. A token that no
branch shows is in `dropped`, from its first row on or from the transaction that drops it, so that a crash leaves no
row behind for ever. What was staged by the thousand is in `staged_pages`, and is read here as rows are.
"""

from __future__ import annotations

from itertools import chain, takewhile
from typing import TYPE_CHECKING

from lakehouse.core.errors import BranchNotFound, LinkAddressExpired, LostRace, StagingMoved
from lakehouse.core.paths import after_prefix, successor
from lakehouse.db.statement import Scope, Statement, exclusive, shared
from lakehouse.meta import staged_pages
from lakehouse.meta.refs import PATH_END

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from lakehouse.core.ids import BranchId, StagingToken
    from lakehouse.core.records import Branch
    from lakehouse.db.port import Database

TOMBSTONE = b""
PAGE = 1000
_PUT = (
    "insert into staged(token, path, value) select staging_token, ?, ? from refs where id = ?%s "
    "on conflict(token, path) do update set value = excluded.value%s"
)
_PUT_ANY = _PUT % ("", "")
_PUT_EPOCH = _PUT % (" and epoch = ?", "")
_PUT_IF_NOTHING = (
    "insert into staged(token, path, value) select staging_token, ?, ? from refs where id = ? and version = ? "
    "on conflict(token, path) do nothing"
)
_PUT_IF_SAME = (
    "update staged set value = ? where path = ? and value = ? "
    "and token = (select staging_token from refs where id = ? and version = ?)"
)
_REPLACE = " on conflict(token, path) do update set value = excluded.value"
_UNDER = "insert into staged(token, path, value) values %s" + _REPLACE
_MANY = (
    "insert into staged(token, path, value) select refs.staging_token, v.column1, v.column2 from refs, (values %s) v "
    "where refs.id = ?" + _REPLACE
)
_ROWS = "select path, value from staged where token = ? and path >= ? and path < ? order by path limit ?"
_TOGETHER = (250, 25, 1)
"""Rows of one statement where rows are many, as many as there are: two thirds of the time of a statement each, and the
thread that runs them asks for the interpreter's lock once for each statement.
"""
_PAGES_AT_ONCE = 100
"""Pages that one transaction of the sweeper deletes."""
DROPPED_AT_ONCE = 100
"""Tokens that one transaction of the sweeper looks at."""


def put(branch: BranchId, path: bytes, value: bytes) -> Statement:
    """Stage `value` on whatever token is current. Raises BranchNotFound."""
    return Statement(
        _PUT_ANY, (path, value, branch), rows=1, otherwise=BranchNotFound(), locks=shared(Scope.BRANCH, branch)
    )


def put_at_epoch(branch: BranchId, path: bytes, value: bytes, epoch: int) -> Statement:
    """Stage `value` if no staged data left the branch since `epoch`. Raises StagingMoved (without a location)."""
    return Statement(
        _PUT_EPOCH, (path, value, branch, epoch), rows=1, otherwise=StagingMoved(), locks=shared(Scope.BRANCH, branch)
    )


def put_over(branch: BranchId, path: bytes, value: bytes, *, version: int, seen: bytes | None) -> Statement:
    """Stage `value` if the branch is at `version` and its current staging area holds `seen` at `path` (None: nothing).

    Version and row together say that the path still shows what was seen: rows are also taken back without a new
    version. Raises LostRace.
    """
    locks = shared(Scope.BRANCH, branch)
    if seen is None:
        return Statement(_PUT_IF_NOTHING, (path, value, branch, version), rows=1, otherwise=LostRace(), locks=locks)
    return Statement(_PUT_IF_SAME, (value, path, seen, branch, version), rows=1, otherwise=LostRace(), locks=locks)


def put_many(branch: BranchId, rows: Sequence[tuple[bytes, bytes]]) -> list[Statement]:
    """Stage many (path, value), the last of each path, on whatever token is current. Raises BranchNotFound."""
    once = sorted(dict(rows).items())  # in order, so that two that write the same paths do not wait for each other
    return [
        Statement(
            _MANY % ", ".join(["(?, ?)"] * size),
            many=tuple([(*chain.from_iterable(group), branch) for group in groups]),
            rows=size * len(groups),
            otherwise=BranchNotFound(),
            locks=shared(Scope.BRANCH, branch),
        )
        for size, groups in _grouped(once)
    ]


def put_many_under(token: StagingToken, rows: Sequence[tuple[bytes, bytes]]) -> list[Statement]:
    """Stage many (path, value), each path once, under a token that no branch shows yet."""
    return [
        Statement(
            _UNDER % ", ".join(["(?, ?, ?)"] * size),
            many=tuple([tuple([part for path, value in group for part in (token, path, value)]) for group in groups]),
        )
        for size, groups in _grouped(rows)
    ]


def _grouped(rows: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[int, list[Sequence[tuple[bytes, bytes]]]]]:
    """The rows in their order, in groups of as few sizes as may be."""
    at = 0
    for size in _TOGETHER:
        end = len(rows) - (len(rows) - at) % size
        if at < end:
            yield size, [rows[start : start + size] for start in range(at, end, size)]
        at = end


def reserve(token: StagingToken, *, until: int) -> Statement:
    """Before rows go under a token that no branch shows yet: the sweeper takes them soon after `until` (seconds)."""
    return Statement("insert into dropped(token, at) values (?, ?)", (token, until))


def keep(*tokens: StagingToken, now: int) -> Statement:
    """A branch shows reserved tokens from now on. Raises LinkAddressExpired when the sweeper may come before that."""
    return Statement(
        "delete from dropped where token = ? and at >= ?",
        many=tuple([(token, now) for token in tokens]),
        rows=len(tokens),
        otherwise=LinkAddressExpired(),
    )


def abandon(*tokens: StagingToken, now: int) -> Statement:
    """Hand reserved tokens to the sweeper. Nothing happens to one that a branch shows meanwhile."""
    return Statement("update dropped set at = ? where token = ?", many=tuple([(now, token) for token in tokens]))


def publish(branch: BranchId, tokens: Sequence[StagingToken], *, fresh: StagingToken, epoch: int | None) -> Statement:
    """Make what is under private tokens, newest first, the newest of the branch. Returns the sealed tokens as text.

    If rows are in the current staging area, it is sealed beneath and `fresh` takes the writes. To go with `keep`, if
    the tokens were reserved. Raises StagingMoved when `epoch` is given and staged data left the branch since, else
    BranchNotFound.
    """
    used = "exists (select 1 from staged s where s.token = refs.staging_token)"
    return Statement(
        f"update refs set sealed = ? || ',' || case when {used} then staging_token || ',' else '' end || sealed, "
        f"staging_token = case when {used} then ? else staging_token end, version = version + 1 "
        "where id = ? and epoch = coalesce(?, epoch) returning sealed",
        (",".join(map(str, tokens)), fresh, branch, epoch),
        rows=1,
        otherwise=BranchNotFound() if epoch is None else StagingMoved(),
        locks=exclusive(Scope.BRANCH, branch),
    )


def publish_beneath(branch: Branch, token: StagingToken, *, free: bytes | None, now: int) -> list[Statement]:
    """Put the rows under a reserved token right beneath the current staging area of a branch that is as it was seen.

    `free`: where the current area holds an object at a path that begins with this, the token must hold none. Returns
    the sealed tokens as text. Raises LostRace; LinkAddressExpired as `keep`.
    """
    start, end = (b"", b"") if free is None else (free, after_prefix(free))
    return [
        Statement(
            "update refs set sealed = ? || ',' || sealed, version = version + 1 where id = ? and version = ? "
            "and not exists (select 1 from staged s where s.token = refs.staging_token and s.path >= ? and s.path < ? "
            "and length(s.value) > 0 and exists "
            "(select 1 from staged p where p.token = ? and p.path = s.path and length(p.value) > 0)) returning sealed",
            (token, branch.id, branch.version, start, PATH_END if end is None else end, token),
            rows=1,
            otherwise=LostRace(),
            locks=exclusive(Scope.BRANCH, branch.id),
        ),
        keep(token, now=now),
    ]


def require_epoch(branch: BranchId, epoch: int) -> Statement:
    """Change nothing; raises StagingMoved when staged data left the branch since `epoch`."""
    return Statement(
        "select 1 from refs where id = ? and epoch = ?",
        (branch, epoch),
        rows=1,
        otherwise=StagingMoved(),
        locks=shared(Scope.BRANCH, branch),
    )


def remove(branch: BranchId, paths: Sequence[bytes]) -> Statement:
    """Take back what the current staging area holds at `paths`."""
    return Statement(
        "delete from staged where path = ? and token = (select staging_token from refs where id = ?)",
        many=tuple((path, branch) for path in sorted(paths)),
        locks=shared(Scope.BRANCH, branch),
    )


def remove_range(branch: BranchId, *, start: bytes, end: bytes | None) -> Statement:
    """Take back what the current staging area holds in [start, end)."""
    return Statement(
        "delete from staged where token = (select staging_token from refs where id = ?) and path >= ? and path < ?",
        (branch, start, PATH_END if end is None else end),
        locks=shared(Scope.BRANCH, branch),
    )


async def rows(
    db: Database, branch: BranchId, token: StagingToken, *, start: bytes, end: bytes | None, limit: int
) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Up to `limit` rows of a token in [start, end), with the branch's version, in one statement.

    Raises BranchNotFound.
    """
    stop = PATH_END if end is None else end
    found = await db.all(
        "select f.version, s.path, s.value from refs f "
        "left join staged s on s.token = ? and s.path >= ? and s.path < ? where f.id = ? order by s.path limit ?",
        (token, start, stop, branch, limit),
    )
    if not found:
        raise BranchNotFound
    if found[0][1] is None:  # pages never change: what is read of them later is what the branch showed
        return found[0][0], await staged_pages.page(db, token, start=start, end=stop, limit=limit)
    return found[0][0], [(row[1], row[2]) for row in found]


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
    by_token = {row[1]: row[2] for row in found if row[1] is not None}
    newer = list(takewhile(lambda token: token not in by_token, tokens))
    if newer:
        by_token |= await staged_pages.values(db, newer, path)
    return found[0][0], next((by_token[token] for token in tokens if token in by_token), None)


async def is_empty(db: Database, tokens: Sequence[StagingToken]) -> bool:
    """Whether none of the tokens has a row."""
    marks = ", ".join("?" * len(tokens))
    if await db.one(f"select 1 from staged where token in ({marks}) limit 1", tuple(tokens)) is not None:
        return False
    return await staged_pages.is_empty(db, tokens)


async def any_within(db: Database, tokens: Sequence[StagingToken], *, start: bytes, end: bytes | None) -> bool:
    """Whether one of the tokens has a row in [start, end)."""
    marks = ", ".join("?" * len(tokens))
    stop = PATH_END if end is None else end
    sql = f"select 1 from staged where token in ({marks}) and path >= ? and path < ? limit 1"
    if await db.one(sql, (*tokens, start, stop)) is not None:
        return True
    for token in tokens:
        if await staged_pages.page(db, token, start=start, end=stop, limit=1):
            return True
    return False


async def page(
    db: Database, token: StagingToken, *, start: bytes, end: bytes | None, limit: int
) -> list[tuple[bytes, bytes]]:
    """Up to `limit` rows of a token in [start, end), whether or not a branch still shows it."""
    stop = PATH_END if end is None else end
    found = await db.all(_ROWS, (token, start, stop, limit))
    return found or await staged_pages.page(db, token, start=start, end=stop, limit=limit)


async def scan(
    db: Database, token: StagingToken, *, start: bytes = b"", end: bytes | None = None
) -> AsyncGenerator[list[tuple[bytes, bytes]], None]:
    """All rows of a token in [start, end) in order of path, in pages."""
    after = start
    while True:
        found = await page(db, token, start=after, end=end, limit=PAGE)
        if found:
            yield found
        if len(found) < PAGE:
            return
        after = successor(found[-1][0])


async def path_after(db: Database, token: StagingToken, after: bytes, *, skip: int) -> bytes | None:
    """The path of a token's row that follows `after`, `skip` rows later; None when there are not so many."""
    row = await db.one(
        "select path from staged where token = ? and path > ? order by path limit 1 offset ?", (token, after, skip)
    )
    return None if row is None else row[0]


def drop(tokens: Sequence[StagingToken], *, now: int) -> list[Statement]:
    """Hand tokens that no branch shows any more to the sweeper."""
    if not tokens:
        return []
    return [
        Statement(
            "insert into dropped(token, at) values (?, ?) on conflict(token) do update set at = excluded.at",
            many=tuple((token, now) for token in tokens),
        )
    ]


async def sweep(db: Database, *, before: int) -> int:
    """Delete up to 1,000 staged rows, or 100 pages, of tokens that were dropped before `before` (seconds).

    Returns the number of rows, pages and tokens that went; 0 when there is nothing to do. One transaction.
    """
    found = await db.all("select token from dropped where at < ? order by at limit ?", (before, DROPPED_AT_ONCE))
    if not found:
        return 0
    tokens = tuple(row[0] for row in found)
    marks = ", ".join("?" * len(tokens))
    [gone] = await db.apply(
        Statement(
            "delete from staged where (token, path) in "
            f"(select token, path from staged where token in ({marks}) limit ?) returning 1",
            (*tokens, PAGE),
        )
    )
    if len(gone) == PAGE:
        return PAGE
    [pages] = await db.apply(staged_pages.delete(tokens, limit=_PAGES_AT_ONCE))
    if len(pages) == _PAGES_AT_ONCE:
        return len(pages)
    await db.apply(Statement("delete from dropped where token = ?", many=tuple((token,) for token in tokens)))
    return len(gone) + len(pages) + len(tokens)
