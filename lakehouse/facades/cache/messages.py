# SPDX-License-Identifier: Apache-2.0
"""The messages of `flyteidl2.cacheservice.v2.CacheService`, as far as the service looks into them.

A message in hand is a dict from field names to values; fields that are not there are absent. Times and intervals are
(seconds, nanoseconds). Literals are not looked into: `LITERALS` stands for a message whose bytes are taken as they are.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

Message = dict[str, Any]


class Kind(Enum):
    """What a field holds."""

    TEXT = "string"
    BOOL = "bool"
    INT = "integer"
    RESOURCE = "resource type"
    TIME = "timestamp"
    INTERVAL = "duration"
    TEXTS = "map of strings"
    MESSAGE = "message"
    OPAQUE = "opaque message"


class Field(msgspec.Struct, frozen=True):
    """One field. `alone`: of the fields with this word, one is there at most."""

    number: int
    name: str
    kind: Kind
    of: Shape | None = None
    alone: str = ""

    @property
    def camel(self) -> str:
        """The name in JSON."""
        first, *rest = self.name.split("_")
        return first + "".join(part.capitalize() for part in rest)


class Shape(msgspec.Struct, frozen=True):
    """The fields of a message, in order of their numbers."""

    name: str
    fields: tuple[Field, ...] = ()


RESOURCE_TYPES = ("UNSPECIFIED", "TASK", "WORKFLOW", "LAUNCH_PLAN", "DATASET")

MOMENT = Shape("google.protobuf.Timestamp", (Field(1, "seconds", Kind.INT), Field(2, "nanos", Kind.INT)))
"""Of intervals too."""
TASK = Shape(
    "flyteidl2.core.Identifier",
    (
        Field(1, "resource_type", Kind.RESOURCE),
        Field(2, "project", Kind.TEXT),
        Field(3, "domain", Kind.TEXT),
        Field(4, "name", Kind.TEXT),
        Field(5, "version", Kind.TEXT),
        Field(6, "org", Kind.TEXT),
    ),
)
KEY_MAP = Shape("flyteidl2.cacheservice.KeyMapMetadata", (Field(1, "values", Kind.TEXTS),))
METADATA = Shape(
    "flyteidl2.cacheservice.Metadata",
    (
        Field(1, "source_identifier", Kind.MESSAGE, TASK),
        Field(2, "key_map", Kind.MESSAGE, KEY_MAP),
        Field(3, "created_at", Kind.TIME),
        Field(4, "last_updated_at", Kind.TIME),
    ),
)
OUTPUT = Shape(
    "flyteidl2.cacheservice.CachedOutput",
    (
        Field(1, "output_literals", Kind.OPAQUE, alone="output"),
        Field(2, "output_uri", Kind.TEXT, alone="output"),
        Field(3, "metadata", Kind.MESSAGE, METADATA),
    ),
)
OVERWRITE = Shape(
    "flyteidl2.cacheservice.OverwriteOutput",
    (
        Field(1, "overwrite", Kind.BOOL),
        Field(2, "delete_blob", Kind.BOOL),
        Field(3, "max_age", Kind.INTERVAL),
    ),
)
RESERVATION = Shape(
    "flyteidl2.cacheservice.Reservation",
    (
        Field(1, "key", Kind.TEXT),
        Field(2, "owner_id", Kind.TEXT),
        Field(3, "heartbeat_interval", Kind.INTERVAL),
        Field(4, "expires_at", Kind.TIME),
    ),
)
IDENTIFIER = Shape(
    "flyteidl2.cacheservice.v2.Identifier",
    (Field(1, "org", Kind.TEXT), Field(2, "project", Kind.TEXT), Field(3, "domain", Kind.TEXT)),
)
_KEY = Field(1, "key", Kind.TEXT)
_OWNER = Field(2, "owner_id", Kind.TEXT)


def _request(name: str, *fields: Field) -> Shape:
    base = Shape(f"flyteidl2.cacheservice.{name}", (_KEY, *fields))
    return Shape(
        f"flyteidl2.cacheservice.v2.{name}",
        (Field(1, "base_request", Kind.MESSAGE, base), Field(2, "identifier", Kind.MESSAGE, IDENTIFIER)),
    )


GET_REQUEST = _request("GetCacheRequest")
GET_RESPONSE = Shape("flyteidl2.cacheservice.GetCacheResponse", (Field(1, "output", Kind.MESSAGE, OUTPUT),))
PUT_REQUEST = _request(
    "PutCacheRequest", Field(2, "output", Kind.MESSAGE, OUTPUT), Field(3, "overwrite", Kind.MESSAGE, OVERWRITE)
)
PUT_RESPONSE = Shape("flyteidl2.cacheservice.PutCacheResponse")
DELETE_REQUEST = _request("DeleteCacheRequest")
DELETE_RESPONSE = Shape("flyteidl2.cacheservice.DeleteCacheResponse")
CLAIM_REQUEST = _request("GetOrExtendReservationRequest", _OWNER, Field(3, "heartbeat_interval", Kind.INTERVAL))
CLAIM_RESPONSE = Shape(
    "flyteidl2.cacheservice.GetOrExtendReservationResponse", (Field(1, "reservation", Kind.MESSAGE, RESERVATION),)
)
RELEASE_REQUEST = _request("ReleaseReservationRequest", _OWNER)
RELEASE_RESPONSE = Shape("flyteidl2.cacheservice.ReleaseReservationResponse")
