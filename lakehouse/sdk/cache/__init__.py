# SPDX-License-Identifier: Apache-2.0
"""Flyte's cache client, over the cache of a lakehouse: outputs of tasks, and who computes what is missing."""

from lakehouse.sdk.cache.client import Client
from lakehouse.sdk.cache.key import Key
from lakehouse.sdk.cache.outputs import Outputs, Pointer
from lakehouse.sdk.cache.status import (
    CacheStatus,
    Entry,
    Reservation,
    ReservationCache,
    ReservationStatus,
    Status,
)
from lakehouse.sdk.context import Canceled, Context

__all__ = [
    "CacheStatus",
    "Canceled",
    "Client",
    "Context",
    "Entry",
    "Key",
    "Outputs",
    "Pointer",
    "Reservation",
    "ReservationCache",
    "ReservationStatus",
    "Status",
]
