# SPDX-License-Identifier: Apache-2.0
"""Table `staged_pages`: what was staged by the thousand, some hundred paths in a row.

A row for each path costs ten times as much to write, and as much again to delete. Pages are written under a token that
no branch shows yet, in order and without overlap, and never change. A token has pages or rows in `staged`, not both.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.paths import successor
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lakehouse.core.ids import StagingToken
    from lakehouse.db.port import Database

Row = tuple[bytes, bytes]

PATHS = 250
"""Paths of a page, at most: a lookup decodes one page, in some microseconds."""
BYTES = 256 * 1024
"""Bytes of a page, about, where the values are so large that it has fewer paths."""
_TOKENS = 100
"""Tokens that one statement looks into."""
_PAGES = (
    "select body from staged_pages where token = ? and first >= coalesce("
    "(select p.first from staged_pages p where p.token = ? and p.first <= ? order by p.first desc limit 1), ?) "
    "and first < ? order by first limit ?"
)
_HOLDER = (
    "select * from "
    "(select token, body from staged_pages where token = ? and first <= ? order by first desc limit 1) newest"
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[bytes], list[bytes]]).decode


def put(token: StagingToken, rows: Sequence[Row]) -> list[Statement]:
    """Store (path, value), ascending by path, under a token whose paths so far are all less."""
    if not rows:
        return []
    size = sum([len(path) + len(value) for path, value in rows])
    paths = max(1, min(PATHS, BYTES * len(rows) // size))
    pages = [rows[at : at + paths] for at in range(0, len(rows), paths)]
    return [
        Statement(
            "insert into staged_pages(token, first, paths, body) values (?, ?, ?, ?)",
            many=tuple([(token, page[0][0], len(page), _encode(tuple(zip(*page, strict=True)))) for page in pages]),
        )
    ]


async def page(db: Database, token: StagingToken, *, start: bytes, end: bytes, limit: int) -> list[Row]:
    """Up to `limit` rows of a token in [start, end), in order of path."""
    found: list[Row] = []
    at, most = start, limit // PATHS + 2
    while True:
        bodies = await db.all(_PAGES, (token, token, at, at, end, most))
        for (body,) in bodies:
            paths, values = _decode(body)
            begin, stop = bisect_left(paths, at), bisect_left(paths, end)
            found += zip(paths[begin:stop], values[begin:stop], strict=True)
            at = successor(paths[-1])
        if len(found) >= limit or len(bodies) < most:
            return found[:limit]


async def values(db: Database, tokens: Sequence[StagingToken], path: bytes) -> dict[StagingToken, bytes]:
    """What each of the tokens that knows `path` holds there."""
    held: dict[StagingToken, bytes] = {}
    for some in _groups(tokens):
        sql = " union all ".join([_HOLDER] * len(some))
        for holder, body in await db.all(sql, tuple([value for token in some for value in (token, path)])):
            paths, there = _decode(body)
            at = bisect_left(paths, path)
            if at < len(paths) and paths[at] == path:
                held[holder] = there[at]
    return held


async def is_empty(db: Database, tokens: Sequence[StagingToken]) -> bool:
    """Whether none of the tokens has a page."""
    marks = ", ".join("?" * len(tokens))
    return await db.one(f"select 1 from staged_pages where token in ({marks}) limit 1", tuple(tokens)) is None


async def firsts(db: Database, token: StagingToken, after: bytes, *, limit: int) -> list[tuple[bytes, int]]:
    """The first path and the number of paths of up to `limit` pages that begin behind `after`, in order."""
    found = await db.all(
        "select first, paths from staged_pages where token = ? and first > ? order by first limit ?",
        (token, after, limit),
    )
    return [(row[0], row[1]) for row in found]


def delete(tokens: Sequence[StagingToken], *, limit: int) -> Statement:
    """Delete up to `limit` pages of the tokens; returns a row for each."""
    marks = ", ".join("?" * len(tokens))
    return Statement(
        "delete from staged_pages where (token, first) in "
        f"(select token, first from staged_pages where token in ({marks}) limit ?) returning 1",
        (*tokens, limit),
    )


def _groups(tokens: Sequence[StagingToken]) -> Iterator[Sequence[StagingToken]]:
    return (tokens[at : at + _TOKENS] for at in range(0, len(tokens), _TOKENS))
