# SPDX-License-Identifier: Apache-2.0
"""The cache of Flyte, put together from a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.facades.cache.admission import Admission
from lakehouse.facades.cache.connect import ConnectApp
from lakehouse.facades.cache.service import OUTCOMES, CacheOptions, CacheService
from lakehouse.server.metrics import REST

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.core.records import User
    from lakehouse.server.parts import Parts


def flyte_cache(parts: Parts) -> CacheService:
    """The cache, whose outcomes are counted."""
    given = parts.config.flyte
    options = CacheOptions(
        max_heartbeat=given.max_heartbeat, grace=given.grace, ignore_org=given.ignore_org, keep=given.keep
    )

    def may_read(user: User | None, repository: str, path: str) -> bool:
        return parts.checker.allowed(user, "fs:ReadObject", f"repository/{repository}/object/{path}")

    return CacheService(parts.lake, may_read=may_read, options=options, count=_counter(parts))


def flyte_admission(parts: Parts) -> Admission:
    """Who may use the cache by other ways than REST. Raises BadConfiguration."""
    return Admission(
        parts.lake.db,
        parts.authenticator,
        parts.checker,
        networks=parts.config.flyte.anonymous,
        record=parts.record,
        clock=parts.lake.clock,
    )


def connect_app(parts: Parts, cache: CacheService, admission: Admission) -> ConnectApp:
    """The cache by Connect."""
    return ConnectApp(cache, admission, parts.origin, observe=parts.metrics.observer(REST))


def _counter(parts: Parts) -> Callable[[str], None]:
    series = parts.metrics.metrics.counter(
        "lakehouse_cache_outcomes_total", "What the cache of task outputs answered.", outcome=OUTCOMES
    )
    cells = {outcome: series.at(outcome) for outcome in OUTCOMES}
    return lambda outcome: cells[outcome].add()
