# SPDX-License-Identifier: Apache-2.0
"""Handlers: commits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.core import records
from lakehouse.core.ids import CommitId, MetaRangeId
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import commit as engine
from lakehouse.versioning.commits import commit_record

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.commits import Commit, CommitCreation, CommitQuery, CommitRecordCreation


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
    _, found = await resolve.commit_record(services.lake, call.path["repository"], call.path["commitId"])
    return shapes.commit(found)


async def create_commit_record(services: Services, call: Call[None, CommitRecordCreation]) -> None:
    body = call.body
    record = records.Commit(
        id=CommitId(body.commit_id),
        parents=tuple(CommitId(parent) for parent in body.parents),
        root=MetaRangeId(body.metarange_id),
        committer=body.committer,
        message=body.message,
        created=body.creation_date,
        metadata=body.metadata,
        generation=body.generation,
        version=body.version,
    )
    await commit_record.create_commit_record(services.lake, call.path["repository"], record, force=body.force)
