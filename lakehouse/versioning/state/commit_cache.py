# SPDX-License-Identifier: Apache-2.0
"""Commits read lately: they never change, so what is cached stays right for ever.

Walks over history, like the search for a merge base, ask for the same commits again and again. The key holds the
repository, whose id is never used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId, RepositoryId
    from lakehouse.core.records import Commit

MOST = 10_000
HEAVIEST = 1000
"""Characters of message and metadata from which on a commit is not kept."""


class CommitCache:
    """Commits by (repository, id). Full, it begins anew."""

    def __init__(self) -> None:
        self._commits: dict[tuple[RepositoryId, CommitId], Commit] = {}

    def get(self, repository: RepositoryId, commit: CommitId) -> Commit | None:
        """The commit; None when it is not held."""
        return self._commits.get((repository, commit))

    def put(self, repository: RepositoryId, commit: Commit) -> None:
        """Keep a commit that is in the database."""
        if len(commit.message) + sum(len(key) + len(value) for key, value in commit.metadata.items()) > HEAVIEST:
            return
        if len(self._commits) >= MOST:
            self._commits.clear()
        self._commits[repository, commit.id] = commit
