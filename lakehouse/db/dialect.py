# SPDX-License-Identifier: Apache-2.0
"""The words in which databases differ, so that each migration is written once.

DDL has placeholders: `{identity}` an integer primary key that is never used again, `{int}` 64 bits, `{text}` text
that sorts bytewise, `{blob}` bytes, `{table}` and `{clustered}` what ends a table's definition (`{clustered}`: rows
are stored in the order of the primary key, where the database can do that).
"""

from __future__ import annotations

import msgspec


class Dialect(msgspec.Struct, frozen=True):
    """The words of one database."""

    identity: str
    int: str
    text: str
    blob: str
    table: str
    clustered: str

    def fill(self, ddl: str) -> str:
        """`ddl` with its placeholders replaced. Raises KeyError for one that is not known."""
        return ddl.format_map(msgspec.structs.asdict(self))


SQLITE = Dialect(
    identity="integer primary key autoincrement",
    int="integer",
    text="text",
    blob="blob",
    table="strict",
    clustered="strict, without rowid",
)

POSTGRES = Dialect(
    identity="bigint generated always as identity primary key",
    int="bigint",
    text='text collate "C"',
    blob="bytea",
    table="",
    clustered="",
)
