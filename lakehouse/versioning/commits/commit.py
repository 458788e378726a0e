# SPDX-License-Identifier: Apache-2.0
"""Commit: what is staged on a branch becomes a commit on top of its head.

Seal the staging area, apply its rows to the head's tree, then one guarded transaction inserts the commit, moves the
head and lets go of exactly the sealed areas that went in. A crash at any step leaves the old head or the new one;
sealed rows stay readable until they are in a commit. A lost race runs again on the new head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import (
    BranchNotFound,
    DirtyBranch,
    InvalidArgument,
    LostRace,
    NoChanges,
    NotFound,
    OutcomeUnknown,
    StoredObjectNotFound,
)
from lakehouse.core.ids import CommitId, MetaRangeId, StagingToken, is_commit_id
from lakehouse.core.records import Commit
from lakehouse.db.statement import Statement
from lakehouse.format.commit import id_of
from lakehouse.meta import commits, refs, repositories, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.record import keep_record
from lakehouse.versioning.lake import Actor
from lakehouse.versioning.protection import require_writable
from lakehouse.versioning.staged import sweep_guard
from lakehouse.versioning.staged.fold import fold_if_many
from lakehouse.versioning.staged.shown_tree import compared
from lakehouse.versioning.staged.uncommitted import is_dirty
from lakehouse.versioning.state.events import Event, Occasion, Shown, after_commit

if TYPE_CHECKING:
    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.turns import Turn

Note: TypeAlias = Callable[[Commit], Sequence[Statement]]


TREE_VALIDITY = 43_200
"""Seconds for which a tree that no commit has can be made one."""


class CommitRequest(msgspec.Struct, frozen=True):
    """What a commit shall say. `date` in seconds replaces the time of its making."""

    message: str
    metadata: dict[str, str] = {}
    date: int | None = None
    allow_empty: bool = False
    force: bool = False
    source_metarange: str | None = None


async def commit(lake: Lake, repository: str, branch: str, request: CommitRequest, actor: Actor) -> Commit:
    """Commit what is staged. Raises BranchNotFound, NoChanges, ProtectedBranch, ReadOnlyRepository, DirtyBranch,
    HookFailed, InvalidAction.
    """
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=request.force, doing="cannot commit to protected branch")
    watch = lake.hooks.watch(repo, actor)
    wanted = _occasion(seen, request, actor)
    await watch.before(wanted, Shown(seen.tree, (seen.staging_token, *seen.sealed)))
    wanted = msgspec.structs.replace(wanted, event=Event.PRE_COMMIT)
    async with lake.turn(seen.id) as turn:
        head: CommitId | None = None
        mine: tuple[StagingToken, ...] = ()
        while True:
            repo, current = await resolve.branch(lake, repository, branch)
            if current.id != seen.id:
                raise BranchNotFound
            if await sweep_guard.waited(lake, repo):
                continue
            if head is None or (head == current.commit_id and not set(mine) <= set(current.sealed)):
                mine = taken = await seal(lake, repo, current, turn)  # not yet, or what was sealed is folded
            else:
                taken = tuple(token for token in current.sealed if token in mine)
            head = current.commit_id
            hooked = await watch.before(wanted, Shown(current.tree, taken)) or request.source_metarange is not None
            try:
                made, paths = await _build(lake, repo, current, taken, request, actor)
                landing = Landing(made, paths, "commit", actor, watch.note)
                await land(lake, repo, current, [landing], taken=taken, turn=turn)
            except LostRace:
                continue
            lake.staged.forget(current.id)
            done = after_commit(Event.POST_COMMIT, current.name, made)
            watch.after(done, Shown(made.root), present=hooked)
            return made


def _occasion(branch: Branch, request: CommitRequest, actor: Actor) -> Occasion:
    """Before anything is sealed: what hooks stage now is in the commit."""
    return Occasion(
        Event.PREPARE_COMMIT,
        branch=branch.name,
        source_ref=branch.name,
        message=request.message,
        committer=actor.committer,
        metadata=request.metadata,
    )


async def seal(lake: Lake, repository: Repository, branch: Branch, turn: Turn) -> tuple[StagingToken, ...]:
    """Set what is staged aside: the sealed areas of the branch, newest first, which never change from now on.

    Other processes would take them for uncommitted changes, so they wait until the turn ends.
    """
    [rows, *_] = await lake.db.apply(refs.seal(branch.id, StagingToken(random_token())), turn.claim())
    tokens = refs.tokens_of(rows[0][0]) if rows else branch.sealed
    fold_if_many(lake, repository, branch, tokens)
    return tokens


async def _build(
    lake: Lake,
    repository: Repository,
    branch: Branch,
    taken: tuple[StagingToken, ...],
    request: CommitRequest,
    actor: Actor,
) -> tuple[Commit, bytes | None]:
    """The commit of what the branch shows with the sealed areas `taken`, and the filter over its changes."""
    if request.source_metarange is not None:
        root, paths = await _given_tree(lake, repository, branch, request.source_metarange), None
    else:
        found = await compared(lake, repository, branch, taken)
        if not found.changed and not request.allow_empty:
            raise NoChanges("commit: no changes")
        root, paths = found.root, found.paths
    parent = await resolve.get_commit(lake, repository, branch.commit_id)
    made = make(
        parents=(parent,),
        root=root,
        committer=actor.committer,
        message=request.message,
        created=lake.now if request.date is None else request.date,
        metadata=request.metadata,
    )
    return made, paths


async def _given_tree(lake: Lake, repository: Repository, branch: Branch, root: str) -> MetaRangeId:
    if await is_dirty(lake, repository, branch):
        raise DirtyBranch("cannot use source MetaRange on a branch with uncommitted changes")
    if root and not is_commit_id(root):
        raise InvalidArgument(f"source_metarange {root!r}: 64 hex digits: invalid value: validation error")
    if root:
        await _require_kept(lake, repository, MetaRangeId(root))
    return MetaRangeId(root)


async def _require_kept(lake: Lake, repository: Repository, root: MetaRangeId) -> None:
    """A tree of no commit may be garbage, of which a part is deleted, unless it was just made. Raises NotFound."""
    tree = lake.tree(repository)
    try:
        info = await lake.place(repository).store.objects.head(tree.location(root))
    except StoredObjectNotFound as error:
        raise NotFound(f"metarange {root}: not found") from error
    if info.modified < lake.now - TREE_VALIDITY and not await commits.has_root(lake.db, repository.id, root):
        raise NotFound(f"metarange {root}: no commit has it, and it is too old to make one of it: not found")


def make(
    *,
    parents: Sequence[Commit],
    root: MetaRangeId,
    committer: str,
    message: str,
    created: int,
    metadata: dict[str, str],
) -> Commit:
    """A commit value with its id."""
    unnamed = Commit(
        id=CommitId(""),
        parents=tuple(parent.id for parent in parents),
        root=root,
        committer=committer,
        message=message,
        created=created,
        metadata=metadata,
        generation=1 + max((parent.generation for parent in parents), default=0),
    )
    return msgspec.structs.replace(unnamed, id=id_of(unnamed))


class Landing(msgspec.Struct, frozen=True):
    """A commit that is to be a branch's head, the filter over its changes, and whose doing it is.

    `note`: what else is stored with it, or the commit is not; it raises what its statements refuse with.
    """

    commit: Commit
    paths: bytes | None
    operation: str
    actor: Actor
    note: Note | None = None


async def land(
    lake: Lake,
    repository: Repository,
    branch: Branch,
    landings: Sequence[Landing],
    *,
    taken: Sequence[StagingToken],
    turn: Turn,
) -> None:
    """Insert commits, each the child of the one before, and make the last one the branch's head, in one guarded
    transaction. Raises LostRace, OutcomeUnknown.

    `taken` are the sealed areas that leave the branch with it, as its base does: they went in, or change nothing.
    After a lost race the others wait until the turn ends.
    """
    now, last = lake.now, landings[-1]
    transaction = [repositories.require_unswept(repository)]
    transaction += [commits.insert(repository.id, one.commit, one.paths) for one in landings]
    transaction.append(
        refs.move_head(branch, head=last.commit.id, taken=taken, leaves_staging=last.operation == "commit", now=now)
    )
    transaction += staging.drop(taken, now=now)
    old = branch.commit_id
    for one in landings:
        transaction.append(
            refs.log(
                branch.id,
                old=old,
                new=one.commit.id,
                operation=one.operation,
                actor=one.actor.name,
                request=one.actor.request,
                now=now,
            )
        )
        if one.note is not None:
            transaction += one.note(one.commit)
        old = one.commit.id
    try:
        await lake.db.apply(*transaction, *turn.release())
    except LostRace:
        await turn.insist()
        raise
    except OutcomeUnknown:
        if not await refs.was_moved(lake.db, branch.id, old=branch.commit_id, new=landings[0].commit.id):
            raise
    turn.released()
    for one in landings:
        lake.commits.put(repository.id, one.commit)
        keep_record(lake, repository, one.commit, one.paths)
