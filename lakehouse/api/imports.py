# SPDX-License-Identifier: Apache-2.0
"""Handlers: import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.api.times import wire_time
from lakehouse.core.errors import InsufficientPermissions
from lakehouse.versioning.work import importing
from lakehouse.versioning.work.import_sources import Source, SourceKind
from lakehouse.wire import imports as wire
from lakehouse.wire.errors import Error

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call


async def import_start(services: Services, call: Call[None, wire.ImportCreation]) -> wire.ImportCreationResponse:
    repository, branch, body = call.path["repository"], call.path["branch"], call.body
    sources = tuple(Source(one.path, one.destination, SourceKind(one.type)) for one in body.paths)
    _authorize(services, call, sources)
    commit = body.commit
    request = importing.ImportRequest(
        sources=sources,
        message=commit.message,
        metadata=commit.metadata,
        date=None if commit.date is UNSET else commit.date,
        replace=body.mode == "replace",
        force=body.force,
    )
    return wire.ImportCreationResponse(
        await importing.start_import(services.lake, repository, branch, request, actor(call))
    )


def _authorize(services: Services, call: Call[None, wire.ImportCreation], sources: tuple[Source, ...]) -> None:
    """Raises InsufficientPermissions unless the caller may write to the branch and every destination, and import.

    A prefix is taken as a whole: nothing below it, on either side, may be denied.
    """
    repository, branch = call.path["repository"], call.path["branch"]
    allow = services.checker.authorize
    allow(call.user, "fs:WriteObject", f"repository/{repository}/branch/{branch}")
    allow(call.user, "fs:CreateCommit", f"repository/{repository}/branch/{branch}")
    for one in sources:
        needs = (
            ("fs:ImportFromStorage", f"namespace/{one.path}"),
            ("fs:WriteObject", f"repository/{repository}/object/{shapes.text(one.target)}"),
        )
        for action, resource in needs:
            allow(call.user, action, resource)
            if one.kind is SourceKind.PREFIX and services.checker.denied_below(call.user, action, resource):
                raise InsufficientPermissions(
                    f"insufficient permissions: not allowed to {action} on everything below {resource}"
                )


async def import_status(services: Services, call: Call[wire.ImportQuery, None]) -> wire.ImportStatus:
    found = await importing.import_status(services.lake, call.path["repository"], call.path["branch"], call.query.id)
    made = None if found.imported is None else found.imported.commit
    return wire.ImportStatus(
        completed=found.done,
        update_time=wire_time(found.updated),
        ingested_objects=found.objects,
        metarange_id=UNSET if made is None else made.root,
        commit=UNSET if made is None else shapes.commit(made),
        error=UNSET if found.error is None else Error(found.error),
    )


async def import_cancel(services: Services, call: Call[wire.ImportQuery, None]) -> None:
    await importing.cancel_import(services.lake, call.path["repository"], call.path["branch"], call.query.id)
