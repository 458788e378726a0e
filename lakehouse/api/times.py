# SPDX-License-Identifier: Apache-2.0
"""Moments as the wire has them where it does not count seconds: RFC 3339, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def wire_time(seconds: float) -> datetime:
    """The moment `seconds` after 1970 began."""
    return datetime.fromtimestamp(seconds, UTC)
