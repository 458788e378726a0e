# SPDX-License-Identifier: Apache-2.0
"""Handlers: approvals and checks of pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.api.services import actor
from lakehouse.versioning.pulls import reviews
from lakehouse.wire import reviews as wire

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call


async def get_merge_rules(services: Services, call: Call[None, None]) -> list[wire.MergeRule]:
    found = await reviews.get_merge_rules(services.lake, call.path["repository"])
    return [wire.MergeRule(pattern=one.pattern, approvals=one.approvals, checks=list(one.checks)) for one in found]


async def set_merge_rules(services: Services, call: Call[None, list[wire.MergeRule]]) -> None:
    rules = [reviews.MergeRule(one.pattern, one.approvals, tuple(one.checks)) for one in call.body]
    await reviews.set_merge_rules(services.lake, call.path["repository"], rules)


async def review_pull_request(services: Services, call: Call[None, wire.ReviewCreation]) -> None:
    body, path = call.body, call.path
    await reviews.review_pull_request(
        services.lake,
        path["repository"],
        path["pull_request"],
        verdict=body.verdict,
        comment=body.comment,
        actor=actor(call),
    )


async def pull_request_readiness(services: Services, call: Call[None, None]) -> wire.PullRequestReadiness:
    found = await reviews.readiness(services.lake, call.path["repository"], call.path["pull_request"])
    return wire.PullRequestReadiness(
        commit_id=found.commit,
        ready=not found.missing,
        missing=list(found.missing),
        reviews=[
            wire.PullRequestReview(
                reviewer=one.reviewer,
                verdict=one.verdict,  # type: ignore[arg-type]
                commit_id=one.commit,
                comment=one.comment,
                time=one.at,
            )
            for one in found.reviews
        ],
        checks=[
            wire.CommitCheck(
                name=one.name,
                state=one.state,  # type: ignore[arg-type]
                description=one.description,
                actor=one.actor,
                time=one.at,
            )
            for one in found.checks
        ],
    )


async def report_check(services: Services, call: Call[None, wire.CheckCreation]) -> None:
    body, path = call.body, call.path
    await reviews.report_check(
        services.lake,
        path["repository"],
        path["ref"],
        name=path["check"],
        state=body.state,
        description=body.description,
        actor=actor(call),
    )
