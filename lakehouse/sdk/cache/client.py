# SPDX-License-Identifier: Apache-2.0
"""The cache client: the methods of Flyte's, with PEP 8 names, and its own names as aliases."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lakehouse.core.errors import AlreadyExists, LakehouseError, NotFound
from lakehouse.sdk.cache.key import Key, cache_key
from lakehouse.sdk.cache.outputs import Outputs, Pointer, bytes_of
from lakehouse.sdk.cache.status import (
    CacheStatus,
    Entry,
    Reservation,
    ReservationCache,
    Status,
    metadata_of,
    with_status,
)
from lakehouse.sdk.context import Context, check
from lakehouse.wire.cache import CacheMetadata, SourceIdentifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.sdk._sync.client import Client as Lake
    from lakehouse.sdk.cache.outputs import Readable

MOST_OWNERS = 10_000


class Client:
    """Outputs of tasks, over the cache of `lake`.

    `max_cache_age`: older entries are misses, and may be overwritten; None: of any age. It may be used by several
    threads. Errors are those of `lakehouse.core.errors`; those of `get` and `put` have a `status`.
    """

    def __init__(self, lake: Lake, *, max_cache_age: timedelta | None = None, most_owners: int = MOST_OWNERS) -> None:
        self._lake = lake
        self._max_age = 0.0 if max_cache_age is None else max_cache_age.total_seconds()
        self._most = most_owners
        self._noted: OrderedDict[str, ReservationCache] = OrderedDict()
        self._lock = threading.Lock()

    # -- artifacts -----------------------------------------------------------------------------------------------------

    def get(self, ctx: Context | None, key: Key) -> Entry:
        """The artifact of a key. Raises NotFound for a miss."""
        check(ctx)
        try:
            found = self._lake.cache.get_cache_entry(*_place(key), org=key.part("org"), max_age=self._max_age)
        except NotFound as error:
            raise with_status(error, CacheStatus.MISS) from None
        except LakehouseError as error:
            raise with_status(error, CacheStatus.LOOKUP_FAILURE) from None
        return Entry(Outputs(self._lake, found), Status(CacheStatus.HIT, metadata_of(found)))

    def put(
        self,
        ctx: Context | None,
        key: Key,
        reader: Readable | bytes | Pointer | Any,
        metadata: Mapping[str, str] | None,
    ) -> Status:
        """Store an artifact. Raises AlreadyExists, with the status PUT_FAILURE, when there is one that has not expired:
        it stays, `update` replaces it.
        """
        return self._write(ctx, key, reader, metadata, overwrite=False)

    def update(
        self,
        ctx: Context | None,
        key: Key,
        reader: Readable | bytes | Pointer | Any,
        metadata: Mapping[str, str] | None,
    ) -> Status:
        """Replace an artifact, or store it when there is none."""
        return self._write(ctx, key, reader, metadata, overwrite=True)

    # -- reservations --------------------------------------------------------------------------------------------------

    def get_or_extend_reservation(
        self, ctx: Context | None, key: Key, owner_id: str, heartbeat_interval: timedelta
    ) -> Reservation:
        """A valid reservation, whoever holds it; else a new one for `owner_id`. The same owner extends it.

        It expires some heartbeats (3, unless the server is configured otherwise) after the last call.
        """
        check(ctx)
        held = self._lake.cache.claim_cache_reservation(
            *_place(key),
            owner_id,
            heartbeat_interval=max(0.0, heartbeat_interval.total_seconds()),
            org=key.part("org"),
        )
        return Reservation(
            held.owner_id,
            timedelta(seconds=held.heartbeat_interval),
            datetime.fromtimestamp(held.expires_at, UTC),
        )

    def release_reservation(self, ctx: Context | None, key: Key, owner_id: str) -> None:
        """Release one's own reservation. None, or another's, is no error, and another's stays."""
        check(ctx)
        self._lake.cache.release_cache_reservation(*_place(key), owner_id, org=key.part("org"))

    # -- what owners noted ---------------------------------------------------------------------------------------------

    def get_reservation_cache(self, owner_id: str) -> ReservationCache:
        """What was noted for an owner in this process; the zero value if nothing. No request."""
        with self._lock:
            noted = self._noted.get(owner_id)
            if noted is None:
                return ReservationCache()
            self._noted.move_to_end(owner_id)
            return noted

    def update_reservation_cache(self, owner_id: str, entry: ReservationCache) -> None:
        """Note something for an owner. The owners that were used last are kept."""
        with self._lock:
            self._noted[owner_id] = entry
            self._noted.move_to_end(owner_id)
            while len(self._noted) > self._most:
                self._noted.popitem(last=False)

    Get = get
    Put = put
    Update = update
    GetOrExtendReservation = get_or_extend_reservation
    ReleaseReservation = release_reservation
    GetReservationCache = get_reservation_cache
    UpdateReservationCache = update_reservation_cache

    def _write(
        self,
        ctx: Context | None,
        key: Key,
        reader: Readable | bytes | Pointer | Any,
        metadata: Mapping[str, str] | None,
        *,
        overwrite: bool,
    ) -> Status:
        check(ctx)
        pointer = reader.uri if isinstance(reader, Pointer) else None
        try:
            stored = self._lake.cache.put_cache_entry(
                *_place(key),
                output_uri=pointer,
                outputs=None if pointer is not None else bytes_of(reader),
                metadata=CacheMetadata(source_identifier=_source(key), key_map=dict(metadata or {})),
                org=key.part("org"),
                overwrite=overwrite,
                max_age=self._max_age,
            )
        except AlreadyExists as error:
            raise with_status(error, CacheStatus.PUT_FAILURE) from None
        return Status(CacheStatus.POPULATED, metadata_of(stored))


def _place(key: Key) -> tuple[str, str, str]:
    return key.part("project"), key.part("domain"), cache_key(key)


def _source(key: Key) -> SourceIdentifier:
    names = ("project", "domain", "name", "version", "org")
    return SourceIdentifier(resource_type=1, **{name: key.part(name) for name in names})
