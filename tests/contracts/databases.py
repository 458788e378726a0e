# SPDX-License-Identifier: Apache-2.0
"""SQL and rows that the contract of databases is tested with: the portable subset that the engine uses."""

from __future__ import annotations

from typing import Any

from lakehouse.db.statement import Statement

ADAPTERS = ["sqlite", "sqlite off the loop", "postgres"]

STAGE = "insert into staged (token, path, value) values (?, ?, ?)"
SETTING = "insert into settings (repository, key, value, etag) values (?, ?, ?, '')"
BRANCH = (
    "insert into refs (repository, name, kind, commit_id, staging_token, created, updated)"
    " values (1, 'main', 0, '', ?, 0, 0)"
)
SCAN = "select path, value from staged where token = ? and path > ? order by path limit ?"


async def paths(database: Any, token: int = 1) -> list[bytes]:
    return [row[0] for row in await database.all("select path from staged where token = ? order by path", (token,))]


def stage(path: bytes, value: bytes = b"v", token: int = 1) -> Statement:
    return Statement(STAGE, (token, path, value), rows=1)
