# SPDX-License-Identifier: Apache-2.0
"""`flyteidl.cacheservice.CacheService`: the cache with one name space of keys, and outputs as literals or URIs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.cacheservice import cacheservice_pb2 as pb
from flyteidl.cacheservice.cacheservice_pb2_grpc import CacheServiceServicer
from flyteidl.core.literals_pb2 import LiteralMap
from google.protobuf.message import DecodeError

from lakehouse.facades.cache.grpc_side.values import duration, micros_of, seconds_of, timestamp
from lakehouse.facades.cache.scope import Scope, parse_scope
from lakehouse.facades.cache.service import Output
from lakehouse.wire import cache as wire

if TYPE_CHECKING:
    from lakehouse.facades.cache.grpc_side.answering import Answering, Asking
    from lakehouse.facades.cache.service import CacheService, Found

NAME = "flyteidl.cacheservice.CacheService"
_SOURCE = ("resource_type", "project", "domain", "name", "version", "org")


class CacheServicer(CacheServiceServicer):  # type: ignore[misc]
    """The methods, over one cache."""

    def __init__(self, cache: CacheService, answering: Answering) -> None:
        self._cache = cache
        self._answer = answering.answer

    async def Get(self, request: Any, context: Any) -> Any:  # noqa: N802  (gRPC's names)
        async def work(asking: Asking) -> Any:
            scope = _scope(request.key)
            await asking.allow(scope)
            return pb.GetCacheResponse(output=_output(await self._cache.get(scope, user=asking.call.user)))

        return await self._answer(context, "Get", wire.GET_CACHE_ENTRY, work)

    async def Put(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work(asking: Asking) -> Any:
            scope, output = _scope(request.key), _kept(request.output)
            await asking.allow(scope)
            await self._cache.put(scope, output, overwrite=request.overwrite)
            return pb.PutCacheResponse()

        return await self._answer(context, "Put", wire.PUT_CACHE_ENTRY, work)

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work(asking: Asking) -> Any:
            scope = _scope(request.key)
            await asking.allow(scope)
            await self._cache.delete(scope)
            return pb.DeleteCacheResponse()

        return await self._answer(context, "Delete", wire.DELETE_CACHE_ENTRY, work)

    async def GetOrExtendReservation(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work(asking: Asking) -> Any:
            scope = _scope(request.key)
            await asking.allow(scope)
            beat = seconds_of(request.heartbeat_interval, name="heartbeat_interval")
            held = await self._cache.claim(scope, request.owner_id, heartbeat=beat)
            return pb.GetOrExtendReservationResponse(
                reservation=pb.Reservation(
                    key=request.key,
                    owner_id=held.owner,
                    heartbeat_interval=duration(held.heartbeat),
                    expires_at=timestamp(held.expires),
                )
            )

        return await self._answer(context, "GetOrExtendReservation", wire.CLAIM_CACHE_RESERVATION, work)

    async def ReleaseReservation(self, request: Any, context: Any) -> Any:  # noqa: N802
        async def work(asking: Asking) -> Any:
            scope = _scope(request.key)
            await asking.allow(scope)
            await self._cache.release(scope, request.owner_id)
            return pb.ReleaseReservationResponse()

        return await self._answer(context, "ReleaseReservation", wire.RELEASE_CACHE_RESERVATION, work)


def _scope(key: str) -> Scope:
    return parse_scope(org="", project="", domain="", key=key)


def _kept(output: Any) -> Output:
    """What a message asks to keep. Raises InvalidArgument."""
    about = output.metadata
    source = None
    if about.HasField("source_identifier"):
        source = wire.SourceIdentifier(**{name: getattr(about.source_identifier, name) for name in _SOURCE})
    literals = output.output_literals if output.HasField("output_literals") else None
    return Output(
        uri=output.output_uri,
        body=None if literals is None else literals.SerializeToString(deterministic=True),
        metadata=wire.CacheMetadata(source_identifier=source, key_map=dict(about.key_map.values)),
        created=micros_of(about.created_at, name="created_at") if about.HasField("created_at") else None,
    )


def _output(found: Found) -> Any:
    metadata = pb.Metadata(created_at=timestamp(found.created), last_updated_at=timestamp(found.updated))
    source = found.metadata.source_identifier
    if source is not None:
        for name in _SOURCE:
            setattr(metadata.source_identifier, name, getattr(source, name))
    metadata.key_map.values.update(found.metadata.key_map)
    if found.body is not None:
        try:
            return pb.CachedOutput(output_literals=LiteralMap.FromString(found.body), metadata=metadata)
        except DecodeError:  # somebody kept bytes of another kind: these are found by their URI
            pass
    return pb.CachedOutput(output_uri=found.uri, metadata=metadata)
