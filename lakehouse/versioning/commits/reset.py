# SPDX-License-Identifier: Apache-2.0
"""Reset: take back what is uncommitted, all of it or by path; and hard reset, which moves the head."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from lakehouse.core.clock import random_token
from lakehouse.core.errors import BranchNotFound, LostRace
from lakehouse.core.ids import StagingToken
from lakehouse.core.paths import after_prefix, successor
from lakehouse.meta import commits, refs, repositories, staging
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup_many
from lakehouse.versioning import resolve
from lakehouse.versioning.protection import require_writable
from lakehouse.versioning.staged import changes, sweep_guard
from lakehouse.versioning.staged.fold import DEADLINE, fold_if_many
from lakehouse.versioning.staged.shown_tree import rebased

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from lakehouse.core.ids import CommitId, EntryPath
    from lakehouse.core.records import Branch, Repository
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Actor, Lake

AT_ONCE = 1000
"""Restored rows that still go in one transaction."""


async def reset_branch(lake: Lake, repository: str, branch: str, *, force: bool = False) -> None:
    """Forget everything uncommitted. Raises BranchNotFound, ProtectedBranch, ReadOnlyRepository."""
    while True:
        repo, seen = await resolve.branch(lake, repository, branch)
        await require_writable(lake, repo, seen.name, force=force)
        try:
            await lake.db.apply(
                refs.drop_staging(seen, StagingToken(random_token()), now=lake.now),
                *staging.drop((seen.staging_token, *seen.sealed), now=lake.now),
            )
        except LostRace:
            continue
        lake.staged.forget(seen.id)
        return


async def reset_object(lake: Lake, repository: str, branch: str, path: EntryPath, *, force: bool = False) -> None:
    """Take back what is uncommitted at one path; nothing happens when nothing is. Raises as `reset_branch`."""
    await _reset_paths(lake, repository, branch, start=path, end=successor(path), force=force)


async def reset_prefix(lake: Lake, repository: str, branch: str, prefix: bytes, *, force: bool = False) -> None:
    """Take back what is uncommitted at every path that begins with `prefix`. Raises as `reset_branch`."""
    await _reset_paths(lake, repository, branch, start=prefix, end=after_prefix(prefix), force=force)


async def _reset_paths(
    lake: Lake, repository: str, branch: str, *, start: bytes, end: bytes | None, force: bool
) -> None:
    while True:
        repo, seen = await resolve.branch(lake, repository, branch)
        await require_writable(lake, repo, seen.name, force=force)
        try:
            await _restore(lake, repo, seen, start, end)
        except LostRace:
            continue
        return


async def _restore(lake: Lake, repository: Repository, branch: Branch, start: bytes, end: bytes | None) -> None:
    """Take back the rows of the current staging area, and hide with the head's entries, or tombstones, what sealed
    areas and the base hold. Many such rows go under a token of their own, which one guarded change shows.
    """
    guard = [refs.require_version(branch), staging.remove_range(branch.id, start=start, end=end)]
    private: StagingToken | None = None
    rows: list[changes.Row] = []
    async with aclosing(_restored(lake, repository, branch, start, end)) as pages:
        async for page in pages:
            rows += page
            if len(rows) > AT_ONCE:
                private = private or await _reserved(lake)
                await lake.db.apply(*staging.put_many_under(private, rows))
                rows = []
    if private is None:
        await lake.db.apply(*guard, *staging.put_many(branch.id, rows))
        return
    fresh = StagingToken(random_token())
    try:
        await lake.db.apply(*staging.put_many_under(private, rows))
        [_, _, [shown], _] = await lake.db.apply(
            *guard,
            staging.publish(branch.id, [private], fresh=fresh, epoch=None),
            staging.keep(private, now=lake.now),
        )
    except LostRace:
        await lake.db.apply(staging.abandon(private, now=lake.now))
        raise
    fold_if_many(lake, repository, branch, refs.tokens_of(shown[0]))


async def _reserved(lake: Lake) -> StagingToken:
    token = StagingToken(random_token())
    await lake.db.apply(staging.reserve(token, until=lake.now + DEADLINE))
    return token


async def _restored(
    lake: Lake, repository: Repository, branch: Branch, start: bytes, end: bytes | None
) -> AsyncGenerator[list[changes.Row], None]:
    """Pages of the head's entries, or tombstones, at every path of the range that sealed areas or the base hold."""
    tree = lake.tree(repository)
    below: list[AsyncGenerator[Sequence[changes.Row], None]] = []
    if branch.sealed:
        below.append(changes.rows(lake.db, branch.sealed, start=start, end=end))
    if branch.base is not None:
        below.append(_of_base(tree, branch, start, end))
    async with aclosing(changes.overlaid(below)) as pages:
        async for page in pages:
            paths = [path for path, _ in page]
            heads = await lookup_many(tree, branch.root, paths)
            yield [(path, head or staging.TOMBSTONE) for path, head in zip(paths, heads, strict=True)]


async def _of_base(
    tree: NodeStore, branch: Branch, start: bytes, end: bytes | None
) -> AsyncGenerator[list[changes.Row], None]:
    """What the base changes in the range, whose paths all begin with `start`."""
    async with aclosing(diff(tree, branch.root, branch.tree, prefix=start)) as pages:
        async for page in pages:
            found = [(item.key, item.right or staging.TOMBSTONE) for item in page if end is None or item.key < end]
            if found:
                yield found


async def hard_reset_branch(
    lake: Lake, repository: str, branch: str, *, ref: str, actor: Actor, force: bool = False
) -> CommitId:
    """Make the commit of `ref` the branch's head; what is uncommitted stays on top of it.

    The ref is read while the branch cannot be moved, so `branch~` is exact. Raises NotFound, ProtectedBranch.
    """
    _, seen = await resolve.branch(lake, repository, branch)
    async with lake.turn(seen.id) as turn:
        while True:
            repo, current = await resolve.branch(lake, repository, branch)
            if current.id != seen.id:
                raise BranchNotFound
            await require_writable(lake, repo, current.name, force=force)
            _, target = await resolve.commit(lake, repository, ref)
            if await sweep_guard.waited(lake, repo):
                continue
            base = await rebased(lake, repo, current, target.root)
            try:
                await lake.db.apply(
                    commits.require_active(repo.id, target.id),
                    repositories.require_unswept(repo),
                    refs.move_head(current, head=target.id, taken=(), leaves_staging=False, now=lake.now, base=base),
                    refs.log(
                        current.id,
                        old=current.commit_id,
                        new=target.id,
                        operation="hard_reset",
                        actor=actor.name,
                        request=actor.request,
                        now=lake.now,
                    ),
                )
            except LostRace:
                await turn.insist()
                continue
            return target.id
