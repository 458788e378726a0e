# SPDX-License-Identifier: Apache-2.0
"""Handlers: physical addresses and links, one by one and in batches."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.errors import status_of
from lakehouse.api.services import importing
from lakehouse.asgi.conditional import only_if_absent
from lakehouse.asgi.items import ItemReader
from lakehouse.asgi.responses import PACKED_HEADERS, Response, packed_bytes
from lakehouse.core.errors import InvalidArgument, StagingMoved
from lakehouse.core.paths import parse_path, parse_paths
from lakehouse.versioning.objects import batches, staging
from lakehouse.wire.packed import PAGE, wants_packed
from lakehouse.wire.staging import LinkItem, LinkResult, LinkResultList, PathLocation, PathLocationList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.errors import LakehouseError
    from lakehouse.core.ids import EntryPath
    from lakehouse.core.staging_location import StagingLocation
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
    good, paths, wrong = _with_paths(items, atomic=call.query.atomic)

    def link(number: int) -> staging.Link:
        item = good[number]
        presign = shapes.presign_for(call, wanted=True) if item.staging.presigned_url else None
        return _link(paths[number], item, may_import, presign)

    answers = await batch.add(_by_column(good, paths, link))
    if not wrong:
        return answers
    if call.query.atomic:
        raise wrong[len(good)].within(f"item {batch.count}")
    rest = iter(answers)
    return [wrong[number] if number in wrong else next(rest) for number in range(len(items))]


def _with_paths(
    items: list[LinkItem], *, atomic: bool
) -> tuple[list[LinkItem], list[EntryPath], dict[int, LakehouseError]]:
    """The items whose paths are paths, these, and what is wrong with the others by their numbers; of an atomic batch,
    what stands before the first that is wrong.
    """
    with suppress(InvalidArgument):
        return items, parse_paths([item.path for item in items]), {}
    good: list[LinkItem] = []
    paths: list[EntryPath] = []
    wrong: dict[int, LakehouseError] = {}
    for number, item in enumerate(items):
        try:
            paths.append(parse_path(item.path))
            good.append(item)
        except InvalidArgument as error:
            wrong[number] = error
            if atomic:
                break
    return good, paths, wrong


def _by_column(items: list[LinkItem], paths: list[EntryPath], link: Callable[[int], staging.Link]) -> batches.LinkPage:
    where = [item.staging for item in items]
    return batches.LinkPage(
        paths=paths,
        addresses=[at.physical_address or "" for at in where],
        tokens=[at.token or None for at in where],
        checksums=[item.checksum for item in items],
        sizes=[item.size_bytes for item in items],
        content_types=[item.content_type for item in items],
        metadata=[item.user_metadata for item in items],
        mtimes=[None if item.mtime is UNSET else item.mtime for item in items],
        link=link,
    )


def _link(
    path: EntryPath,
    body: wire.StagingMetadata,
    may_import: Callable[[str], object],
    presign: staging.Presign | None = None,
) -> staging.Link:
    return staging.Link(
        path=path,
        physical_address=body.staging.physical_address or "",
        checksum=body.checksum,
        size=body.size_bytes,
        token=body.staging.token or None,
        content_type=body.content_type,
        metadata=body.user_metadata,
        mtime=None if body.mtime is UNSET else body.mtime,
        force=body.force,
        presign=presign,
        may_import=may_import,
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
