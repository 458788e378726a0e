# SPDX-License-Identifier: Apache-2.0
"""Between refs: history, differences, merges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lakehouse.sdk._async.listing import each
from lakehouse.wire.commits import CommitList
from lakehouse.wire.diffs import DiffList
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, PageQuery
from lakehouse.wire.refs import (
    DIFF_REFS,
    FIND_MERGE_BASE,
    LIST_MERGE_CONFLICTS,
    LOG_COMMITS,
    MERGE_INTO_BRANCH,
    DiffRefsQuery,
    FindMergeBaseResult,
    LogCommitsQuery,
    Merge,
    MergeConflictList,
    MergeResult,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from lakehouse.sdk._async.transport import Transport
    from lakehouse.wire.commits import Commit
    from lakehouse.wire.diffs import Diff
    from lakehouse.wire.refs import GlobStrategy, MergeConflict, Resolution


class Refs:
    """What refs reach, and how they differ."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def log_commits(
        self,
        repository: str,
        ref: str,
        *,
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        objects: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        limit: bool = False,
        first_parent: bool = False,
        since: str = "",
        stop_at: str = "",
    ) -> CommitList:
        """One page of the commits that `ref` reaches, newest first. `since` is RFC 3339."""
        query = LogCommitsQuery(
            after=after,
            amount=amount,
            objects=list(objects),
            prefixes=list(prefixes),
            limit=limit,
            first_parent=first_parent,
            since=since,
            stop_at=stop_at,
        )
        return await self._transport.call(LOG_COMMITS, CommitList, {"repository": repository, "ref": ref}, query=query)

    def each_commit(
        self,
        repository: str,
        ref: str,
        *,
        objects: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        first_parent: bool = False,
        since: str = "",
        stop_at: str = "",
    ) -> AsyncIterator[Commit]:
        """All commits that `ref` reaches, newest first."""

        async def fetch(after: str) -> CommitList:
            return await self.log_commits(
                repository,
                ref,
                after=after,
                amount=MAX_PER_PAGE,
                objects=objects,
                prefixes=prefixes,
                first_parent=first_parent,
                since=since,
                stop_at=stop_at,
            )

        return each(fetch)

    async def diff_refs(
        self,
        repository: str,
        left: str,
        right: str,
        *,
        kind: Literal["two_dot", "three_dot"] = "three_dot",
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        delimiter: str = "",
        include_right_stats: bool = False,
    ) -> DiffList:
        """One page of differences: since both parted (`three_dot`), or from the left tree to the right (`two_dot`)."""
        query = DiffRefsQuery(
            type=kind,
            prefix=prefix,
            after=after,
            amount=amount,
            delimiter=delimiter,
            include_right_stats=include_right_stats,
        )
        path = {"repository": repository, "leftRef": left, "rightRef": right}
        return await self._transport.call(DIFF_REFS, DiffList, path, query=query)

    def each_change(
        self,
        repository: str,
        left: str,
        right: str,
        *,
        kind: Literal["two_dot", "three_dot"] = "three_dot",
        prefix: str = "",
        delimiter: str = "",
    ) -> AsyncIterator[Diff]:
        """All differences."""

        async def fetch(after: str) -> DiffList:
            return await self.diff_refs(
                repository,
                left,
                right,
                kind=kind,
                prefix=prefix,
                after=after,
                amount=MAX_PER_PAGE,
                delimiter=delimiter,
            )

        return each(fetch)

    async def merge_into_branch(
        self,
        repository: str,
        source: str,
        destination: str,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        strategy: str = "",
        squash_merge: bool = False,
        allow_empty: bool = False,
        force: bool = False,
        strategies: Sequence[GlobStrategy] = (),
        resolutions: Sequence[Resolution] = (),
    ) -> MergeResult:
        """Merge a ref into a branch; the id of the merge commit.

        `strategy` settles conflicts: `dest-wins` or `source-wins`; before it the first of `strategies` whose glob
        matches the path, and first of all `resolutions`, which name single paths. Raises MergeConflict, NoChanges,
        DirtyBranch, BranchNotFound, NotInConflict.
        """
        body = Merge(
            message=message,
            metadata=dict(metadata or {}),
            strategy=strategy,
            force=force,
            allow_empty=allow_empty,
            squash_merge=squash_merge,
            strategies=list(strategies),
            resolutions=list(resolutions),
        )
        path = {"repository": repository, "sourceRef": source, "destinationBranch": destination}
        return await self._transport.call(MERGE_INTO_BRANCH, MergeResult, path, body=body)

    async def find_merge_base(self, repository: str, source: str, destination: str) -> FindMergeBaseResult:
        """The commit from which two refs parted."""
        path = {"repository": repository, "sourceRef": source, "destinationBranch": destination}
        return await self._transport.call(FIND_MERGE_BASE, FindMergeBaseResult, path)

    async def list_merge_conflicts(
        self,
        repository: str,
        source: str,
        destination: str,
        *,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
    ) -> MergeConflictList:
        """One page of the paths that would be in conflict if `source` were merged into `destination`."""
        path = {"repository": repository, "sourceRef": source, "destinationBranch": destination}
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_MERGE_CONFLICTS, MergeConflictList, path, query=query)

    def each_conflict(
        self, repository: str, source: str, destination: str, *, prefix: str = ""
    ) -> AsyncIterator[MergeConflict]:
        """All paths that would be in conflict if `source` were merged into `destination`."""

        async def fetch(after: str) -> MergeConflictList:
            return await self.list_merge_conflicts(
                repository, source, destination, prefix=prefix, after=after, amount=MAX_PER_PAGE
            )

        return each(fetch)
