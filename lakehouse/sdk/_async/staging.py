# SPDX-License-Identifier: Apache-2.0
"""Staging: upload straight to the store, then link.

A commit may take the staging area between address and link. The server then says so and gives a new token, and with it
the object that is already uploaded is linked: nothing is ever uploaded twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from lakehouse.core.errors import StagingMoved
from lakehouse.sdk._async.objects import Objects
from lakehouse.sdk._async.sources import Source
from lakehouse.sdk.requests import PACKED, packed, stored_checksum, unpacked
from lakehouse.wire.objects import ObjectStats, PathQuery
from lakehouse.wire.staging import (
    GET_PHYSICAL_ADDRESS,
    GET_PHYSICAL_ADDRESSES,
    LINK_PHYSICAL_ADDRESS,
    LINK_PHYSICAL_ADDRESSES,
    AddressesCreation,
    GetPhysicalAddressQuery,
    LinkItem,
    LinkPhysicalAddressesQuery,
    LinkResult,
    LinkResultList,
    PathLocation,
    PathLocationList,
    StagingLocation,
    StagingMetadata,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from lakehouse.sdk._async.transport import Transport

M = TypeVar("M", bound=StagingMetadata)

MAX_MOVES = 100
"""So many commits may come between an address and its link."""
BATCH = 10_000
"""Links in one request of a batch that is not atomic."""
PIECE = 1000
"""Links in one chunk of a stream."""


class Staging:
    """Addresses and links of a branch."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get_physical_address(
        self, repository: str, branch: str, path: str, *, presign: bool = False
    ) -> StagingLocation:
        """An address to upload an object to; with `presign`, and if the store can, a URL to PUT it to."""
        query = GetPhysicalAddressQuery(path=path, presign=presign)
        place = {"repository": repository, "branch": branch}
        return await self._transport.call(GET_PHYSICAL_ADDRESS, StagingLocation, place, query=query)

    async def link_physical_address(
        self, repository: str, branch: str, path: str, metadata: StagingMetadata, *, if_absent: bool = False
    ) -> ObjectStats:
        """Make an uploaded object an uncommitted change.

        Raises StagingMoved, with the location to go on with, when a commit has taken the token's staging area;
        PreconditionFailed when `if_absent` and something is there; LinkAddressInvalid, LinkAddressExpired.
        """
        place = {"repository": repository, "branch": branch}
        headers = {"if-none-match": "*"} if if_absent else {}
        return await self._transport.call(
            LINK_PHYSICAL_ADDRESS, ObjectStats, place, query=PathQuery(path=path), body=metadata, headers=headers
        )

    async def link(
        self, repository: str, branch: str, path: str, metadata: StagingMetadata, *, if_absent: bool = False
    ) -> ObjectStats:
        """The same, but when a commit has taken the staging area, linked again with the new token."""
        for _ in range(MAX_MOVES):
            try:
                return await self.link_physical_address(repository, branch, path, metadata, if_absent=if_absent)
            except StagingMoved as moved:
                if moved.location is None:
                    raise
                metadata = _moved(metadata, moved.location.token)
        return await self.link_physical_address(repository, branch, path, metadata, if_absent=if_absent)

    async def upload(
        self,
        repository: str,
        branch: str,
        path: str,
        data: bytes | Path | BinaryIO | AsyncIterable[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        size: int | None = None,
        if_absent: bool = False,
        force: bool = False,
    ) -> ObjectStats:
        """Upload an object straight to the store and link it.

        `size` in bytes, of data that does not tell it itself; some stores insist on it. A store without presigned
        URLs gets the object through the server. Raises as `link_physical_address`, but StagingMoved.
        """
        location = await self.get_physical_address(repository, branch, path, presign=True)
        if not isinstance(location.presigned_url, str):
            from_server = Objects(self._transport)
            return await from_server.upload_object(
                repository,
                branch,
                path,
                data,
                content_type=content_type,
                metadata=metadata,
                if_absent=if_absent,
                force=force,
            )
        source = Source(data, size=size)
        stored = await self._transport.put_presigned(
            location.presigned_url,
            source.content,
            headers={"content-type": content_type, **source.headers},
            replayable=source.replayable,
        )
        facts = StagingMetadata(
            staging=StagingLocation(physical_address=location.physical_address, token=location.token),
            checksum=stored_checksum(stored.headers),
            size_bytes=source.size or 0,
            user_metadata=dict(metadata or {}),
            content_type=content_type,
            force=force,
        )
        return await self.link(repository, branch, path, facts, if_absent=if_absent)

    async def get_physical_addresses(
        self, repository: str, branch: str, paths: Sequence[str], *, presign: bool = False
    ) -> PathLocationList:
        """Addresses for up to 10,000 paths, in their order."""
        body = AddressesCreation(paths=list(paths), presign=presign)
        place = {"repository": repository, "branch": branch}
        response = await self._transport.deliver(
            GET_PHYSICAL_ADDRESSES, place, content=msgspec.msgpack.encode(body), headers=PACKED
        )
        return PathLocationList(unpacked(response.content, PathLocation))

    async def link_physical_addresses(
        self, repository: str, branch: str, items: Sequence[LinkItem], *, atomic: bool = False
    ) -> LinkResultList:
        """Link many uploaded objects in one streamed request.

        `atomic`: all or none, and an error is raised (StagingMoved among them). Else every item has its result.
        """

        async def stream() -> AsyncIterator[bytes]:
            for at in range(0, len(items), PIECE):
                yield b"".join(map(msgspec.msgpack.encode, items[at : at + PIECE]))

        response = await self._transport.deliver(
            LINK_PHYSICAL_ADDRESSES,
            {"repository": repository, "branch": branch},
            query=LinkPhysicalAddressesQuery(atomic=atomic),
            content=stream,
            headers=PACKED,
        )
        return packed(response.content, LinkResultList)

    async def link_all(self, repository: str, branch: str, items: Sequence[LinkItem]) -> int:
        """Link many uploaded objects, all or none; how many. Goes on with the new token as `link` does."""
        for _ in range(MAX_MOVES):
            try:
                return (await self.link_physical_addresses(repository, branch, items, atomic=True)).linked
            except StagingMoved as moved:
                if moved.location is None:
                    raise
                items = [_moved(item, moved.location.token) for item in items]
        return (await self.link_physical_addresses(repository, branch, items, atomic=True)).linked

    async def link_each(self, repository: str, branch: str, items: Iterable[LinkItem]) -> AsyncIterator[LinkResult]:
        """Link any number of uploaded objects, `BATCH` a request; the result of each, those that went on with a new
        token at the end of their batch.
        """
        batch: list[LinkItem] = []
        for item in items:
            batch.append(item)
            if len(batch) == BATCH:
                async for result in self._linked(repository, branch, batch):
                    yield result
                batch = []
        async for result in self._linked(repository, branch, batch):
            yield result

    async def _linked(self, repository: str, branch: str, items: list[LinkItem]) -> AsyncIterator[LinkResult]:
        for left in range(MAX_MOVES, -1, -1):
            if not items:
                return
            again: list[LinkItem] = []
            answer = await self.link_physical_addresses(repository, branch, items)
            for item, result in zip(items, answer.results, strict=True):
                if left and isinstance(result.location, StagingLocation) and isinstance(result.location.token, str):
                    again.append(_moved(item, result.location.token))
                else:
                    yield result
            items = again


def _moved(metadata: M, token: str) -> M:
    """The same link, of the same address, with another token."""
    staging = StagingLocation(physical_address=metadata.staging.physical_address, token=token)
    return msgspec.structs.replace(metadata, staging=staging)
