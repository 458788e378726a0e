# SPDX-License-Identifier: Apache-2.0
"""Handlers: tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.versioning.refs import branches, tags
from lakehouse.wire.branches import Ref

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.branches import RefList
    from lakehouse.wire.paging import ForceQuery, PageQuery
    from lakehouse.wire.tags import TagCreation


async def list_tags(services: Services, call: Call[PageQuery, None]) -> RefList:
    query = call.query
    page = await branches.list_tags(
        services.lake, call.path["repository"], prefix=query.prefix, after=query.after, amount=query.limit
    )
    return shapes.ref_list(page)


async def create_tag(services: Services, call: Call[None, TagCreation]) -> Ref:
    made = await tags.create_tag(
        services.lake,
        call.path["repository"],
        call.body.id,
        ref=call.body.ref,
        actor=actor(call),
        force=call.body.force,
    )
    return Ref(id=made.name, commit_id=made.commit_id)


async def get_tag(services: Services, call: Call[None, None]) -> Ref:
    found = await tags.get_tag(services.lake, call.path["repository"], call.path["tag"])
    return Ref(id=found.name, commit_id=found.commit_id)


async def delete_tag(services: Services, call: Call[ForceQuery, None]) -> None:
    await tags.delete_tag(
        services.lake, call.path["repository"], call.path["tag"], actor=actor(call), force=call.query.force
    )
