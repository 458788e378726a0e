# SPDX-License-Identifier: Apache-2.0
"""Where two commits part: their best common ancestor."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from lakehouse.versioning.resolve import get_commit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Commit, Repository
    from lakehouse.versioning.lake import Lake

_LEFT, _RIGHT, _BOTH = 1, 2, 3
_BREATH = 256
"""Commits after which others may run."""


async def merge_base(
    lake: Lake,
    repository: Repository,
    left: Commit,
    right: Commit,
    *,
    known: Mapping[CommitId, Commit] | None = None,
) -> Commit | None:
    """A common ancestor of highest generation; None when there is none. `known`: commits that have not landed yet.

    Commits are visited from the highest generation down, so the first that both sides have reached is one, and no
    commit below it is read. Of several (criss-cross) the one with the greatest id is taken, whichever side asks.
    """
    unlanded = known or {}
    seen: dict[CommitId, int] = {}
    heap: list[tuple[int, str, Commit]] = []

    def reach(commit: Commit, side: int) -> None:
        before = seen.get(commit.id, 0)
        seen[commit.id] = before | side
        if not before:
            heappush(heap, (-commit.generation, descending(commit.id), commit))

    reach(left, _LEFT)
    reach(right, _RIGHT)
    while heap:
        if len(seen) % _BREATH == 0:
            await asyncio.sleep(0)
        _, _, commit = heappop(heap)
        sides = seen[commit.id]
        if sides == _BOTH:
            return commit
        for parent in commit.parents:
            if parent in seen:
                seen[parent] |= sides
            else:
                found = unlanded.get(parent)
                reach(found or await get_commit(lake, repository, parent), sides)
    return None


_DIGITS = str.maketrans("0123456789abcdef", "fedcba9876543210")


def descending(commit_id: CommitId) -> str:
    """A key that sorts ids the other way round."""
    return commit_id.translate(_DIGITS)
