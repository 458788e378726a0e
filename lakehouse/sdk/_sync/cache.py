# SPDX-License-Identifier: Apache-2.0
"""The cache of task outputs, and reservations of what is being computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk.requests import given
from lakehouse.wire.cache import (
    CLAIM_CACHE_RESERVATION,
    DELETE_CACHE_ENTRY,
    GET_CACHE_ENTRY,
    PUT_CACHE_ENTRY,
    RELEASE_CACHE_RESERVATION,
    CacheEntry,
    CacheEntryCreation,
    CacheMetadata,
    GetCacheQuery,
    OrgQuery,
    PutCacheQuery,
    ReleaseQuery,
    Reservation,
    ReservationRequest,
)

if TYPE_CHECKING:
    from lakehouse.sdk._sync.transport import Transport


class Cache:
    """Outputs of tasks by project, domain and key; `org` where there are several organisations. Times in seconds."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get_cache_entry(
        self, project: str, domain: str, key: str, *, org: str = "", max_age: float = 0.0
    ) -> CacheEntry:
        """The entry, if it was written in the last `max_age` seconds (0: whenever). Raises CacheEntryNotFound."""
        query = GetCacheQuery(org=org, max_age=max_age)
        return self._transport.call(GET_CACHE_ENTRY, CacheEntry, _place(project, domain, key), query=query)

    def put_cache_entry(
        self,
        project: str,
        domain: str,
        key: str,
        *,
        output_uri: str | None = None,
        outputs: bytes | None = None,
        metadata: CacheMetadata | None = None,
        created_at: float | None = None,
        org: str = "",
        overwrite: bool = False,
        max_age: float = 0.0,
    ) -> CacheEntry:
        """Keep outputs, or the URI where they are. Raises CacheEntryExists, unless `overwrite`, or what is there was
        written more than `max_age` seconds ago.
        """
        body = CacheEntryCreation(
            output_uri=given(output_uri),
            outputs=given(outputs),
            metadata=metadata or CacheMetadata(),
            created_at=given(created_at),
        )
        query = PutCacheQuery(org=org, overwrite=overwrite, max_age=max_age)
        place = _place(project, domain, key)
        return self._transport.call(PUT_CACHE_ENTRY, CacheEntry, place, query=query, body=body)

    def delete_cache_entry(self, project: str, domain: str, key: str, *, org: str = "") -> None:
        """Evict an entry. Raises CacheEntryNotFound."""
        self._transport.send(DELETE_CACHE_ENTRY, _place(project, domain, key), query=OrgQuery(org=org))

    def claim_cache_reservation(
        self, project: str, domain: str, key: str, owner_id: str, *, heartbeat_interval: float = 0.0, org: str = ""
    ) -> Reservation:
        """Get or extend the reservation of what is to be computed: look who holds it."""
        body = ReservationRequest(owner_id=owner_id, heartbeat_interval=heartbeat_interval)
        place = _place(project, domain, key)
        return self._transport.call(CLAIM_CACHE_RESERVATION, Reservation, place, query=OrgQuery(org=org), body=body)

    def release_cache_reservation(self, project: str, domain: str, key: str, owner_id: str, *, org: str = "") -> None:
        """Release one's own reservation; another's stays."""
        query = ReleaseQuery(owner_id=owner_id, org=org)
        self._transport.send(RELEASE_CACHE_RESERVATION, _place(project, domain, key), query=query)


def _place(project: str, domain: str, key: str) -> dict[str, str]:
    return {"project": project, "domain": domain, "key": key}
