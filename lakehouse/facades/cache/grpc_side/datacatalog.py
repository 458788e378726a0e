# SPDX-License-Identifier: Apache-2.0
"""`datacatalog.DataCatalog`: the catalog that Flyte 1's propeller speaks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyteidl.datacatalog import datacatalog_pb2 as pb
from flyteidl.datacatalog.datacatalog_pb2_grpc import DataCatalogServicer

from lakehouse.core.errors import InvalidArgument
from lakehouse.facades.cache.catalog import PAGE, Filters, Page
from lakehouse.facades.cache.grpc_side.values import duration, seconds_of, timestamp
from lakehouse.facades.cache.scope import DatasetScope, parse_dataset, require_text
from lakehouse.facades.cache.service import MAX_OWNER
from lakehouse.wire import cache as wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.facades.cache.catalog import Artifact, Catalog, Dataset
    from lakehouse.facades.cache.grpc_side.answering import Answering, Asking
    from lakehouse.facades.cache.service import CacheService

    Work = Callable[[Asking, Any], Awaitable[Any]]

NAME = "datacatalog.DataCatalog"
MAX_ID = MAX_OWNER


class CatalogServicer(DataCatalogServicer):  # type: ignore[misc]
    """The methods, over one catalog, with the reservations of one cache."""

    def __init__(self, catalog: Catalog, cache: CacheService, answering: Answering) -> None:
        self._catalog = catalog
        self._cache = cache
        self._answering = answering

    # -- what gRPC calls -----------------------------------------------------------------------------------------------

    async def CreateDataset(self, request: Any, context: Any) -> Any:  # noqa: N802  (gRPC's names)
        return await self._answer(context, "CreateDataset", wire.PUT_CACHE_ENTRY, self._create_dataset, request)

    async def GetDataset(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "GetDataset", wire.GET_CACHE_ENTRY, self._get_dataset, request)

    async def CreateArtifact(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "CreateArtifact", wire.PUT_CACHE_ENTRY, self._create_artifact, request)

    async def GetArtifact(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "GetArtifact", wire.GET_CACHE_ENTRY, self._get_artifact, request)

    async def AddTag(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "AddTag", wire.PUT_CACHE_ENTRY, self._add_tag, request)

    async def ListArtifacts(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "ListArtifacts", wire.GET_CACHE_ENTRY, self._list_artifacts, request)

    async def ListDatasets(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "ListDatasets", wire.GET_CACHE_ENTRY, self._list_datasets, request)

    async def UpdateArtifact(self, request: Any, context: Any) -> Any:  # noqa: N802
        return await self._answer(context, "UpdateArtifact", wire.PUT_CACHE_ENTRY, self._update_artifact, request)

    async def GetOrExtendReservation(self, request: Any, context: Any) -> Any:  # noqa: N802
        name, operation = "GetOrExtendReservation", wire.CLAIM_CACHE_RESERVATION
        return await self._answer(context, name, operation, self._claim, request)

    async def ReleaseReservation(self, request: Any, context: Any) -> Any:  # noqa: N802
        name, operation = "ReleaseReservation", wire.RELEASE_CACHE_RESERVATION
        return await self._answer(context, name, operation, self._release, request)

    async def _answer(self, context: Any, name: str, operation: Any, work: Work, request: Any) -> Any:
        return await self._answering.answer(context, name, operation, lambda asking: work(asking, request))

    # -- what is done --------------------------------------------------------------------------------------------------

    async def _create_dataset(self, asking: Asking, request: Any) -> Any:
        scope = _scope(request.dataset.id)
        await asking.allow(scope)
        await self._catalog.create_dataset(
            scope,
            metadata=dict(request.dataset.metadata.key_map),
            partitions=list(request.dataset.partitionKeys),
        )
        return pb.CreateDatasetResponse()

    async def _get_dataset(self, asking: Asking, request: Any) -> Any:
        scope = _scope(request.dataset)
        await asking.allow(scope)
        return pb.GetDatasetResponse(dataset=_dataset(await self._catalog.dataset(scope)))

    async def _create_artifact(self, asking: Asking, request: Any) -> Any:
        artifact = request.artifact
        scope = _scope(artifact.dataset)
        _require("artifact id", artifact.id)
        await asking.allow(scope)
        await self._catalog.create_artifact(
            scope,
            artifact.id,
            data=_data(artifact.data),
            metadata=dict(artifact.metadata.key_map),
            partitions=[(one.key, one.value) for one in artifact.partitions],
        )
        return pb.CreateArtifactResponse()

    async def _get_artifact(self, asking: Asking, request: Any) -> Any:
        dataset, handle = await self._named(asking, request)
        return pb.GetArtifactResponse(artifact=_artifact(await self._catalog.artifact(dataset, **handle)))

    async def _add_tag(self, asking: Asking, request: Any) -> Any:
        tag = request.tag
        scope = _scope(tag.dataset)
        _require("tag name", tag.name)
        _require("artifact id", tag.artifact_id)
        await asking.allow(scope)
        await self._catalog.add_tag(scope, tag.artifact_id, tag.name)
        return pb.AddTagResponse()

    async def _update_artifact(self, asking: Asking, request: Any) -> Any:
        data = _data(request.data)
        dataset, handle = await self._named(asking, request)
        identifier = await self._catalog.update_artifact(
            dataset, **handle, data=data, metadata=dict(request.metadata.key_map)
        )
        return pb.UpdateArtifactResponse(artifact_id=identifier)

    async def _list_artifacts(self, asking: Asking, request: Any) -> Any:
        scope = _scope(request.dataset)
        filters, page = _filters(request.filter), _page(request)
        await asking.allow(scope)
        found, count = await self._catalog.artifacts(await self._catalog.dataset(scope), filters, page)
        return pb.ListArtifactsResponse(
            artifacts=[_artifact(one) for one in found], next_token=str(page.offset + count)
        )

    async def _list_datasets(self, asking: Asking, request: Any) -> Any:
        where, page = _where(request.filter), _page(request)
        asked = {"org": "", "project": "*", "domain": "*", "name": "*", "version": "*"} | where
        await asking.allow(DatasetScope(key="", **asked))
        found = await self._catalog.datasets(where, page)
        return pb.ListDatasetsResponse(
            datasets=[_dataset(one) for one in found], next_token=str(page.offset + len(found))
        )

    async def _claim(self, asking: Asking, request: Any) -> Any:
        scope = _reserved(request)
        await asking.allow(scope)
        beat = seconds_of(request.heartbeat_interval, name="heartbeat_interval")
        held = await self._cache.claim(scope, request.owner_id, heartbeat=beat)
        reservation = pb.Reservation(
            reservation_id=request.reservation_id,
            owner_id=held.owner,
            heartbeat_interval=duration(held.heartbeat),
            expires_at=timestamp(held.expires),
        )
        return pb.GetOrExtendReservationResponse(reservation=reservation)

    async def _release(self, asking: Asking, request: Any) -> Any:
        scope = _reserved(request)
        await asking.allow(scope)
        await self._cache.release(scope, request.owner_id)
        return pb.ReleaseReservationResponse()

    async def _named(self, asking: Asking, request: Any) -> tuple[Dataset, dict[str, str]]:
        """The dataset and the artifact's id or tag that a request names; an id does without a dataset."""
        by_id = request.WhichOneof("query_handle") == "artifact_id"
        named = request.artifact_id if by_id else request.tag_name
        _require("artifact id or tag name", named)
        if by_id and not request.HasField("dataset"):
            dataset = await self._catalog.dataset_of(named)
            await asking.allow(dataset.scope)
        else:
            scope = _scope(request.dataset)
            await asking.allow(scope)
            dataset = await self._catalog.dataset(scope)
        return dataset, {"identifier" if by_id else "tag": named}


# -- from messages -----------------------------------------------------------------------------------------------------


def _scope(identifier: Any, *, tag: str = "") -> DatasetScope:
    return parse_dataset(
        org=identifier.org,
        project=identifier.project,
        domain=identifier.domain,
        name=identifier.name,
        version=identifier.version,
        tag=tag,
    )


def _reserved(request: Any) -> DatasetScope:
    if not request.HasField("reservation_id"):
        raise InvalidArgument("missing reservation_id: invalid value: validation error")
    _require("tag name", request.reservation_id.tag_name)
    return _scope(request.reservation_id.dataset_id, tag=request.reservation_id.tag_name)


def _require(name: str, value: str) -> None:
    if not value.strip():
        raise InvalidArgument(f"missing {name}: invalid value: validation error")
    require_text(name, value, longest=MAX_ID)


def _data(data: Any) -> bytes:
    if not data:
        raise InvalidArgument("missing artifact data: invalid value: validation error")
    return bytes(pb.Artifact(data=data).SerializeToString(deterministic=True))


def _page(request: Any) -> Page:
    if not request.HasField("pagination"):
        return Page(PAGE)
    asked = request.pagination
    token = asked.token or "0"
    if not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InvalidArgument("token: not a whole number: invalid value: validation error")
    return Page(asked.limit, int(token), asked.sortOrder == pb.PaginationOptions.ASCENDING)


def _filters(expression: Any) -> Filters:
    ids, tags, partitions = [], [], []
    for one in expression.filters:
        match one.WhichOneof("property_filter"):
            case "artifact_filter":
                ids.append(one.artifact_filter.artifact_id)
            case "tag_filter":
                tags.append(one.tag_filter.tag_name)
            case "partition_filter":
                pair = one.partition_filter.key_val
                partitions.append((pair.key, pair.value))
            case other:
                raise InvalidArgument(f"artifacts have no {other or 'empty filter'}: invalid value: validation error")
    return Filters(tuple(ids), tuple(tags), tuple(partitions))


def _where(expression: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in expression.filters:
        name = one.dataset_filter.WhichOneof("property")
        if one.WhichOneof("property_filter") != "dataset_filter" or name is None:
            raise InvalidArgument("datasets are filtered by their own parts only: invalid value: validation error")
        found[name] = getattr(one.dataset_filter, name)
    return found


# -- to messages -------------------------------------------------------------------------------------------------------


def _dataset_id(dataset: Dataset) -> Any:
    scope = dataset.scope
    return pb.DatasetID(
        project=scope.project,
        name=scope.name,
        domain=scope.domain,
        version=scope.version,
        org=scope.org,
        UUID=dataset.uuid,
    )


def _dataset(dataset: Dataset) -> Any:
    return pb.Dataset(
        id=_dataset_id(dataset), metadata=pb.Metadata(key_map=dataset.metadata), partitionKeys=dataset.partitions
    )


def _artifact(artifact: Artifact) -> Any:
    identifier = _dataset_id(artifact.dataset)
    message = pb.Artifact.FromString(artifact.data)
    message.id = artifact.id
    message.dataset.CopyFrom(identifier)
    message.metadata.key_map.update(artifact.metadata)
    message.partitions.extend([pb.Partition(key=key, value=value) for key, value in artifact.partitions.items()])
    message.tags.extend([pb.Tag(name=name, artifact_id=artifact.id, dataset=identifier) for name in artifact.tags])
    message.created_at.CopyFrom(timestamp(artifact.created))
    return message
