# SPDX-License-Identifier: Apache-2.0
"""Reset: take back what is uncommitted, all of it or by path; and hard reset, which moves the head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.clock import random_token
from lakehouse.core.errors import BranchNotFound, LostRace
from lakehouse.core.ids import StagingToken
from lakehouse.core.paths import after_prefix, successor
from lakehouse.meta import refs, staging
from lakehouse.tree.lookup import lookup_many
from lakehouse.versioning import changes, resolve
from lakehouse.versioning.protection import require_writable

if TYPE_CHECKING:
    from lakehouse.core.ids import CommitId, EntryPath
    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Actor, Lake


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
        restored = await _restored(lake, repo, seen, start, end)
        put = [staging.put_many(seen.id, restored)] if restored else []
        try:
            await lake.db.apply(refs.require_version(seen), staging.remove_range(seen.id, start=start, end=end), *put)
        except LostRace:
            continue
        return


async def _restored(
    lake: Lake, repository: Repository, branch: Branch, start: bytes, end: bytes | None
) -> list[tuple[bytes, bytes]]:
    """Rows that hide what sealed areas hold in the range: the head's entries, or tombstones."""
    if not branch.sealed:
        return []
    tree = lake.tree(repository)
    rows = []
    async for page in changes.rows(lake.db, branch.sealed, start=start, end=end):
        paths = [path for path, _ in page]
        heads = await lookup_many(tree, branch.root, paths)
        rows += [(path, head or staging.TOMBSTONE) for path, head in zip(paths, heads, strict=True)]
    return rows


async def hard_reset_branch(
    lake: Lake, repository: str, branch: str, *, ref: str, actor: Actor, force: bool = False
) -> CommitId:
    """Make the commit of `ref` the branch's head; what is uncommitted stays on top of it.

    The ref is read while the branch cannot be moved, so `branch~` is exact. Raises NotFound, ProtectedBranch.
    """
    _, seen = await resolve.branch(lake, repository, branch)
    async with lake.turns.of(seen.id):
        while True:
            repo, current = await resolve.branch(lake, repository, branch)
            if current.id != seen.id:
                raise BranchNotFound
            await require_writable(lake, repo, current.name, force=force)
            _, target = await resolve.commit(lake, repository, ref)
            try:
                await lake.db.apply(
                    refs.move_head(current, head=target.id, taken=(), leaves_staging=False, now=lake.now),
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
                continue
            return target.id
