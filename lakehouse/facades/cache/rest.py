# SPDX-License-Identifier: Apache-2.0
"""The cache by REST: handlers of the operations in `wire/cache.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.facades.cache.scope import Scope, parse_scope
from lakehouse.facades.cache.service import MICRO, Output
from lakehouse.wire import cache as wire

if TYPE_CHECKING:
    from lakehouse.asgi.call import Call
    from lakehouse.facades.cache.service import CacheService, Found


class CacheRoutes:
    """The handlers, over one cache."""

    def __init__(self, cache: CacheService) -> None:
        self._cache = cache

    async def get_cache_entry(self, _: object, call: Call[wire.GetCacheQuery, None]) -> wire.CacheEntry:
        return entry_of(await self._cache.get(scope_of(call), user=call.user, max_age=call.query.max_age))

    async def put_cache_entry(
        self, _: object, call: Call[wire.PutCacheQuery, wire.CacheEntryCreation]
    ) -> wire.CacheEntry:
        body, query = call.body, call.query
        output = Output(
            uri="" if body.output_uri is UNSET else body.output_uri,
            body=None if body.outputs is UNSET else body.outputs,
            metadata=body.metadata,
            created=None if body.created_at is UNSET else round(body.created_at * MICRO),
        )
        stored = await self._cache.put(scope_of(call), output, overwrite=query.overwrite, max_age=query.max_age)
        return entry_of(stored)

    async def delete_cache_entry(self, _: object, call: Call[wire.OrgQuery, None]) -> None:
        await self._cache.delete(scope_of(call))

    async def claim_cache_reservation(
        self, _: object, call: Call[wire.OrgQuery, wire.ReservationRequest]
    ) -> wire.Reservation:
        body = call.body
        held = await self._cache.claim(scope_of(call), body.owner_id, heartbeat=body.heartbeat_interval)
        return wire.Reservation(
            owner_id=held.owner, heartbeat_interval=held.heartbeat / MICRO, expires_at=held.expires / MICRO
        )

    async def release_cache_reservation(self, _: object, call: Call[wire.ReleaseQuery, None]) -> None:
        await self._cache.release(scope_of(call), call.query.owner_id)


def scope_of(call: Call[Any, Any]) -> Scope:
    """Where the entry of a request belongs. Raises InvalidArgument."""
    return parse_scope(
        org=call.query.org, project=call.path["project"], domain=call.path["domain"], key=call.path["key"]
    )


def entry_of(found: Found) -> wire.CacheEntry:
    """An entry as it goes over the wire."""
    return wire.CacheEntry(
        output_uri=found.uri,
        outputs=UNSET if found.body is None else found.body,
        metadata=found.metadata,
        created_at=found.created / MICRO,
        last_updated_at=found.updated / MICRO,
    )
