# SPDX-License-Identifier: Apache-2.0
"""Compaction: what is staged on a branch becomes a tree of its own, the base, which stands in place of the head's.

What the branch shows, its epoch and the tokens that were handed out stay; reading it is as fast as reading a commit,
and the commit that follows has little left to do. It runs in the background in the branch's turn: writers never wait.
Dying at any step leaves the rows or the base, never both halves.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError, LostRace, NotFound
from lakehouse.meta import refs, repositories, staged_pages, staging
from lakehouse.tree.rank import ranks
from lakehouse.versioning import resolve
from lakehouse.versioning.commits.commit import seal
from lakehouse.versioning.staged.shown_tree import tree_of

if TYPE_CHECKING:
    from lakehouse.core.ids import StagingToken
    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake

DENSE = 32
"""Entries of rewritten leaves for each row, up to which a fold is worth it."""
DELAY = 0.25
"""Seconds between the row that makes a fold worth a look and the look: a commit may be on its way."""
_SAMPLES = 256
_LEAF = 1024
"""Entries of a leaf, about."""
logger = logging.getLogger(__name__)


def staged(lake: Lake, repository: Repository, branch: Branch, rows: int) -> None:
    """To be called after rows were staged: begins a fold in the background when it is time to look."""
    if lake.staged.add(branch.id, rows):
        lake.background.start(_compact_quietly(lake, repository.name, branch))


async def _compact_quietly(lake: Lake, repository: str, branch: Branch) -> None:
    await asyncio.sleep(DELAY)
    try:
        await compact(lake, repository, branch)
    except LakehouseError as error:
        logger.warning("repository %s, branch %s: could not be folded: %s", repository, branch.name, error)


async def compact(lake: Lake, repository: str, branch: Branch, *, anyway: bool = False) -> bool:
    """Fold what is staged into the branch's base if it is large and dense enough, or `anyway`; whether it did.

    A repeat is harmless. Raises DataDamaged, StorageFull, StorageUnavailable, DatabaseUnavailable.
    """
    async with lake.turn(branch.id) as turn:
        try:
            repo, current = await resolve.branch(lake, repository, branch.name)
        except NotFound:
            return False
        if current.id != branch.id:
            return False
        if not (anyway or await _worth_it(lake, repo, current)):
            lake.staged.later(branch.id)
            return False
        taken = await seal(lake, repo, current, turn)
        lake.staged.forget(branch.id)  # what comes from now on counts for the next time
        if not taken:
            return False
        root, _ = await tree_of(lake, repo, current, taken, wanted=lambda: lake.turns.wanted(branch.id))
        try:
            await lake.db.apply(
                repositories.require_unswept(repo),
                refs.set_base(current, None if root == current.root else root, taken=taken),
                *staging.drop(taken, now=lake.now),
                *turn.release(),
            )
        except LostRace:
            return False
        turn.released()
        return True


async def _worth_it(lake: Lake, repository: Repository, branch: Branch) -> bool:
    """Whether the rows are many, and the leaves that they fall into hold no more than `DENSE` entries for each."""
    rows = entries = 0
    for token in (branch.staging_token, *branch.sealed):
        stride, sample = await _sample(lake, token)
        rows += stride * len(sample)
        entries += await _touched(lake, repository, branch, stride, sample)
    return rows >= lake.staged.least and entries <= DENSE * rows


async def _sample(lake: Lake, token: StagingToken) -> tuple[int, list[bytes]]:
    """Each `stride`-th path of a staging area, in order; a few hundred, however many there are."""
    stride, sample = await _sample_of_pages(lake, token)
    after = b""
    if sample:
        return stride, sample
    while (found := await staging.path_after(lake.db, token, after, skip=stride - 1)) is not None:
        sample.append(found)
        after = found
        if len(sample) == 2 * _SAMPLES:
            sample, stride = sample[1::2], 2 * stride
            await asyncio.sleep(0)
    return stride, sample


async def _sample_of_pages(lake: Lake, token: StagingToken) -> tuple[int, list[bytes]]:
    """As `_sample`, of a staging area that has pages: what each begins with, or each second, and so on."""
    sample: list[bytes] = []
    after, seen, paths, stride = b"", 0, 0, 1
    while pages := await staged_pages.firsts(lake.db, token, after, limit=_SAMPLES):
        after = pages[-1][0]
        paths += sum(count for _, count in pages)
        sample += [first for number, (first, _) in enumerate(pages, seen) if number % stride == 0]
        seen += len(pages)
        while len(sample) > 2 * _SAMPLES:
            sample, stride = sample[::2], 2 * stride
    return max(1, paths // max(1, len(sample))), sample


async def _touched(lake: Lake, repository: Repository, branch: Branch, stride: int, sample: list[bytes]) -> int:
    """About how many entries stand in the leaves that the rows fall into: a row rewrites one leaf at most."""
    places = await ranks(lake.tree(repository), branch.tree, sample)
    return sum(min(to - at, stride * _LEAF) for at, to in zip([0, *places], places, strict=False)) + _LEAF
