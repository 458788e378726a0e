# SPDX-License-Identifier: Apache-2.0
"""Branches: create, find, list, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import BranchExists, CommitExpired, DefaultBranchDeletion, LostRace, NotFound
from lakehouse.core.ids import StagingToken, is_commit_prefix, parse_branch_name
from lakehouse.core.records import NOBODY, Page, Ref, RefKind
from lakehouse.meta import commits, refs, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.state.events import Event, Occasion, Shown

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.events import Watch

SHORTEST_COMMIT = 7
"""Hex digits from which on a new name counts as the beginning of a commit id."""


async def create_branch(
    lake: Lake, repository: str, name: str, *, source: str, actor: Actor, hidden: bool = False, force: bool = False
) -> CommitId:
    """A branch whose head is the commit of `source`; what is uncommitted there stays there.

    Raises InvalidName, NotFound (the source), BranchExists (also for the name of a tag or a commit),
    ReadOnlyRepository, HookFailed, InvalidAction.
    """
    branch = parse_branch_name(name)
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=force)
    _, head = await resolve.commit(lake, repository, source)
    if await names_a_ref(lake, repository, name):
        raise BranchExists
    watch, files = lake.hooks.watch(repo, actor), Shown(head.root)
    occasion = Occasion(Event.PRE_CREATE_BRANCH, branch=branch, source_ref=source, committer=actor.committer)
    await watch.before(occasion, files)
    await lake.db.apply(
        commits.require_active(repo.id, head.id),
        refs.insert_branch(
            repo.id, branch, commit_id=head.id, token=StagingToken(random_token()), hidden=hidden, now=lake.now
        ),
        refs.log_by_name(
            repo.id, branch, new=head.id, operation="create", actor=actor.name, request=actor.request, now=lake.now
        ),
    )
    watch.after(msgspec.structs.replace(occasion, event=Event.POST_CREATE_BRANCH, source_ref=head.id), files)
    return head.id


async def names_a_ref(lake: Lake, repository: str, name: str) -> bool:
    """Whether a branch, a tag or a commit answers to a name.

    A few hex digits that happen to begin a commit's id (`e2e`, `abc`) do not count: whether a name can be used must
    not hang on chance.
    """
    if len(name) < SHORTEST_COMMIT and is_commit_prefix(name):
        found = await refs.find(lake.db, repository, name)
        return found.branch is not None or found.tag is not None
    try:
        await resolve.ref(lake, repository, name)
    except NotFound:
        return False
    except CommitExpired:
        return True
    return True


async def get_branch(lake: Lake, repository: str, name: str) -> Ref:
    """Raises RepositoryNotFound, BranchNotFound."""
    parse_branch_name(name)
    _, branch = await resolve.branch(lake, repository, name)
    return Ref(branch.name, branch.commit_id, RefKind.BRANCH)


async def list_branches(
    lake: Lake, repository: str, *, prefix: str, after: str, amount: int, hidden: bool = False
) -> Page[Ref]:
    """Branches in order of name; hidden ones only when asked for."""
    return await _list(lake, repository, RefKind.BRANCH, prefix=prefix, after=after, amount=amount, hidden=hidden)


async def list_tags(lake: Lake, repository: str, *, prefix: str, after: str, amount: int) -> Page[Ref]:
    """Tags in order of name."""
    return await _list(lake, repository, RefKind.TAG, prefix=prefix, after=after, amount=amount, hidden=True)


async def _list(
    lake: Lake, repository: str, kind: RefKind, *, prefix: str, after: str, amount: int, hidden: bool
) -> Page[Ref]:
    repo = await resolve.repository(lake, repository)
    found = await refs.page(lake.db, repo.id, kind, prefix=prefix, after=after, hidden=hidden, limit=amount + 1)
    return Page(tuple(found[:amount]), len(found) > amount)


async def delete_branch(lake: Lake, repository: str, name: str, *, actor: Actor = NOBODY, force: bool = False) -> None:
    """Remove a branch with what is uncommitted on it; commits stay.

    Raises BranchNotFound, DefaultBranchDeletion, ReadOnlyRepository, HookFailed, InvalidAction.
    """
    watch: Watch | None = None
    while True:
        repo, branch = await resolve.branch(lake, repository, name)
        require_not_read_only(repo, force=force)
        if branch.name == repo.default_branch:
            raise DefaultBranchDeletion
        watch, files = watch or lake.hooks.watch(repo, actor), Shown(branch.root)
        occasion = Occasion(Event.PRE_DELETE_BRANCH, branch=branch.name, source_ref=branch.commit_id)
        await watch.before(occasion, files)
        try:
            await lake.db.apply(
                refs.delete_branch(branch),
                *staging.drop((branch.staging_token, *branch.sealed), now=lake.now),
            )
        except LostRace:
            continue
        watch.after(msgspec.structs.replace(occasion, event=Event.POST_DELETE_BRANCH), files)
        return
