# SPDX-License-Identifier: Apache-2.0
"""Commits of one history, read ahead: a walk asks for parents one by one, the database is asked for long stretches.

First parents are read ahead, and the stretch doubles as long as the walk follows them; so a side branch of one commit
costs few rows, and a history of thousands a few statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import CommitNotFound
from lakehouse.meta import commits

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId, RepositoryId
    from lakehouse.db.port import Database
    from lakehouse.meta.commits import Ancestor

LEAST, MOST = 8, 1024
"""Commits of a stretch."""


class Ancestors:
    """Commits of a repository, each usually asked for once: `get` does not keep what it gives."""

    def __init__(self, db: Database, repository: RepositoryId) -> None:
        self._db = db
        self._repository = repository
        self._ahead: dict[CommitId, Ancestor] = {}
        self._width: dict[CommitId, int] = {}

    async def get(self, commit_id: CommitId) -> Ancestor:
        """Raises CommitNotFound."""
        found = self._ahead.pop(commit_id, None)
        if found is None:
            await self._read(commit_id)
            found = self._ahead.pop(commit_id)
        return found

    async def look(self, commit_id: CommitId) -> Ancestor:
        """As `get`, of a commit that will be asked for again."""
        if commit_id not in self._ahead:
            await self._read(commit_id)
        return self._ahead[commit_id]

    async def _read(self, commit_id: CommitId) -> None:
        width = self._width.pop(commit_id, LEAST)
        chain = await commits.first_parents(self._db, self._repository, commit_id, limit=width)
        if not chain:
            raise CommitNotFound
        self._ahead |= {one.id: one for one in chain}
        if len(chain) == width and chain[-1].parents:
            self._width[chain[-1].parents[0]] = min(2 * width, MOST)
