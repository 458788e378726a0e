# SPDX-License-Identifier: Apache-2.0
"""Handlers: events that clients report, checked and dropped, and what the server counted itself.

Nothing is ever sent anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.asgi.responses import Response, text_response
from lakehouse.auth.setup import INSTALLATION_ID
from lakehouse.core.errors import InvalidArgument, SettingNotFound
from lakehouse.meta import installation
from lakehouse.wire.statistics import InstallationUsageReport, UsageReport

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.statistics import StatsEventsList


async def post_stats_events(services: Services, call: Call[None, StatsEventsList]) -> None:
    for event in call.body.events:
        if not event.class_ or not event.name or event.count < 0:
            raise InvalidArgument("event: class and name are needed, count must not be negative: validation error")


async def get_usage_report_summary(services: Services, call: Call[None, None]) -> InstallationUsageReport | Response:
    name = await installation.find(services.lake.db, INSTALLATION_ID)
    if name is None:
        raise SettingNotFound("usage report: not found")
    reports = [
        UsageReport(year=month // 100, month=month % 100, count=count)
        for month, count in await services.usage.counted()
    ]
    if call.header(b"accept") == "text/plain":
        lines = [f"{one.year:04d}-{one.month:02d}  {one.count}" for one in reports]
        return text_response(200, "\n".join([f"Usage of installation {name}", *lines, ""]))
    return InstallationUsageReport(installation_id=name, reports=reports)
