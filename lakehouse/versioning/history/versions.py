# SPDX-License-Identifier: Apache-2.0
"""The versions of paths: what each commit of a ref's own line (first parents) made of them, newest first.

What is uncommitted on a branch is a version too, without a commit. A page costs one walk through the history, where
commits that changed nothing under the prefix are passed over by their filters, and differences of trees.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import EMPTY_TREE, EntryPath
from lakehouse.core.records import Entry
from lakehouse.format.changed_paths import prefix_probe
from lakehouse.format.entry import unpack
from lakehouse.tree.diff import diff
from lakehouse.versioning import resolve
from lakehouse.versioning.history.ancestors import Ancestors
from lakehouse.versioning.history.log import LogQuery, walk
from lakehouse.versioning.staged import uncommitted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lakehouse.tree.entries import Difference
    from lakehouse.versioning.lake import Lake


class Version(msgspec.Struct, frozen=True):
    """What a commit made of a path: an entry, or None where it was deleted. `commit` is empty for what is uncommitted;
    `created` in seconds.
    """

    path: EntryPath
    commit: str
    entry: Entry | None
    created: int


class _Gathered:
    """Versions by path, of the least paths only: at most so many are asked for."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bound: bytes | None = None
        self._found: dict[bytes, list[Version]] = {}

    def add(self, version: Version) -> bool:
        """Whether paths behind this one may still count."""
        if self._bound is not None and version.path > self._bound:
            return False
        self._found.setdefault(version.path, []).append(version)
        if len(self._found) > 2 * self._limit:
            self._cut()
        return True

    def _cut(self) -> None:
        kept = sorted(self._found)[: self._limit]
        self._bound = kept[-1]
        self._found = {path: self._found[path] for path in kept}

    def page(self) -> list[list[Version]]:
        """Those of each path, in order of path."""
        return [self._found[path] for path in sorted(self._found)[: self._limit]]


async def list_versions(
    lake: Lake, repository: str, ref: str, *, prefix: bytes, start: bytes, paths: int
) -> list[list[Version]]:
    """The versions of up to `paths` paths from `start` on, path by path, newest first.

    Raises RepositoryNotFound, InvalidRef, NotFound.
    """
    gathered = _Gathered(paths)
    shown = await resolve.ref(lake, repository, ref)
    if shown.staging is not None:
        staged = uncommitted.differences(lake, shown.repository, shown.staging, start=start, prefix=prefix)
        await _gather(gathered, staged, commit="", created=lake.now)
    ancestors = Ancestors(lake.db, shown.repository.id)
    tree, probe = lake.tree(shown.repository), prefix_probe(prefix) if prefix else None
    async with aclosing(walk(ancestors, shown.commit_id, LogQuery(first_parent=True))) as history:
        async for commit in history:
            if probe is None or probe(commit.paths):
                before = (await ancestors.look(commit.parents[0])).root if commit.parents else EMPTY_TREE
                changes = diff(tree, before, commit.root, start=start, prefix=prefix)
                await _gather(gathered, changes, commit=commit.id, created=commit.created)
    return gathered.page()


async def _gather(
    gathered: _Gathered,
    changes: AsyncGenerator[list[Difference], None],
    *,
    commit: str,
    created: int,
) -> None:
    async with aclosing(changes) as pages:
        async for page in pages:
            for item in page:
                entry = unpack(item.right) if item.right else None
                if not gathered.add(Version(EntryPath(item.key), commit, entry, created)):
                    return
