# SPDX-License-Identifier: Apache-2.0
"""Tags: create, find, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import TagExists, TagNotFound
from lakehouse.core.ids import EMPTY_TREE, parse_tag_name
from lakehouse.core.records import NOBODY, Ref, RefKind
from lakehouse.meta import commits, refs
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_active, require_not_read_only
from lakehouse.versioning.refs.branches import names_a_ref
from lakehouse.versioning.state.events import Event, Occasion, Shown

if TYPE_CHECKING:
    from lakehouse.versioning.lake import Actor, Lake


async def create_tag(
    lake: Lake, repository: str, name: str, *, ref: str, actor: Actor = NOBODY, force: bool = False
) -> Ref:
    """A tag on the commit of `ref`.

    Raises InvalidName, NotFound (the ref), TagExists (also for the name of a branch or a commit), ReadOnlyRepository,
    HookFailed, InvalidAction.
    """
    tag = parse_tag_name(name)
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=force)
    _, commit = await resolve.commit(lake, repository, ref)
    if not set("~^@$") & set(tag) and await names_a_ref(lake, repository, tag):
        raise TagExists
    watch, files = lake.hooks.watch(repo, actor), Shown(commit.root)
    occasion = Occasion(Event.PRE_CREATE_TAG, tag=tag, source_ref=commit.id, commit_id=commit.id)
    await watch.before(occasion, files)
    await lake.db.apply(
        commits.require_active(repo.id, commit.id),
        refs.insert_tag(repo.id, tag, commit_id=commit.id, now=lake.now),
    )
    watch.after(msgspec.structs.replace(occasion, event=Event.POST_CREATE_TAG), files)
    return Ref(tag, commit.id, RefKind.TAG)


async def get_tag(lake: Lake, repository: str, name: str) -> Ref:
    """Raises RepositoryNotFound, TagNotFound."""
    found = await refs.find(lake.db, repository, name)
    require_active(found.repository)
    if found.tag is None:
        raise TagNotFound
    return Ref(name, found.tag, RefKind.TAG)


async def delete_tag(lake: Lake, repository: str, name: str, *, actor: Actor = NOBODY, force: bool = False) -> None:
    """Raises RepositoryNotFound, TagNotFound, ReadOnlyRepository, HookFailed, InvalidAction."""
    found = await refs.find(lake.db, repository, name)
    repo = found.repository
    require_active(repo)
    require_not_read_only(repo, force=force)
    if found.tag is None:
        raise TagNotFound
    watch, files = lake.hooks.watch(repo, actor), Shown(found.tag_root or EMPTY_TREE)
    occasion = Occasion(Event.PRE_DELETE_TAG, tag=name, source_ref=found.tag, commit_id=found.tag)
    await watch.before(occasion, files)
    await lake.db.apply(refs.delete_tag(repo.id, name))
    watch.after(msgspec.structs.replace(occasion, event=Event.POST_DELETE_TAG), files)
