# SPDX-License-Identifier: Apache-2.0
"""Tables `reviews` (what people say of a pull request) and `checks` (what programs say of a commit)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import CommitId
from lakehouse.core.records import Check, Review
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId
    from lakehouse.db.port import Database


async def of_pull(db: Database, repository: RepositoryId, pull: str) -> list[Review]:
    """The last word of each reviewer, in order of their names."""
    rows = await db.all(
        "select reviewer, verdict, commit_id, comment, at from reviews where repository = ? and pull = ? "
        "order by reviewer limit 1000",
        (repository, pull),
    )
    return [Review(row[0], row[1], CommitId(row[2]), row[3], row[4]) for row in rows]


def put(repository: RepositoryId, pull: str, review: Review) -> Statement:
    """Say something, in place of what the reviewer said before."""
    return Statement(
        "insert into reviews(repository, pull, reviewer, verdict, commit_id, comment, at) "
        "values (?, ?, ?, ?, ?, ?, ?) on conflict(repository, pull, reviewer) do update set "
        "verdict = excluded.verdict, commit_id = excluded.commit_id, comment = excluded.comment, at = excluded.at",
        (repository, pull, review.reviewer, review.verdict, review.commit, review.comment, review.at),
    )


async def of_commit(db: Database, repository: RepositoryId, commit: CommitId) -> list[Check]:
    """The checks of a commit, in order of their names."""
    rows = await db.all(
        "select name, state, description, actor, at from checks where repository = ? and commit_id = ? "
        "order by name limit 1000",
        (repository, commit),
    )
    return [Check(*row) for row in rows]


def put_check(repository: RepositoryId, commit: CommitId, check: Check) -> Statement:
    """Report a check, in place of what was reported before."""
    return Statement(
        "insert into checks(repository, commit_id, name, state, description, actor, at) values (?, ?, ?, ?, ?, ?, ?) "
        "on conflict(repository, commit_id, name) do update set state = excluded.state, "
        "description = excluded.description, actor = excluded.actor, at = excluded.at",
        (repository, commit, check.name, check.state, check.description, check.actor, check.at),
    )
