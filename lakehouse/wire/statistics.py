# SPDX-License-Identifier: Apache-2.0
"""Events that clients report. They are accepted, because clients insist, and are not sent anywhere."""

from __future__ import annotations

import msgspec

from lakehouse.wire.operation import AUTHENTICATED, Operation


class StatsEvent(msgspec.Struct, frozen=True, kw_only=True):
    class_: str = msgspec.field(name="class")
    name: str
    count: int


class StatsEventsList(msgspec.Struct, frozen=True):
    events: list[StatsEvent]


POST_STATS_EVENTS = Operation(
    name="post_stats_events",
    id="postStatsEvents",
    method="POST",
    path="/statistics",
    tag="statistics",
    summary="Report events",
    allow=AUTHENTICATED,
    body=StatsEventsList,
    status=204,
)

OPERATIONS = (POST_STATS_EVENTS,)
