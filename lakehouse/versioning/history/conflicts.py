# SPDX-License-Identifier: Apache-2.0
"""The conflicts that a merge would have, page by page, without merging.

They are found as the merge finds them: among what the source changed since both parted, by identity.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import EntryPath
from lakehouse.core.records import Entry, Page
from lakehouse.format.entry import same_or_absent, unpack
from lakehouse.tree.diff import diff
from lakehouse.tree.lookup import lookup_many
from lakehouse.versioning.commits.merge import find_merge_base
from lakehouse.versioning.resolve import repository as find_repository

if TYPE_CHECKING:
    from lakehouse.core.records import Repository
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.objects.listing import Query


class PathConflict(msgspec.Struct, frozen=True):
    """What the three commits have at a path that both sides changed differently; None where it is absent."""

    path: EntryPath
    base: Entry | None
    source: Entry | None
    destination: Entry | None


async def list_merge_conflicts(
    lake: Lake, repository: str, source: str, destination: str, query: Query
) -> tuple[Repository, Page[PathConflict]]:
    """A page of the paths at which merging `source` into `destination` would conflict. O(changes of the source).

    Both are taken as commits: nothing uncommitted counts. The delimiter of the query has no meaning. Raises
    RepositoryNotFound, InvalidRef, StagingIsNotCommit, NotFound, NoMergeBase.
    """
    repo = await find_repository(lake, repository)
    theirs, ours, base = await find_merge_base(lake, repository, source, destination)
    start, tree = query.start, lake.tree(repo)
    found: list[PathConflict] = []
    if start is None or ours.root == base.root:
        return repo, Page(())
    async with aclosing(diff(tree, base.root, theirs.root, start=start, prefix=query.prefix)) as pages:
        async for page in pages:
            here = await lookup_many(tree, ours.root, [change.key for change in page])
            for change, mine in zip(page, here, strict=True):
                if same_or_absent(mine, change.left) or same_or_absent(mine, change.right):
                    continue
                if len(found) == query.amount:
                    return repo, Page(tuple(found), has_more=True)
                found.append(
                    PathConflict(EntryPath(change.key), _entry(change.left), _entry(change.right), _entry(mine))
                )
    return repo, Page(tuple(found))


def _entry(packed: bytes | None) -> Entry | None:
    return None if packed is None else unpack(packed)
