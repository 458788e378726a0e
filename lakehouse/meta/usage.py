# SPDX-License-Identifier: Apache-2.0
"""Table `usage_counts`: requests by month. Processes add what they counted, so nothing is lost between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.db.port import Database


def add(counts: Mapping[int, int]) -> Statement:
    """Add to the counts of months (`year * 100 + month`)."""
    return Statement(
        "insert into usage_counts(month, count) values (?, ?) "
        "on conflict (month) do update set count = usage_counts.count + excluded.count",
        many=tuple(counts.items()),
    )


async def by_month(db: Database) -> list[tuple[int, int]]:
    """All months and their counts, oldest first."""
    rows = await db.all("select month, count from usage_counts order by month", ())
    return [(int(row[0]), int(row[1])) for row in rows]
