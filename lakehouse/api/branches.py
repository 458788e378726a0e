# SPDX-License-Identifier: Apache-2.0
"""Handlers: branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.core.errors import MissingValue
from lakehouse.core.paths import parse_path, parse_prefix
from lakehouse.versioning.commits import pick, reset
from lakehouse.versioning.history import diff, reflog
from lakehouse.versioning.refs import branches
from lakehouse.wire.branches import Move, MoveList, Ref
from lakehouse.wire.paging import page_of

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire import branches as wire
    from lakehouse.wire.commits import Commit, CommitOverrides
    from lakehouse.wire.diffs import DiffList, DiffQuery
    from lakehouse.wire.paging import ForceQuery


async def list_branches(services: Services, call: Call[wire.ListBranchesQuery, None]) -> wire.RefList:
    query = call.query
    page = await branches.list_branches(
        services.lake,
        call.path["repository"],
        prefix=query.prefix,
        after=query.after,
        amount=query.limit,
        hidden=query.show_hidden,
    )
    return shapes.ref_list(page)


async def create_branch(services: Services, call: Call[None, wire.BranchCreation]) -> str:
    body = call.body
    return await branches.create_branch(
        services.lake,
        call.path["repository"],
        body.name,
        source=body.source,
        actor=actor(call),
        hidden=body.hidden,
        force=body.force,
    )


async def get_branch(services: Services, call: Call[None, None]) -> Ref:
    found = await branches.get_branch(services.lake, call.path["repository"], call.path["branch"])
    return Ref(id=found.name, commit_id=found.commit_id)


async def delete_branch(services: Services, call: Call[ForceQuery, None]) -> None:
    await branches.delete_branch(
        services.lake, call.path["repository"], call.path["branch"], actor=actor(call), force=call.query.force
    )


async def reset_branch(services: Services, call: Call[None, wire.ResetCreation]) -> None:
    body, repository, branch = call.body, call.path["repository"], call.path["branch"]
    if body.type == "reset":
        await reset.reset_branch(services.lake, repository, branch, force=body.force)
    elif body.path is UNSET:
        raise MissingValue("missing path: required value: validation error")
    elif body.type == "object":
        await reset.reset_object(services.lake, repository, branch, parse_path(body.path), force=body.force)
    else:
        await reset.reset_prefix(services.lake, repository, branch, parse_prefix(body.path), force=body.force)


async def hard_reset_branch(services: Services, call: Call[wire.HardResetQuery, None]) -> None:
    await reset.hard_reset_branch(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        ref=call.query.ref,
        actor=actor(call),
        force=call.query.force,
    )


async def revert_branch(services: Services, call: Call[None, wire.RevertCreation]) -> None:
    body = call.body
    await pick.revert_branch(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        ref=body.ref,
        parent_number=body.parent_number,
        actor=actor(call),
        overrides=_overrides(None if body.commit_overrides is UNSET else body.commit_overrides),
        allow_empty=body.allow_empty,
        force=body.force,
    )


async def cherry_pick(services: Services, call: Call[None, wire.CherryPickCreation]) -> Commit:
    body = call.body
    made = await pick.cherry_pick(
        services.lake,
        call.path["repository"],
        call.path["branch"],
        ref=body.ref,
        parent_number=None if body.parent_number is UNSET else body.parent_number,
        actor=actor(call),
        overrides=_overrides(None if body.commit_overrides is UNSET else body.commit_overrides),
        force=body.force,
    )
    return shapes.commit(made)


async def diff_branch(services: Services, call: Call[DiffQuery, None]) -> DiffList:
    page = await diff.diff_branch(services.lake, call.path["repository"], call.path["branch"], shapes.query(call.query))
    return shapes.diff_list(page, removed_size=False)


async def list_reflog(services: Services, call: Call[wire.ReflogQuery, None]) -> MoveList:
    query = call.query
    page = await reflog.list_reflog(
        services.lake, call.path["repository"], call.path["branch"], after=query.after, amount=query.limit
    )
    results = [
        Move(
            number=move.sequence,
            time=move.at,
            old_commit_id=move.old,
            new_commit_id=move.new,
            operation=move.operation,
            actor=move.actor,
            request_id=move.request,
        )
        for move in page.items
    ]
    last = str(results[-1].number) if results else ""
    return MoveList(page_of(len(results), last=last, has_more=page.has_more), results)


def _overrides(wire_overrides: CommitOverrides | None) -> pick.Overrides:
    if wire_overrides is None:
        return pick.Overrides()
    return pick.Overrides(
        message=None if wire_overrides.message is UNSET else wire_overrides.message,
        metadata=None if wire_overrides.metadata is UNSET else wire_overrides.metadata,
    )
