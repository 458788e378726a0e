# SPDX-License-Identifier: Apache-2.0
"""Table `pulls`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import BadPullRequestStatus, PullRequestNotFound
from lakehouse.core.records import PullRequest, PullRequestStatus
from lakehouse.db.statement import Statement
from lakehouse.meta.repositories import TOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import CommitId, RepositoryId
    from lakehouse.db.port import Database, Row

_COLUMNS = "id, status, title, description, author, source, destination, created, closed, merged_commit"


def _pull(row: Row) -> PullRequest:
    return PullRequest(
        id=row[0],
        status=PullRequestStatus(row[1]),
        title=row[2],
        description=row[3],
        author=row[4],
        source=row[5],
        destination=row[6],
        created=row[7],
        closed=row[8],
        merged_commit=row[9],
    )


async def find(db: Database, repository: RepositoryId, pull: str) -> PullRequest | None:
    """The pull request of this id."""
    row = await db.one(f"select {_COLUMNS} from pulls where repository = ? and id = ?", (repository, pull))
    return None if row is None else _pull(row)


async def page(
    db: Database,
    repository: RepositoryId,
    *,
    statuses: Sequence[PullRequestStatus],
    prefix: str,
    after: str,
    limit: int,
) -> list[PullRequest]:
    """Pull requests in order of id, newest first, after `after`, that are in one of `statuses`."""
    marks = ", ".join("?" * len(statuses))
    rows = await db.all(
        f"select {_COLUMNS} from pulls where repository = ? and id {'>=' if prefix > after else '>'} ? and id < ? "
        f"and status in ({marks}) order by id limit ?",
        (repository, max(prefix, after), prefix + TOP, *[status.value for status in statuses], limit),
    )
    return [_pull(row) for row in rows]


def insert(repository: RepositoryId, pull: PullRequest) -> Statement:
    """Add a pull request."""
    return Statement(
        f"insert into pulls(repository, {_COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            repository,
            pull.id,
            pull.status.value,
            pull.title,
            pull.description,
            pull.author,
            pull.source,
            pull.destination,
            pull.created,
            pull.closed,
            pull.merged_commit,
        ),
    )


def update(
    repository: RepositoryId,
    pull: str,
    *,
    title: str | None,
    description: str | None,
    status: PullRequestStatus | None,
    now: int,
) -> Statement:
    """Change what is given. A status other than open notes when it was set. Raises PullRequestNotFound."""
    return Statement(
        "update pulls set title = coalesce(?, title), description = coalesce(?, description), "
        "closed = case when cast(? as integer) = 1 then ? when cast(? as integer) = 1 then null else closed end, "
        "status = coalesce(?, status) where repository = ? and id = ?",
        (
            title,
            description,
            int(status not in (None, PullRequestStatus.OPEN)),
            now,
            int(status is PullRequestStatus.OPEN),
            None if status is None else status.value,
            repository,
            pull,
        ),
        rows=1,
        otherwise=PullRequestNotFound(),
    )


def merged(repository: RepositoryId, pull: str, *, commit: CommitId, now: int) -> Statement:
    """Note in the transaction of a merge that it was this pull request's. Raises BadPullRequestStatus unless open."""
    return Statement(
        "update pulls set status = 'merged', merged_commit = ?, closed = ? "
        "where repository = ? and id = ? and status = 'open'",
        (commit, now, repository, pull),
        rows=1,
        otherwise=BadPullRequestStatus(),
    )


def forget_all(repository: RepositoryId) -> list[Statement]:
    """Remove everything about the pull requests of a repository."""
    return [
        Statement("delete from reviews where repository = ?", (repository,)),
        Statement("delete from checks where repository = ?", (repository,)),
        Statement("delete from pulls where repository = ?", (repository,)),
    ]
