# SPDX-License-Identifier: Apache-2.0
"""Events that clients report, and what the server counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.statistics import (
    GET_USAGE_REPORT_SUMMARY,
    POST_STATS_EVENTS,
    InstallationUsageReport,
    StatsEvent,
    StatsEventsList,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.sdk._sync.transport import Transport


class Statistics:
    """Reports of usage: those of clients, which the server accepts and drops, and the server's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def post_stats_events(self, events: Sequence[StatsEvent]) -> None:
        """Report events."""
        self._transport.send(POST_STATS_EVENTS, body=StatsEventsList(list(events)))

    def get_usage_report_summary(self) -> InstallationUsageReport:
        """How many requests the servers of this installation answered, by month."""
        return self._transport.call(GET_USAGE_REPORT_SUMMARY, InstallationUsageReport)
