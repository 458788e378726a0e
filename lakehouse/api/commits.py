# SPDX-License-Identifier: Apache-2.0
"""Handlers: commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.versioning import commit as engine
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.commits import Commit, CommitCreation, CommitQuery


async def commit(services: Services, call: Call[CommitQuery, CommitCreation]) -> Commit:
    body = call.body
    made = await engine.commit(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        engine.CommitRequest(
            message=body.message,
            metadata=body.metadata,
            date=None if body.date is UNSET else body.date,
            allow_empty=body.allow_empty,
            force=body.force,
            source_metarange=call.query.source_metarange or None,
        ),
        actor(call),
    )
    return shapes.commit(made)


async def get_commit(services: Services, call: Call[None, None]) -> Commit:
    _, found = await resolve.commit(services.lake, call.path["repository"], call.path["commitId"])
    return shapes.commit(found)
