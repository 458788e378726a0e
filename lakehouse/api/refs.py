# SPDX-License-Identifier: Apache-2.0
"""Handlers: log, differences and merges between refs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.core.paths import parse_path, parse_prefix
from lakehouse.versioning.commits import choices, merge
from lakehouse.versioning.history import conflicts, diff, log
from lakehouse.versioning.objects import listing
from lakehouse.versioning.objects.addresses import absolute
from lakehouse.versioning.objects.staging import Linked
from lakehouse.wire.paging import page_of
from lakehouse.wire.refs import (
    FindMergeBaseResult,
    Merge,
    MergeConflict,
    MergeConflictList,
    MergeResult,
    MergeSummary,
)

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.ids import EntryPath
    from lakehouse.core.records import Entry
    from lakehouse.wire.commits import CommitList
    from lakehouse.wire.diffs import DiffList
    from lakehouse.wire.objects import ObjectStats
    from lakehouse.wire.paging import PageQuery
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
            choices=choices.parse_choices(
                [(rule.glob, rule.strategy) for rule in body.strategies],
                [(parse_path(one.path), one.take) for one in body.resolutions],
            ),
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


async def list_merge_conflicts(services: Services, call: Call[PageQuery, None]) -> MergeConflictList:
    query, lake = call.query, services.lake
    repo, page = await conflicts.list_merge_conflicts(
        lake,
        call.path["repository"],
        call.path["sourceRef"],
        call.path["destinationBranch"],
        listing.Query(
            prefix=parse_prefix(query.prefix), after=parse_prefix(query.after, what="after"), amount=query.limit
        ),
    )

    def side(path: EntryPath, entry: Entry | None) -> ObjectStats | UnsetType:
        return UNSET if entry is None else shapes.object_stats(Linked(path, entry, absolute(lake, repo, entry)))

    results = [
        MergeConflict(
            path=shapes.text(one.path),
            base=side(one.path, one.base),
            source=side(one.path, one.source),
            destination=side(one.path, one.destination),
        )
        for one in page.items
    ]
    last = results[-1].path if results else ""
    return MergeConflictList(page_of(len(results), last=last, has_more=page.has_more), results)
