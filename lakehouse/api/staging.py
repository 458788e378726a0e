# SPDX-License-Identifier: Apache-2.0
"""Handlers: physical addresses and links, one by one and in batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.errors import status_of
from lakehouse.api.services import importing
from lakehouse.asgi.conditional import only_if_absent
from lakehouse.asgi.items import ItemReader
from lakehouse.asgi.responses import PACKED_HEADERS, Response, packed_bytes
from lakehouse.core.errors import InvalidArgument, StagingMoved
from lakehouse.core.paths import parse_path
from lakehouse.versioning.objects import batches, staging
from lakehouse.wire.packed import PAGE, wants_packed
from lakehouse.wire.staging import LinkItem, LinkResult, LinkResultList, PathLocation, PathLocationList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.errors import LakehouseError
    from lakehouse.core.ids import EntryPath
    from lakehouse.core.records import StagingLocation
    from lakehouse.wire import staging as wire
    from lakehouse.wire.objects import ObjectStats, PathQuery

_links = ItemReader(LinkItem)


async def get_physical_address(
    services: Services, call: Call[wire.GetPhysicalAddressQuery, None]
) -> wire.StagingLocation:
    location = await staging.get_physical_address(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        parse_path(call.query.path),
        presign=shapes.presign_for(call, wanted=call.query.presign),
    )
    return shapes.staging_location(location)


async def link_physical_address(services: Services, call: Call[PathQuery, wire.StagingMetadata]) -> ObjectStats:
    body = call.body
    linked = await staging.link_physical_address(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        _link(parse_path(call.query.path), body, importing(services, call)),
        force=body.force,
        if_absent=only_if_absent(call),
        presign=shapes.presign_for(call, wanted=bool(body.staging.presigned_url)),
    )
    return shapes.object_stats(linked)


async def get_physical_addresses(
    services: Services, call: Call[None, wire.AddressesCreation]
) -> PathLocationList | Response:
    repository, paths = call.path["repository"], call.body.paths
    await _authorize(services, call, paths)
    parsed = []
    for number, path in enumerate(paths):
        try:
            parsed.append(parse_path(path))
        except InvalidArgument as error:
            raise error.within(f"item {number}") from error.__cause__
        if number % PAGE == PAGE - 1:
            await asyncio.sleep(0)
    pages = await staging.get_physical_addresses(
        services.lake,
        repository,
        call.path["branch"],
        parsed,
        presign=shapes.presign_for(call, wanted=call.body.presign),
    )
    if wants_packed(call.header(b"accept")):
        return Response(200, list(PACKED_HEADERS), _packed(pages))
    return PathLocationList([item async for page in pages for item in map(_path_location, page)])


def _path_location(found: tuple[EntryPath, StagingLocation]) -> PathLocation:
    path, location = found
    return PathLocation(
        path=path.decode(),
        physical_address=location.physical_address,
        token=location.token,
        presigned_url=location.presigned_url or UNSET,
        presigned_url_expiry=UNSET if location.expires is None else location.expires,
    )


async def _packed(pages: AsyncIterator[list[tuple[EntryPath, StagingLocation]]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield packed_bytes(map(_path_location, page))


async def link_physical_addresses(
    services: Services, call: Call[wire.LinkPhysicalAddressesQuery, None]
) -> LinkResultList:
    repository, atomic = call.path["repository"], call.query.atomic
    batch = await batches.open_batch(services.lake, repository, call.path["branch"], atomic=atomic)
    may_import = importing(services, call)
    results: list[LinkResult] = []
    linked = 0
    try:
        async for items in _links.pages(call):
            await _authorize(services, call, [item.path for item in items])
            answers = await _add(batch, items, call, may_import)
            if atomic:
                linked += len(answers)
            else:
                linked += answers.count(None)
                results += [_result(item, answer) for item, answer in zip(items, answers, strict=True)]
        await batch.finish()
    except BaseException:
        await batch.abandon()
        raise
    return LinkResultList(linked=linked, results=results)


async def _authorize(services: Services, call: Call[Any, Any], paths: Sequence[str]) -> None:
    """Ask whether the caller may write at all of these paths."""
    objects = f"repository/{call.path['repository']}/object/"
    if not services.checker.allowed_below(call.user, "fs:WriteObject", objects):
        for number, path in enumerate(paths, 1):
            services.checker.authorize(call.user, "fs:WriteObject", objects + path)
            if number % PAGE == 0:
                await asyncio.sleep(0)


async def _add(
    batch: batches.Batch,
    items: list[LinkItem],
    call: Call[wire.LinkPhysicalAddressesQuery, None],
    may_import: Callable[[str], object],
) -> list[LakehouseError | None]:
    """What is wrong with each item. What has no path that could be linked never gets to the batch.

    Of an atomic batch, the first error is raised.
    """
    links: list[staging.Link] = []
    wrong: dict[int, LakehouseError] = {}
    for number, item in enumerate(items):
        presign = shapes.presign_for(call, wanted=True) if item.staging.presigned_url else None
        try:
            links.append(_link(parse_path(item.path), item, may_import, presign))
        except InvalidArgument as error:
            wrong[number] = error
            if call.query.atomic:
                break
    answers = await batch.add(links)
    if not wrong:
        return answers
    if call.query.atomic:
        raise wrong[len(links)].within(f"item {batch.count}")
    rest = iter(answers)
    return [wrong[number] if number in wrong else next(rest) for number in range(len(items))]


def _link(
    path: EntryPath,
    body: wire.StagingMetadata,
    may_import: Callable[[str], object],
    presign: staging.Presign | None = None,
) -> staging.Link:
    where = body.staging
    return staging.Link(  # by position: it is made a million times
        path,
        where.physical_address or "",
        body.checksum,
        body.size_bytes,
        where.token or None,
        body.content_type,
        body.user_metadata,
        None if body.mtime is UNSET else body.mtime,
        body.force,
        presign,
        may_import,
    )


def _result(item: LinkItem, answer: LakehouseError | None) -> LinkResult:
    if answer is None:
        return LinkResult(path=item.path)
    moved = answer.location if isinstance(answer, StagingMoved) else None
    return LinkResult(
        path=item.path,
        status_code=status_of(answer),
        message=answer.message,
        code=answer.code,
        location=UNSET if moved is None else shapes.staging_location(moved),
    )
