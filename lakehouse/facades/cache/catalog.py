# SPDX-License-Identifier: Apache-2.0
"""Flyte 1's catalog: datasets, artifacts with their data, tags.

The data of an artifact is one object of the cache's repository. An artifact whose data is gone is forgotten with its
tags, so that the next one can have them.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import AlreadyExists, InvalidArgument, LostRace, NotFound
from lakehouse.facades.cache import artifacts
from lakehouse.facades.cache.scope import DatasetScope, require_text
from lakehouse.facades.cache.service import MAX_METADATA, MICRO
from lakehouse.meta import artifacts as rows
from lakehouse.meta.artifacts import ArtifactRow, DatasetRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lakehouse.versioning.lake import Lake

PAGE = 50
MOST = 1000
_words = msgspec.json.Decoder(dict[str, str]).decode
_keys = msgspec.json.Decoder(tuple[str, ...]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Dataset(msgspec.Struct, frozen=True):
    """A dataset. `created` in microseconds."""

    number: int
    scope: DatasetScope
    uuid: str
    metadata: dict[str, str]
    partitions: tuple[str, ...]
    created: int


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact and its data. `created` in microseconds."""

    id: str
    dataset: Dataset
    data: bytes
    metadata: dict[str, str]
    partitions: dict[str, str]
    tags: list[str]
    created: int


class Page(msgspec.Struct, frozen=True):
    """Which part of a list: newest first, unless `ascending`."""

    limit: int = PAGE
    offset: int = 0
    ascending: bool = False


class Filters(msgspec.Struct, frozen=True):
    """What artifacts must have, all of it."""

    ids: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    partitions: tuple[tuple[str, str], ...] = ()


class Catalog:
    """The catalog over one lake. `ignore_org`: datasets of all organisations are one."""

    def __init__(self, lake: Lake, *, ignore_org: bool = False, count: Callable[[str], None] = lambda _: None) -> None:
        self._lake = lake
        self._db = lake.db
        self._ignore_org = ignore_org
        self._count = count

    # -- datasets ------------------------------------------------------------------------------------------------------

    async def create_dataset(
        self, scope: DatasetScope, *, metadata: Mapping[str, str], partitions: Sequence[str]
    ) -> None:
        """Raises AlreadyExists, InvalidArgument (a partition key twice)."""
        if len(set(partitions)) != len(partitions):
            raise InvalidArgument("partition keys: one of them twice: invalid value: validation error")
        place = self._place(scope)
        row = DatasetRow(
            0,
            place.encoded,
            place.org,
            place.project,
            place.domain,
            place.name,
            place.version,
            str(uuid.uuid4()),
            _metadata(metadata),
            _encode(list(partitions)).decode(),
            self._now(),
        )
        await self._db.apply(rows.insert_dataset(row))

    async def dataset(self, scope: DatasetScope) -> Dataset:
        """Raises NotFound."""
        row = await rows.find_dataset(self._db, self._place(scope).encoded)
        if row is None:
            raise NotFound("no such dataset: not found")
        return _dataset(row)

    async def datasets(self, where: Mapping[str, str], page: Page) -> list[Dataset]:
        """Those whose parts have these values."""
        limit = min(page.limit, MOST)
        found = await rows.datasets(self._db, where, ascending=page.ascending, limit=limit, offset=page.offset)
        return [_dataset(row) for row in found]

    # -- artifacts -----------------------------------------------------------------------------------------------------

    async def create_artifact(
        self,
        scope: DatasetScope,
        identifier: str,
        *,
        data: bytes,
        metadata: Mapping[str, str],
        partitions: Sequence[tuple[str, str]],
    ) -> None:
        """Raises NotFound (the dataset), AlreadyExists, InvalidArgument (partitions that are not the dataset's)."""
        dataset = await self.dataset(scope)
        if sorted(key for key, _ in partitions) != sorted(dataset.partitions):
            raise InvalidArgument("partitions: not those of the dataset: invalid value: validation error")
        words = _metadata(metadata)
        if await rows.by_id(self._db, identifier, of=dataset.number) is not None:
            raise AlreadyExists("the artifact is there already: not unique")
        path = artifacts.fresh_path(self._place(scope), now=self._lake.clock(), folder="artifacts")
        await artifacts.keep(self._lake, path, data)
        now = self._now()
        row = ArtifactRow(0, dataset.number, identifier, path, words, now, now)
        try:
            await self._db.apply(*rows.insert_artifact(row, dict(partitions)))
        except AlreadyExists:
            await artifacts.discard(self._lake, path)
            raise
        self._count("stored")

    async def artifact(self, dataset: Dataset, *, identifier: str = "", tag: str = "") -> Artifact:
        """By its id, or else by a tag. Raises NotFound, also when its data is gone."""
        row = await self._row(dataset, identifier=identifier, tag=tag)
        if row is not None and (found := await self._whole(dataset, row)) is not None:
            self._count("hit")
            return found
        self._count("miss" if row is None else "gone")
        raise NotFound("no such artifact: not found")

    async def dataset_of(self, identifier: str) -> Dataset:
        """The dataset of the newest artifact with this id. Raises NotFound."""
        row = await rows.by_id(self._db, identifier, of=None)
        found = None if row is None else await rows.dataset(self._db, row.dataset)
        if found is None:
            raise NotFound("no such artifact: not found")
        return _dataset(found)

    async def update_artifact(
        self, dataset: Dataset, *, identifier: str = "", tag: str = "", data: bytes, metadata: Mapping[str, str]
    ) -> str:
        """Replace all data and metadata of an artifact; its id. Raises NotFound."""
        words = _metadata(metadata)
        if await self._row(dataset, identifier=identifier, tag=tag) is None:
            raise NotFound("no such artifact: not found")
        path = artifacts.fresh_path(dataset.scope, now=self._lake.clock(), folder="artifacts")
        await artifacts.keep(self._lake, path, data)
        while True:
            row = await self._row(dataset, identifier=identifier, tag=tag)
            if row is None:
                await artifacts.discard(self._lake, path)
                raise NotFound("no such artifact: not found")
            with suppress(LostRace):
                await self._db.apply(rows.replace(row, object=path, metadata=words, updated=self._now()))
                break
        await artifacts.discard(self._lake, row.object)
        self._count("replaced")
        return row.id

    async def add_tag(self, scope: DatasetScope, identifier: str, tag: str) -> None:
        """Raises NotFound (dataset or artifact), AlreadyExists whichever artifact has the tag."""
        dataset = await self.dataset(scope)
        row = await rows.by_id(self._db, identifier, of=dataset.number)
        if row is None:
            raise NotFound("no such artifact: not found")
        await self._db.apply(rows.insert_tag(dataset.number, tag, row.number))

    async def artifacts(self, dataset: Dataset, filters: Filters, page: Page) -> tuple[list[Artifact], int]:
        """A page of artifacts, and how many of the list it stands for: those whose data is gone are left out."""
        found = await rows.of_dataset(
            self._db,
            dataset.number,
            ids=filters.ids,
            tags=filters.tags,
            partitions=filters.partitions,
            ascending=page.ascending,
            limit=min(page.limit, MOST),
            offset=page.offset,
        )
        whole = [await self._read(dataset, row) for row in found]
        return [one for one in whole if one is not None], len(found)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return round(self._lake.clock() * MICRO)

    def _place(self, scope: DatasetScope) -> DatasetScope:
        return msgspec.structs.replace(scope, key="", org="" if self._ignore_org else scope.org)

    async def _row(self, dataset: Dataset, *, identifier: str, tag: str) -> ArtifactRow | None:
        if identifier:
            return await rows.by_id(self._db, identifier, of=dataset.number)
        return await rows.by_tag(self._db, dataset.number, tag)

    async def _whole(self, dataset: Dataset, row: ArtifactRow) -> Artifact | None:
        """The artifact; forgotten, and None, when its data is gone."""
        found = await self._read(dataset, row)
        if found is None:
            with suppress(LostRace):
                await self._db.apply(*rows.forget(row))
        return found

    async def _read(self, dataset: Dataset, row: ArtifactRow) -> Artifact | None:
        data = await artifacts.read(self._lake, row.object)
        if data is None:
            return None
        return Artifact(
            id=row.id,
            dataset=dataset,
            data=data,
            metadata=_words(row.metadata),
            partitions=await rows.partitions_of(self._db, row.number),
            tags=await rows.tags_of(self._db, row.number),
            created=row.created,
        )


def _dataset(row: DatasetRow) -> Dataset:
    scope = DatasetScope(row.org, row.project, row.domain, "", row.name, row.version)
    return Dataset(row.id, scope, row.uuid, _words(row.metadata), _keys(row.partitions), row.created)


def _metadata(words: Mapping[str, str]) -> str:
    for key, value in words.items():
        require_text("metadata", key + value, longest=MAX_METADATA)
    text = _encode(dict(words))
    if len(text) > MAX_METADATA:
        raise InvalidArgument(f"metadata: larger than {MAX_METADATA} bytes: invalid value: validation error")
    return text.decode()
