# SPDX-License-Identifier: Apache-2.0
"""Handlers: garbage collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from lakehouse.api.services import actor
from lakehouse.api.times import wire_time
from lakehouse.gc import collect, prepare, rules, running
from lakehouse.meta.tasks import TaskState
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import addresses
from lakehouse.wire import gc as wire
from lakehouse.wire.errors import Error

if TYPE_CHECKING:
    from typing import Any

    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call


async def get_gc_rules(services: Services, call: Call[None, None]) -> wire.GarbageCollectionRules:
    found = await rules.get_rules(services.lake, call.path["repository"])
    listed = [wire.GarbageCollectionRule(name, days) for name, days in sorted(found.branches.items())]
    return wire.GarbageCollectionRules(found.default_days, listed)


async def set_gc_rules(services: Services, call: Call[None, wire.GarbageCollectionRules]) -> None:
    body = call.body
    branches = {rule.branch_id: rule.retention_days for rule in body.branches or ()}
    wanted = rules.RetentionRules(body.default_retention_days, branches)
    await rules.set_rules(services.lake, call.path["repository"], wanted)


async def delete_gc_rules(services: Services, call: Call[None, None]) -> None:
    await rules.set_rules(services.lake, call.path["repository"], None)


async def set_garbage_collection_rules_preflight(services: Services, call: Call[None, None]) -> None:
    await resolve.repository(services.lake, call.path["repository"])


internal_get_garbage_collection_rules = get_gc_rules
internal_set_garbage_collection_rules = set_gc_rules
internal_delete_garbage_collection_rules = delete_gc_rules


async def prepare_garbage_collection_commits(
    services: Services, call: Call[None, None]
) -> wire.GarbageCollectionPrepareResponse:
    made = await prepare.prepare_commits(services.lake, call.path["repository"])
    return await _prepared(services, call, made)


async def prepare_garbage_collection_commits_async(services: Services, call: Call[None, None]) -> wire.TaskCreation:
    return wire.TaskCreation(await prepare.start_prepare_commits(services.lake, call.path["repository"], actor(call)))


async def prepare_garbage_collection_commits_status(
    services: Services, call: Call[wire.TaskQuery, None]
) -> wire.PrepareGarbageCollectionCommitsStatus:
    task = await prepare.find_prepare_commits(services.lake, call.path["repository"], call.query.id)
    made = None if task.result is None else msgspec.json.decode(task.result, type=prepare.Prepared)
    return wire.PrepareGarbageCollectionCommitsStatus(
        task_id=task.id,
        completed=task.state is TaskState.DONE,
        update_time=wire_time(task.updated / 1000),
        result=UNSET if made is None else await _prepared(services, call, made),
        error=UNSET if task.error is None else Error(task.error),
    )


async def _prepared(
    services: Services, call: Call[Any, None], made: prepare.Prepared
) -> wire.GarbageCollectionPrepareResponse:
    place = services.lake.place(await resolve.repository(services.lake, call.path["repository"]))
    url = None
    if place.store.presigner is not None:
        url = addresses.presigned(services.lake, place, made.key, method="GET", endpoint=call.endpoint)
    return wire.GarbageCollectionPrepareResponse(
        run_id=made.run,
        gc_commits_location=made.commits,
        gc_addresses_location=made.addresses,
        gc_commits_presigned_url=url or UNSET,
    )


async def prepare_garbage_collection_uncommitted(
    services: Services, call: Call[None, wire.PrepareGCUncommittedRequest | None]
) -> wire.PrepareGCUncommittedResponse:
    token = call.body.continuation_token if call.body else ""
    made = await prepare.prepare_uncommitted(services.lake, call.path["repository"], token)
    return wire.PrepareGCUncommittedResponse(
        run_id=made.run, gc_uncommitted_location=made.location, continuation_token=made.token or UNSET
    )


async def start_garbage_collection(
    services: Services, call: Call[None, wire.GarbageCollectionCreation | None]
) -> wire.TaskCreation:
    options = collect.Options(dry_run=call.body.dry_run if call.body else False)
    return wire.TaskCreation(
        await running.start_collection(services.lake, call.path["repository"], options, actor(call))
    )


async def garbage_collection_status(services: Services, call: Call[None, None]) -> wire.GarbageCollectionStatus:
    task = await running.find_collection(services.lake, call.path["repository"], call.path["run"])
    return wire.GarbageCollectionStatus(
        id=task.id,
        done=task.state is not TaskState.RUNNING,
        update_time=wire_time(task.updated / 1000),
        listed=task.progress,
        report=UNSET if task.result is None else msgspec.json.decode(task.result, type=wire.GarbageCollectionReport),
        error=UNSET if task.error is None else Error(task.error),
    )


async def list_garbage_collections(services: Services, call: Call[None, None]) -> wire.GarbageCollectionReportList:
    found = await collect.reports(services.lake, call.path["repository"])
    return wire.GarbageCollectionReportList(
        [msgspec.convert(one, wire.GarbageCollectionReport, from_attributes=True) for one in found]
    )


async def forget_garbage(services: Services, call: Call[None, None]) -> None:
    await collect.forget_candidates(services.lake, call.path["repository"])
