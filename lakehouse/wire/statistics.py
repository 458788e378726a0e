# SPDX-License-Identifier: Apache-2.0
"""Events that clients report, accepted because clients insist and sent nowhere; and what the server counted itself."""

from __future__ import annotations

import msgspec

from lakehouse.wire.operation import AUTHENTICATED, Operation


class StatsEvent(msgspec.Struct, frozen=True, kw_only=True):
    class_: str = msgspec.field(name="class")
    name: str
    count: int


class StatsEventsList(msgspec.Struct, frozen=True):
    events: list[StatsEvent]


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """`count`: the requests that were answered in a month of UTC."""

    year: int
    month: int
    count: int


class InstallationUsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation, all of its servers together, was used for; oldest month first."""

    installation_id: str
    reports: list[UsageReport]


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

GET_USAGE_REPORT_SUMMARY = Operation(
    name="get_usage_report_summary",
    id="getUsageReportSummary",
    method="GET",
    path="/usage-report/summary",
    tag="statistics",
    summary="Count the requests that were answered, by month; as text, if that is what Accept asks for",
    allow=AUTHENTICATED,
    result=InstallationUsageReport,
)

OPERATIONS = (POST_STATS_EVENTS, GET_USAGE_REPORT_SUMMARY)
