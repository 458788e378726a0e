# SPDX-License-Identifier: Apache-2.0
"""Deleting a repository on condition that nothing would be lost.

Invariant: an object whose write was acknowledged is never deleted this way. The default branch goes, as empty as it was
seen, in the transaction that marks the repository as deleted; a write that comes beside it finds no branch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import LostRace, RepositoryNotEmpty
from lakehouse.core.records import RefKind, RepositoryState
from lakehouse.meta import refs, repositories, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.objects.listing import Query, list_objects
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.refs.repositories import delete_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.records import Branch, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake


async def delete_emptied(lake: Lake, name: str, *, also: Sequence[Statement] = ()) -> None:
    """Delete a repository whose default branch shows nothing and is the only ref; `also` in the same transaction.

    Raises RepositoryNotFound, ReadOnlyRepository, RepositoryNotEmpty (and then nothing is changed), and what `also`
    refuses with.
    """
    while True:
        repository = await resolve.repository(lake, name)
        require_not_read_only(repository, force=False)
        branch = await _only_branch(lake, repository)
        _, page = await list_objects(lake, name, branch.name, Query(amount=1))
        if page.items:
            raise RepositoryNotEmpty
        try:
            await lake.db.apply(
                repositories.set_state(repository.id, RepositoryState.DELETING),
                *refs.delete_emptied(branch),
                *staging.drop((branch.staging_token, *branch.sealed), now=lake.now),
                *also,
            )
        except LostRace:
            continue
        await delete_repository(lake, name, force=True)
        return


async def _only_branch(lake: Lake, repository: Repository) -> Branch:
    for kind in (RefKind.BRANCH, RefKind.TAG):
        found = await refs.page(lake.db, repository.id, kind, prefix="", after="", hidden=False, limit=2)
        if any(ref.name != repository.default_branch for ref in found):
            raise RepositoryNotEmpty(
                "it has other branches or tags, which would be lost: delete them first, or delete the repository "
                f"{repository.name} as such"
            )
    _, branch = await resolve.branch(lake, repository.name, repository.default_branch)
    return branch
