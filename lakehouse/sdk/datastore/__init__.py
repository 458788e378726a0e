# SPDX-License-Identifier: Apache-2.0
"""Flyte's DataStore over lakehouses: containers are repositories, loaded when they are asked for."""

from lakehouse.sdk.context import Canceled, Context
from lakehouse.sdk.datastore.container import Container
from lakehouse.sdk.datastore.errors import (
    BadContainer,
    BadReference,
    LimitExceeded,
    is_exceeds_limit,
    is_exists,
    is_not_found,
)
from lakehouse.sdk.datastore.location import Location, LocationID
from lakehouse.sdk.datastore.measured import Measured
from lakehouse.sdk.datastore.reference import DataReference, construct_reference, parse_reference
from lakehouse.sdk.datastore.store import DataStore
from lakehouse.sdk.datastore.values import (
    AT_END,
    AT_START,
    Cursor,
    Metadata,
    Options,
    SignedURLProperties,
    SignedURLResponse,
    URLScope,
    cursor_at,
)

__all__ = [
    "AT_END",
    "AT_START",
    "BadContainer",
    "BadReference",
    "Canceled",
    "Container",
    "Context",
    "Cursor",
    "DataReference",
    "DataStore",
    "LimitExceeded",
    "Location",
    "LocationID",
    "Measured",
    "Metadata",
    "Options",
    "SignedURLProperties",
    "SignedURLResponse",
    "URLScope",
    "construct_reference",
    "cursor_at",
    "is_exceeds_limit",
    "is_exists",
    "is_not_found",
    "parse_reference",
]
