# SPDX-License-Identifier: Apache-2.0
"""Handlers: runs of hooks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.actions import runs
from lakehouse.api.times import wire_time
from lakehouse.asgi.responses import Response
from lakehouse.asgi.streaming import DEFAULT_TYPE, SAFETY
from lakehouse.meta.action_runs import HookStatus
from lakehouse.wire import actions as wire
from lakehouse.wire.paging import page_of

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.meta import action_runs

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


async def list_repository_runs(
    services: Services, call: Call[wire.ListRepositoryRunsQuery, None]
) -> wire.ActionRunList:
    query = call.query
    page = await runs.list_repository_runs(
        services.lake,
        call.path["repository"],
        branch=query.branch,
        commit=query.commit,
        after=query.after,
        amount=query.limit,
    )
    results = [_run(one) for one in page.items]
    last = results[-1].run_id if results else ""
    return wire.ActionRunList(page_of(len(results), last=last, has_more=page.has_more), results)


async def get_run(services: Services, call: Call[None, None]) -> wire.ActionRun:
    return _run(await runs.get_run(services.lake, call.path["repository"], call.path["run_id"]))


async def list_run_hooks(services: Services, call: Call[wire.ListRunHooksQuery, None]) -> wire.HookRunList:
    query = call.query
    page = await runs.list_run_hooks(
        services.lake, call.path["repository"], call.path["run_id"], after=query.after, amount=query.limit
    )
    results = [_hook(one) for one in page.items]
    last = results[-1].hook_run_id if results else ""
    return wire.HookRunList(page_of(len(results), last=last, has_more=page.has_more), results)


async def get_run_hook_output(services: Services, call: Call[None, None]) -> Response:
    output = await runs.get_run_hook_output(
        services.lake, call.path["repository"], call.path["run_id"], call.path["hook_run_id"]
    )
    return Response(200, [(b"content-type", DEFAULT_TYPE.encode()), *SAFETY], output)


def _run(record: action_runs.ActionRun) -> wire.ActionRun:
    return wire.ActionRun(
        run_id=record.id,
        branch=record.branch,
        start_time=wire_time(record.started / 1000),
        end_time=wire_time(record.ended / 1000),
        event_type=record.event,
        status="completed" if record.passed else "failed",
        commit_id=record.commit_id,
    )


def _hook(record: action_runs.HookRun) -> wire.HookRun:
    skipped = record.status is HookStatus.SKIPPED
    return wire.HookRun(
        hook_run_id=record.id,
        action=record.action,
        hook_id=record.hook,
        start_time=_NEVER if skipped else wire_time(record.started / 1000),
        end_time=UNSET if record.ended is None else wire_time(record.ended / 1000),
        status=record.status.value,
    )
