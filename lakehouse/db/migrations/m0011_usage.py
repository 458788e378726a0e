# SPDX-License-Identifier: Apache-2.0
"""Schema 11: how many requests the servers of an installation answered, by month of UTC (`year * 100 + month`)."""

from __future__ import annotations

NAME = "0011_usage"

DDL = (
    """create table usage_counts (
        month {int} not null primary key,
        count {int} not null
    ) {clustered}""",
)
