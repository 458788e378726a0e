# SPDX-License-Identifier: Apache-2.0
"""Events that clients report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.statistics import POST_STATS_EVENTS, StatsEvent, StatsEventsList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.sdk._sync.transport import Transport


class Statistics:
    """Reports of usage, which the server accepts and drops."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def post_stats_events(self, events: Sequence[StatsEvent]) -> None:
        """Report events."""
        self._transport.send(POST_STATS_EVENTS, body=StatsEventsList(list(events)))
