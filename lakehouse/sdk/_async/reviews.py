# SPDX-License-Identifier: Apache-2.0
"""Approvals and checks of pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.wire.reviews import (
    GET_MERGE_RULES,
    PULL_REQUEST_READINESS,
    REPORT_CHECK,
    REVIEW_PULL_REQUEST,
    SET_MERGE_RULES,
    CheckCreation,
    MergeRule,
    PullRequestReadiness,
    ReviewCreation,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.sdk._async.transport import Transport
    from lakehouse.wire.reviews import CheckState, Verdict


class Reviews:
    """What people and programs say of a pull request, and the rules that a merge must meet."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get_merge_rules(self, repository: str) -> list[MergeRule]:
        """The rules, by patterns of destination branches."""
        return await self._transport.call(GET_MERGE_RULES, list[MergeRule], {"repository": repository})

    async def set_merge_rules(self, repository: str, rules: Sequence[MergeRule]) -> None:
        """Replace the rules."""
        await self._transport.send(SET_MERGE_RULES, {"repository": repository}, body=list(rules))

    async def review_pull_request(
        self, repository: str, pull_request: str, verdict: Verdict, *, comment: str = ""
    ) -> None:
        """Approve or reject a pull request as it is now. Raises PullRequestNotFound."""
        body = ReviewCreation(verdict=verdict, comment=comment)
        path = {"repository": repository, "pull_request": pull_request}
        await self._transport.send(REVIEW_PULL_REQUEST, path, body=body)

    async def pull_request_readiness(self, repository: str, pull_request: str) -> PullRequestReadiness:
        """What is said of a pull request, and what it lacks. Raises PullRequestNotFound."""
        path = {"repository": repository, "pull_request": pull_request}
        return await self._transport.call(PULL_REQUEST_READINESS, PullRequestReadiness, path)

    async def report_check(
        self, repository: str, ref: str, check: str, state: CheckState, *, description: str = ""
    ) -> None:
        """Report what a program found of the commit of `ref`."""
        body = CheckCreation(state=state, description=description)
        path = {"repository": repository, "ref": ref, "check": check}
        await self._transport.send(REPORT_CHECK, path, body=body)
