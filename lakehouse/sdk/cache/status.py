# SPDX-License-Identifier: Apache-2.0
"""What the cache client returns: entries, their status, reservations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from lakehouse.sdk.cache.outputs import Outputs

if TYPE_CHECKING:
    from lakehouse.core.errors import LakehouseError
    from lakehouse.wire.cache import CacheEntry


class CacheStatus(IntEnum):
    """What became of a look-up or a write. The numbers are Flyte's."""

    DISABLED = 0
    MISS = 1
    HIT = 2
    POPULATED = 3
    LOOKUP_FAILURE = 4
    PUT_FAILURE = 5
    SKIPPED = 6
    EVICTED = 7


class ReservationStatus(IntEnum):
    """What is known of a reservation. The numbers are Flyte's."""

    DISABLED = 0
    ACQUIRED = 1
    EXISTS = 2
    RELEASED = 3
    FAILURE = 4


class ArtifactMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Where outputs come from, and when they were stored."""

    source_identifier: dict[str, str | int]
    key_map: dict[str, str]
    created_at: datetime
    last_updated_at: datetime


class Status(msgspec.Struct, frozen=True):
    """What became of a look-up or a write, and what is known of the artifact."""

    cache_status: CacheStatus
    metadata: ArtifactMetadata | None = None


class Entry(msgspec.Struct, frozen=True):
    """An artifact."""

    outputs: Outputs
    status: Status


class Reservation(msgspec.Struct, frozen=True):
    """Who computes it, how often they say so, and until when the reservation counts."""

    owner: str
    heartbeat: timedelta
    expires_at: datetime


class ReservationCache(msgspec.Struct, frozen=True):
    """What an owner noted of a reservation, and when. The zero value: nothing was noted."""

    timestamp: datetime = datetime.min.replace(tzinfo=UTC)
    status: ReservationStatus = ReservationStatus.DISABLED


def metadata_of(entry: CacheEntry) -> ArtifactMetadata:
    """What an entry tells beside its outputs."""
    source = entry.metadata.source_identifier
    return ArtifactMetadata(
        source_identifier={} if source is None else msgspec.structs.asdict(source),
        key_map=entry.metadata.key_map,
        created_at=datetime.fromtimestamp(entry.created_at, UTC),
        last_updated_at=datetime.fromtimestamp(entry.last_updated_at, UTC),
    )


def with_status(error: LakehouseError, status: CacheStatus) -> LakehouseError:
    """The error, whose `status` tells what became of the call."""
    error.status = Status(status)  # type: ignore[attr-defined]
    return error
