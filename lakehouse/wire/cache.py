# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs, and reservations of what is being computed.

Entries are found by project, domain and key, and by the organisation where there is one. Times are seconds since 1970,
with fractions.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lakehouse.wire.operation import Operation, need

_ENTRY = "/flyte/cache/{project}/{domain}/{key}"
CACHE_REPOSITORY = "flyte-cache"
"""Holds what the cache keeps itself; permissions on entries are permissions on it."""
RESOURCE = f"repository/{CACHE_REPOSITORY}/object/entries/{{org}}/{{project}}/{{domain}}/{{key}}"


class OrgQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`org`: the organisation, where there are several."""

    org: str = ""


class GetCacheQuery(OrgQuery, frozen=True, kw_only=True, omit_defaults=True):
    """An entry that was last written more than `max_age` seconds ago is a miss; 0: of any age."""

    max_age: Annotated[float, Meta(ge=0)] = 0.0


class PutCacheQuery(OrgQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`overwrite`: whatever is there. `max_age`: only what was last written more seconds ago than this; 0: nothing."""

    overwrite: bool = False
    max_age: Annotated[float, Meta(ge=0)] = 0.0


class ReleaseQuery(OrgQuery, frozen=True, kw_only=True, omit_defaults=True):
    """Whose reservation it is."""

    owner_id: Annotated[str, Meta(min_length=1)]


class SourceIdentifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The task that computed the outputs. `resource_type` is Flyte's number: 1 is a task."""

    resource_type: int = 0
    project: str = ""
    domain: str = ""
    name: str = ""
    version: str = ""
    org: str = ""


class CacheMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the outputs beside themselves: where they come from, and any words."""

    source_identifier: SourceIdentifier | None = None
    key_map: dict[str, str] = {}


class CacheEntryCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Outputs: an URI where they are, or the bytes themselves (base64), which the cache then keeps.

    `created_at`: for outputs that are older than this entry.
    """

    output_uri: str | UnsetType = UNSET
    outputs: bytes | UnsetType = UNSET
    metadata: CacheMetadata = CacheMetadata()
    created_at: Annotated[float, Meta(ge=0, lt=1e11)] | UnsetType = UNSET


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. `output_uri` leads to the outputs; `outputs` (base64) are there when the cache keeps them itself."""

    output_uri: str
    created_at: float
    last_updated_at: float
    outputs: bytes | UnsetType = UNSET
    metadata: CacheMetadata = CacheMetadata()


class ReservationRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`heartbeat_interval`: how often the owner will ask again, in seconds; the server has a limit, and 0 is that."""

    owner_id: Annotated[str, Meta(min_length=1)]
    heartbeat_interval: Annotated[float, Meta(ge=0)] = 0.0


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Who computes it: the one who asked, or somebody else. `heartbeat_interval` in seconds."""

    owner_id: str
    heartbeat_interval: float
    expires_at: float


GET_CACHE_ENTRY = Operation(
    name="get_cache_entry",
    id="getCacheEntry",
    method="GET",
    path=_ENTRY,
    tag="cache",
    summary="Find the outputs of a task",
    allow=need("fs:ReadObject", RESOURCE),
    query=GetCacheQuery,
    result=CacheEntry,
)
PUT_CACHE_ENTRY = Operation(
    name="put_cache_entry",
    id="putCacheEntry",
    method="PUT",
    path=_ENTRY,
    tag="cache",
    summary="Keep the outputs of a task",
    allow=need("fs:WriteObject", RESOURCE),
    query=PutCacheQuery,
    body=CacheEntryCreation,
    result=CacheEntry,
)
DELETE_CACHE_ENTRY = Operation(
    name="delete_cache_entry",
    id="deleteCacheEntry",
    method="DELETE",
    path=_ENTRY,
    tag="cache",
    summary="Evict the outputs of a task",
    allow=need("fs:DeleteObject", RESOURCE),
    query=OrgQuery,
    status=204,
)
CLAIM_CACHE_RESERVATION = Operation(
    name="claim_cache_reservation",
    id="claimCacheReservation",
    method="POST",
    path=_ENTRY + "/reservation",
    tag="cache",
    summary="Get or extend the reservation of outputs that are to be computed",
    allow=need("fs:WriteObject", RESOURCE),
    query=OrgQuery,
    body=ReservationRequest,
    result=Reservation,
)
RELEASE_CACHE_RESERVATION = Operation(
    name="release_cache_reservation",
    id="releaseCacheReservation",
    method="DELETE",
    path=_ENTRY + "/reservation",
    tag="cache",
    summary="Release one's own reservation",
    allow=need("fs:WriteObject", RESOURCE),
    query=ReleaseQuery,
    status=204,
)

OPERATIONS = (
    GET_CACHE_ENTRY,
    PUT_CACHE_ENTRY,
    DELETE_CACHE_ENTRY,
    CLAIM_CACHE_RESERVATION,
    RELEASE_CACHE_RESERVATION,
)
