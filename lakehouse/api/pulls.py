# SPDX-License-Identifier: Apache-2.0
"""Handlers: pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import times
from lakehouse.api.services import actor
from lakehouse.core.errors import BadPullRequestStatus
from lakehouse.core.records import PullRequestStatus
from lakehouse.versioning.pulls import pulls, reviews
from lakehouse.wire import pulls as wire
from lakehouse.wire.paging import page_of
from lakehouse.wire.refs import MergeResult, MergeSummary

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.records import PullRequest

_STATUSES = {
    "open": (PullRequestStatus.OPEN,),
    "closed": (PullRequestStatus.CLOSED, PullRequestStatus.MERGED),
    "all": tuple(PullRequestStatus),
}


async def list_pull_requests(services: Services, call: Call[wire.ListPullRequestsQuery, None]) -> wire.PullRequestsList:
    query = call.query
    page = await pulls.list_pull_requests(
        services.lake,
        call.path["repository"],
        statuses=_STATUSES[query.status],
        prefix=query.prefix,
        after=query.after,
        amount=query.limit,
    )
    results = [_pull_request(pull, whole=False) for pull in page.items]
    last = results[-1].id if results else ""
    return wire.PullRequestsList(page_of(len(results), last=last, has_more=page.has_more), results)


async def create_pull_request(
    services: Services, call: Call[None, wire.PullRequestCreation]
) -> wire.PullRequestCreationResponse:
    body = call.body
    draft = pulls.PullRequestDraft(body.title, body.source_branch, body.destination_branch, body.description)
    made = await pulls.create_pull_request(services.lake, call.path["repository"], draft, actor(call))
    return wire.PullRequestCreationResponse(made.id)


async def get_pull_request(services: Services, call: Call[None, None]) -> wire.PullRequest:
    found = await pulls.get_pull_request(services.lake, call.path["repository"], call.path["pull_request"])
    return _pull_request(found, whole=True)


async def update_pull_request(services: Services, call: Call[None, wire.PullRequestBasic]) -> None:
    body = call.body
    change = pulls.PullRequestChange(
        title=None if body.title is UNSET else body.title,
        description=None if body.description is UNSET else body.description,
        status=None if body.status is UNSET else PullRequestStatus(body.status),
    )
    await pulls.update_pull_request(services.lake, call.path["repository"], call.path["pull_request"], change)


async def merge_pull_request(services: Services, call: Call[None, None]) -> MergeResult:
    repository, pull = call.path["repository"], call.path["pull_request"]
    found = await pulls.get_pull_request(services.lake, repository, pull)
    branch = f"repository/{repository}/branch/{found.destination}"
    services.checker.authorize(call.user, "fs:CreateCommit", branch)
    services.checker.authorize(call.user, "pr:WritePullRequest", f"repository/{repository}")
    if found.status is not PullRequestStatus.OPEN:
        raise BadPullRequestStatus
    commit = await reviews.require_ready(services.lake, repository, pull)
    made = await pulls.merge_pull_request(services.lake, repository, pull, actor(call), commit=commit)
    summary = MergeSummary(added=made.added, removed=made.removed, changed=made.changed, conflict=0)
    return MergeResult(reference=made.commit.id, summary=summary)


def _pull_request(record: PullRequest, *, whole: bool) -> wire.PullRequest:
    return wire.PullRequest(
        id=record.id,
        status=record.status.value,
        title=record.title,
        description=record.description if whole else "",
        author=record.author,
        creation_date=times.wire_time(record.created),
        source_branch=record.source,
        destination_branch=record.destination,
        merged_commit_id=record.merged_commit if whole and record.merged_commit else UNSET,
        closed_date=UNSET if record.closed is None else times.wire_time(record.closed),
    )
