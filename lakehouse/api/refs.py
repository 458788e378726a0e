# SPDX-License-Identifier: Apache-2.0
"""Handlers: log, differences and merges between refs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.core.paths import parse_path, parse_prefix
from lakehouse.versioning import diff, log, merge
from lakehouse.wire.refs import FindMergeBaseResult, Merge, MergeResult, MergeSummary

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire.commits import CommitList
    from lakehouse.wire.diffs import DiffList
    from lakehouse.wire.refs import DiffRefsQuery, LogCommitsQuery


async def log_commits(services: Services, call: Call[LogCommitsQuery, None]) -> CommitList:
    query = call.query
    page = await log.log_commits(
        services.lake,
        call.path["repository"],
        call.path["ref"],
        log.LogQuery(
            amount=query.items,
            after=query.after,
            objects=[parse_path(path) for path in query.objects],
            prefixes=[parse_prefix(prefix) for prefix in query.prefixes],
            first_parent=query.first_parent,
            since=query.since_seconds,
            stop_at=query.stop_at,
            exact=query.limit,
        ),
    )
    return shapes.commit_list(page)


async def diff_refs(services: Services, call: Call[DiffRefsQuery, None]) -> DiffList:
    page = await diff.diff_refs(
        services.lake,
        call.path["repository"],
        call.path["leftRef"],
        call.path["rightRef"],
        shapes.query(call.query),
        two_dot=call.query.type == "two_dot",
    )
    return shapes.diff_list(page, removed_size=True, right_stats=call.query.include_right_stats)


async def merge_into_branch(services: Services, call: Call[None, Merge | None]) -> MergeResult:
    body = call.body or Merge()
    made = await merge.merge_into_branch(
        services.lake,
        call.path["repository"],
        call.path["sourceRef"],
        call.path["destinationBranch"],
        merge.MergeRequest(
            message=body.message,
            metadata=body.metadata,
            strategy=body.strategy,
            force=body.force,
            allow_empty=body.allow_empty,
            squash=body.squash_merge,
        ),
        actor(call),
    )
    summary = MergeSummary(added=made.added, removed=made.removed, changed=made.changed, conflict=0)
    return MergeResult(reference=made.commit.id, summary=summary)


async def find_merge_base(services: Services, call: Call[None, None]) -> FindMergeBaseResult:
    source, destination, base = await merge.find_merge_base(
        services.lake, call.path["repository"], call.path["sourceRef"], call.path["destinationBranch"]
    )
    return FindMergeBaseResult(source_commit_id=source.id, destination_commit_id=destination.id, base_commit_id=base.id)
