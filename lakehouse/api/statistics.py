# SPDX-License-Identifier: Apache-2.0
"""Handlers: usage events. They are checked and dropped: nothing is ever sent anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidArgument

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.statistics import StatsEventsList


async def post_stats_events(services: Services, call: Call[None, StatsEventsList]) -> None:
    for event in call.body.events:
        if not event.class_ or not event.name or event.count < 0:
            raise InvalidArgument("event: class and name are needed, count must not be negative: validation error")
