# SPDX-License-Identifier: Apache-2.0
"""Where a branch's head has been: every move of it, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidArgument
from lakehouse.core.records import Page
from lakehouse.meta import reflog
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from lakehouse.meta.reflog import Move
    from lakehouse.versioning.lake import Lake


async def list_reflog(lake: Lake, repository: str, branch: str, *, after: str, amount: int) -> Page[Move]:
    """A page of moves; `after` is the number of the last one of the page before, "" for the first page.

    Raises RepositoryNotFound, BranchNotFound, InvalidArgument.
    """
    if after and not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise InvalidArgument("argument after: not the number of a move: invalid value: validation error")
    _, found = await resolve.branch(lake, repository, branch)
    moves = await reflog.page(lake.db, found.id, before=int(after) if after else None, limit=amount + 1)
    return Page(tuple(moves[:amount]), len(moves) > amount)
