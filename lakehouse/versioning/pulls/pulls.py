# SPDX-License-Identifier: Apache-2.0
"""Pull requests: a proposal to merge one branch into another.

The merge and the note that the pull request is merged are one transaction: of two who merge it at once, one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    BadPullRequestStatus,
    InvalidName,
    PullRequestNotFound,
    SameBranch,
)
from lakehouse.core.ids import parse_branch_name
from lakehouse.core.ordered_ids import descending_id, is_ordered_id
from lakehouse.core.records import Page, PullRequest, PullRequestStatus
from lakehouse.meta import pulls
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.merge import MergeRequest, merge_into_branch
from lakehouse.versioning.protection import require_not_read_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.commits.merge import MergeOutcome
    from lakehouse.versioning.lake import Actor, Lake


class PullRequestDraft(msgspec.Struct, frozen=True):
    """What a new pull request shall be."""

    title: str
    source: str
    destination: str
    description: str = ""


class PullRequestChange(msgspec.Struct, frozen=True):
    """What to change of a pull request; None leaves it as it is."""

    title: str | None = None
    description: str | None = None
    status: PullRequestStatus | None = None


async def create_pull_request(lake: Lake, repository: str, draft: PullRequestDraft, actor: Actor) -> PullRequest:
    """Propose a merge. Raises RepositoryNotFound, InvalidName, BranchNotFound, SameBranch, ReadOnlyRepository."""
    source = parse_branch_name(draft.source, argument="src branch")
    destination = parse_branch_name(draft.destination, argument="dest branch")
    repo, _ = await resolve.branch(lake, repository, source)
    await resolve.branch(lake, repository, destination)
    if source == destination:
        raise SameBranch
    require_not_read_only(repo, force=False)
    pull = PullRequest(
        id=descending_id(lake.clock()),
        status=PullRequestStatus.OPEN,
        title=draft.title,
        description=draft.description,
        author=actor.committer,
        source=source,
        destination=destination,
        created=lake.now,
    )
    await lake.db.apply(pulls.insert(repo.id, pull))
    return pull


async def get_pull_request(lake: Lake, repository: str, pull: str) -> PullRequest:
    """Raises RepositoryNotFound, InvalidName (what is no id), PullRequestNotFound."""
    return (await find(lake, repository, pull))[1]


async def find(lake: Lake, repository: str, pull: str) -> tuple[Repository, PullRequest]:
    """As `get_pull_request`, with the repository."""
    if not is_ordered_id(pull):
        raise InvalidName("argument pull_request: pull request id: invalid value: validation error")
    repo = await resolve.repository(lake, repository)
    found = await pulls.find(lake.db, repo.id, pull)
    if found is None:
        raise PullRequestNotFound
    return repo, found


async def list_pull_requests(
    lake: Lake, repository: str, *, statuses: Sequence[PullRequestStatus], prefix: str, after: str, amount: int
) -> Page[PullRequest]:
    """Pull requests in one of `statuses`, newest first. Raises RepositoryNotFound."""
    repo = await resolve.repository(lake, repository)
    found = await pulls.page(lake.db, repo.id, statuses=statuses, prefix=prefix, after=after, limit=amount + 1)
    return Page(tuple(found[:amount]), len(found) > amount)


async def update_pull_request(lake: Lake, repository: str, pull: str, change: PullRequestChange) -> None:
    """Change title, description or status. Raises RepositoryNotFound, PullRequestNotFound, ReadOnlyRepository."""
    repo, _ = await find(lake, repository, pull)
    require_not_read_only(repo, force=False)
    await lake.db.apply(
        pulls.update(
            repo.id,
            pull,
            title=change.title,
            description=change.description,
            status=change.status,
            now=lake.now,
        )
    )


async def merge_pull_request(lake: Lake, repository: str, pull: str, actor: Actor, *, commit: CommitId) -> MergeOutcome:
    """Merge `commit`, which is or was the source branch's head, into the destination and close the pull request, both
    or neither.

    Raises PullRequestNotFound, BadPullRequestStatus, BranchNotFound, NoChanges, MergeConflict, DirtyBranch,
    ReadOnlyRepository.
    """
    repo, found = await find(lake, repository, pull)
    if found.status is not PullRequestStatus.OPEN:
        raise BadPullRequestStatus
    await resolve.branch(lake, repository, found.destination)

    def note(made: Commit) -> list[Statement]:
        return [pulls.merged(repo.id, found.id, commit=made.id, now=lake.now)]

    request = MergeRequest(message=f"Merge '{found.source}' into '{found.destination}'")
    return await merge_into_branch(lake, repository, commit, found.destination, request, actor, note=note)
