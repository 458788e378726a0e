# SPDX-License-Identifier: Apache-2.0
"""Pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.sdk.requests import given
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE
from lakehouse.wire.pulls import (
    CREATE_PULL_REQUEST,
    GET_PULL_REQUEST,
    LIST_PULL_REQUESTS,
    MERGE_PULL_REQUEST,
    UPDATE_PULL_REQUEST,
    ListPullRequestsQuery,
    PullRequest,
    PullRequestBasic,
    PullRequestCreation,
    PullRequestCreationResponse,
    PullRequestsList,
)
from lakehouse.wire.refs import MergeResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Literal

    from lakehouse.sdk._async.transport import Transport
    from lakehouse.wire.pulls import Status


class Pulls:
    """Proposals to merge one branch into another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_pull_requests(
        self,
        repository: str,
        *,
        status: Literal["open", "closed", "all"] = "all",
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
    ) -> PullRequestsList:
        """One page of pull requests, newest first, without their descriptions. `closed`: closed or merged."""
        query = ListPullRequestsQuery(prefix=prefix, after=after, amount=amount, status=status)
        path = {"repository": repository}
        return await self._transport.call(LIST_PULL_REQUESTS, PullRequestsList, path, query=query)

    def each_pull_request(
        self, repository: str, *, status: Literal["open", "closed", "all"] = "all"
    ) -> AsyncIterator[PullRequest]:
        """All pull requests, newest first."""

        async def fetch(after: str) -> PullRequestsList:
            return await self.list_pull_requests(repository, status=status, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def create_pull_request(
        self, repository: str, title: str, source_branch: str, destination_branch: str, *, description: str = ""
    ) -> PullRequestCreationResponse:
        """Propose to merge one branch into another. Raises BranchNotFound, SameBranch."""
        body = PullRequestCreation(
            title=title, description=description, source_branch=source_branch, destination_branch=destination_branch
        )
        path = {"repository": repository}
        return await self._transport.call(CREATE_PULL_REQUEST, PullRequestCreationResponse, path, body=body)

    async def get_pull_request(self, repository: str, pull_request: str) -> PullRequest:
        """A pull request with its description. Raises PullRequestNotFound."""
        path = {"repository": repository, "pull_request": pull_request}
        return await self._transport.call(GET_PULL_REQUEST, PullRequest, path)

    async def update_pull_request(
        self,
        repository: str,
        pull_request: str,
        *,
        title: str | None = None,
        description: str | None = None,
        status: Status | None = None,
    ) -> None:
        """Change what is given. Raises PullRequestNotFound."""
        body = PullRequestBasic(title=given(title), description=given(description), status=given(status))
        path = {"repository": repository, "pull_request": pull_request}
        await self._transport.send(UPDATE_PULL_REQUEST, path, body=body)

    async def merge_pull_request(self, repository: str, pull_request: str) -> MergeResult:
        """Merge the source branch into the destination. Raises BadPullRequestStatus, MergeConflict, NoChanges."""
        path = {"repository": repository, "pull_request": pull_request}
        return await self._transport.call(MERGE_PULL_REQUEST, MergeResult, path)
