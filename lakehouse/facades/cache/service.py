# SPDX-License-Identifier: Apache-2.0
"""The cache: outputs of tasks by key, and reservations of those that are being computed.

An entry is written once; only `overwrite`, or an age that the writer names, puts another in its place. Reservations
expire some heartbeats after the last one, so that the work of an owner who died goes to somebody else; until then one
owner holds a key. All times are the server's own: servers that share a database need clocks that agree to well within
a heartbeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import CacheEntryExists, CacheEntryNotFound, InvalidArgument, LostRace
from lakehouse.facades.cache import artifacts
from lakehouse.facades.cache.scope import Scope, require_text
from lakehouse.meta import cache_entries, cache_reservations
from lakehouse.meta.cache_entries import CacheRow
from lakehouse.meta.cache_reservations import Held
from lakehouse.wire.cache import CacheMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from lakehouse.core.records import User
    from lakehouse.facades.cache.artifacts import MayRead
    from lakehouse.versioning.lake import Lake

MICRO = 1_000_000
MAX_URI = 8192
MAX_OWNER = 512
MAX_METADATA = 64 * 1024
"""Most bytes of metadata, as JSON."""
AT_ONCE = 100
"""Entries that one round of eviction looks at."""
FORGOTTEN = 3600.0
"""Seconds after which an expired reservation is removed."""
OUTCOMES = (
    "hit",
    "miss",
    "stale",
    "gone",
    "stored",
    "replaced",
    "exists",
    "evicted",
    "claimed",
    "extended",
    "held",
    "released",
)
"""What is counted."""
_decode = msgspec.json.Decoder(CacheMetadata).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class CacheOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. A reservation expires `grace` heartbeats after the last one. `ignore_org`: entries of all
    organisations are one. `keep`: entries that nobody wrote for so long are evicted; 0: never.
    """

    max_heartbeat: float = 10.0
    grace: int = 3
    ignore_org: bool = False
    keep: float = 0.0


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be kept: `body`, or what `uri` leads to. `created` in microseconds, when it was not now."""

    uri: str = ""
    body: bytes | None = None
    metadata: CacheMetadata = CacheMetadata()
    created: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """An entry. `body` when the cache keeps it itself. Times in microseconds."""

    uri: str
    body: bytes | None
    metadata: CacheMetadata
    created: int
    updated: int


class CacheService:
    """The cache over one lake. `count` is told of every outcome: one of `OUTCOMES`."""

    def __init__(
        self,
        lake: Lake,
        *,
        may_read: MayRead,
        options: CacheOptions | None = None,
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._lake = lake
        self._db = lake.db
        self._may_read = may_read
        self._options = options or CacheOptions()
        self._count = count

    # -- entries -------------------------------------------------------------------------------------------------------

    async def get(self, scope: Scope, *, user: User | None, max_age: float = 0.0) -> Found:
        """The entry of a scope, unless it was last written more than `max_age` seconds ago (0: of any age).

        An entry whose outputs are gone is evicted. Raises CacheEntryNotFound.
        """
        row = await cache_entries.find(self._db, self._place(scope).encoded)
        if row is None:
            raise self._missed("miss")
        if self._is_older(row, max_age) or self._is_older(row, self._options.keep):
            raise self._missed("stale", "the cache entry of this key is too old: not found")
        body = None
        if row.object:
            body = await artifacts.read(self._lake, row.object)
            gone = body is None
        else:
            gone = await artifacts.is_gone(self._lake, row.uri, user=user, may_read=self._may_read)
        if gone:
            await self._db.apply(cache_entries.delete(row))
            raise self._missed("gone", f"what the cache entry of this key points to is gone ({row.uri}): not found")
        self._count("hit")
        return _found(row, body)

    async def put(self, scope: Scope, output: Output, *, overwrite: bool = False, max_age: float = 0.0) -> Found:
        """Keep outputs. What is there already stays, unless `overwrite`, or it was last written more than `max_age`
        seconds ago (0: however long).

        Raises CacheEntryExists, InvalidArgument. An entry that is replaced keeps the time of its creation, unless
        `output` tells one. Atomic: of many writers without `overwrite` one succeeds.
        """
        place = self._place(scope)
        metadata = _checked(output)
        seen = await cache_entries.find(self._db, place.encoded)
        self._require_free(seen, overwrite=overwrite, max_age=max_age)
        uri, path = output.uri, ""
        if output.body is not None:
            path = artifacts.fresh_path(place, now=self._lake.clock())
            uri = await artifacts.keep(self._lake, path, output.body)
        try:
            while True:
                row = self._row(place, output, seen, uri=uri, path=path, metadata=metadata)
                try:
                    change = cache_entries.insert(row) if seen is None else cache_entries.replace(row, seen=seen)
                    await self._db.apply(change)
                    break
                except LostRace:
                    seen = await cache_entries.find(self._db, place.encoded)
                    self._require_free(seen, overwrite=overwrite, max_age=max_age)
        except CacheEntryExists:
            if path:
                await artifacts.discard(self._lake, path)
            raise
        if seen is not None and seen.object:
            await artifacts.discard(self._lake, seen.object)
        self._count("stored" if seen is None else "replaced")
        return _found(row, output.body)

    async def delete(self, scope: Scope) -> None:
        """Evict an entry. What its URI leads to stays; outputs that the cache keeps go. Raises CacheEntryNotFound."""
        place = self._place(scope)
        while True:
            row = await cache_entries.find(self._db, place.encoded)
            if row is None:
                raise CacheEntryNotFound
            if (await self._db.apply(cache_entries.delete(row)))[0]:
                break
        if row.object:
            await artifacts.discard(self._lake, row.object)
        self._count("evicted")

    # -- reservations --------------------------------------------------------------------------------------------------

    async def claim(self, scope: Scope, owner: str, *, heartbeat: float = 0.0) -> Held:
        """The reservation of a scope: a valid one, whoever holds it; else one for `owner`, new or taken over.

        The same owner extends it. A `heartbeat` (seconds) that is not between 0 and the limit is the limit.
        Raises InvalidArgument.
        """
        _require_owner(owner)
        key = self._place(scope).encoded
        limit = self._options.max_heartbeat
        beat = round((heartbeat if 0 < heartbeat < limit else limit) * MICRO)
        while True:
            now = self._now()
            held = await cache_reservations.find(self._db, key)
            if held is not None and held.owner != owner and held.expires > now:
                self._count("held")
                return held
            mine = Held(owner, beat, now + beat * self._options.grace)
            if (await self._db.apply(cache_reservations.claim(key, mine, now=now)))[0]:
                self._count("extended" if held is not None and held.owner == owner else "claimed")
                return mine

    async def release(self, scope: Scope, owner: str) -> None:
        """Let go of one's own reservation; another's stays, and none is no error. Raises InvalidArgument."""
        _require_owner(owner)
        await self._db.apply(cache_reservations.release(self._place(scope).encoded, owner))
        self._count("released")

    # -- in the background ---------------------------------------------------------------------------------------------

    async def evict_old(self) -> int:
        """Remove some entries older than `keep` and some forgotten reservations; how many. A repeat is harmless."""
        before = self._now() - round(FORGOTTEN * MICRO)
        [gone] = await self._db.apply(cache_reservations.forget_expired(before=before, limit=AT_ONCE))
        if not self._options.keep:
            return len(gone)
        oldest = self._now() - round(self._options.keep * MICRO)
        rows = await cache_entries.untouched(self._db, before=oldest, limit=AT_ONCE)
        for row in rows:
            if (await self._db.apply(cache_entries.delete(row)))[0]:
                self._count("evicted")
                if row.object:
                    await artifacts.discard(self._lake, row.object)
        return len(gone) + len(rows)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return round(self._lake.clock() * MICRO)

    def _place(self, scope: Scope) -> Scope:
        return msgspec.structs.replace(scope, org="") if self._options.ignore_org else scope

    def _is_older(self, row: CacheRow, age: float) -> bool:
        return age > 0 and self._now() - row.updated > age * MICRO

    def _require_free(self, seen: CacheRow | None, *, overwrite: bool, max_age: float) -> None:
        keep = self._options.keep
        if seen is not None and not (overwrite or self._is_older(seen, max_age) or self._is_older(seen, keep)):
            self._count("exists")
            raise CacheEntryExists

    def _row(
        self, place: Scope, output: Output, seen: CacheRow | None, *, uri: str, path: str, metadata: str
    ) -> CacheRow:
        now = self._now()
        created = output.created if output.created is not None else now if seen is None else seen.created
        return CacheRow(
            scope=place.encoded,
            org=place.org,
            project=place.project,
            domain=place.domain,
            key=place.key,
            uri=uri,
            object=path,
            metadata=metadata,
            created=created,
            updated=now,
        )

    def _missed(self, outcome: str, message: str | None = None) -> CacheEntryNotFound:
        self._count(outcome)
        return CacheEntryNotFound(message)


def _found(row: CacheRow, body: bytes | None) -> Found:
    return Found(uri=row.uri, body=body, metadata=_decode(row.metadata), created=row.created, updated=row.updated)


def _checked(output: Output) -> str:
    """The metadata as it is stored. Raises InvalidArgument for outputs that cannot be kept."""
    if (output.body is None) == (not output.uri.strip()):
        raise InvalidArgument(
            "output: give the URI of the outputs, or the outputs themselves: invalid value: validation error"
        )
    require_text("output_uri", output.uri, longest=MAX_URI)
    if output.created is not None and output.created < 0:
        raise InvalidArgument("created_at: before 1970: invalid value: validation error")
    try:
        metadata = _encode(output.metadata)
    except UnicodeEncodeError as error:
        raise InvalidArgument("metadata: not UTF-8: invalid value: validation error") from error
    if len(metadata) > MAX_METADATA:
        raise InvalidArgument(f"metadata: larger than {MAX_METADATA} bytes: invalid value: validation error")
    return metadata.decode()


def _require_owner(owner: str) -> None:
    if not owner.strip():
        raise InvalidArgument("owner_id: is empty: invalid value: validation error")
    require_text("owner_id", owner, longest=MAX_OWNER)
