# SPDX-License-Identifier: Apache-2.0
"""Tags: create, find, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import TagExists, TagNotFound
from lakehouse.core.ids import parse_tag_name
from lakehouse.core.records import Ref, RefKind
from lakehouse.meta import commits, refs
from lakehouse.versioning import resolve
from lakehouse.versioning.branches import names_a_ref
from lakehouse.versioning.protection import require_active, require_not_read_only

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Lake


async def create_tag(lake: Lake, repository: str, name: str, *, ref: str, force: bool = False) -> Ref:
    """A tag on the commit of `ref`.

    Raises InvalidName, NotFound (the ref), TagExists (also for the name of a branch or a commit), ReadOnlyRepository.
    """
    tag = parse_tag_name(name)
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=force)
    _, commit = await resolve.commit(lake, repository, ref)
    if not set("~^@$") & set(tag) and await names_a_ref(lake, repository, tag):
        raise TagExists
    await lake.db.apply(
        commits.require_active(repo.id, commit.id),
        refs.insert_tag(repo.id, tag, commit_id=commit.id, now=lake.now),
    )
    return Ref(tag, commit.id, RefKind.TAG)


async def get_tag(lake: Lake, repository: str, name: str) -> Ref:
    """Raises RepositoryNotFound, TagNotFound."""
    found = await refs.find(lake.db, repository, name)
    require_active(found.repository)
    if found.tag is None:
        raise TagNotFound
    return Ref(name, found.tag, RefKind.TAG)


async def delete_tag(lake: Lake, repository: str, name: str, *, force: bool = False) -> None:
    """Raises RepositoryNotFound, TagNotFound, ReadOnlyRepository."""
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=force)
    await lake.db.apply(refs.delete_tag(repo.id, name))
