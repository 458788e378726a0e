# SPDX-License-Identifier: Apache-2.0
"""What hooks did: runs, their hooks, and what these left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import ActionRunNotFound, InvalidArgument
from lakehouse.core.records import Page
from lakehouse.meta import action_runs
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from lakehouse.core.records import Repository
    from lakehouse.meta.action_runs import ActionRun, HookRun
    from lakehouse.versioning.lake import Lake


async def list_repository_runs(
    lake: Lake, repository: str, *, branch: str, commit: str, after: str, amount: int
) -> Page[ActionRun]:
    """Runs, newest first; of a branch or of a commit. Raises RepositoryNotFound, InvalidArgument for both at once."""
    repo = await resolve.repository(lake, repository)
    if branch and commit:
        raise InvalidArgument("branch and commit: parameters conflict")
    found = await action_runs.page(lake.db, repo.id, branch=branch, commit=commit, after=after, limit=amount + 1)
    return Page(tuple(found[:amount]), len(found) > amount)


async def get_run(lake: Lake, repository: str, run: str) -> ActionRun:
    """Raises RepositoryNotFound, ActionRunNotFound."""
    return (await _find(lake, repository, run))[1]


async def list_run_hooks(lake: Lake, repository: str, run: str, *, after: str, amount: int) -> Page[HookRun]:
    """The hooks of a run, in their order. Raises RepositoryNotFound, ActionRunNotFound."""
    repo, _ = await _find(lake, repository, run)
    found = await action_runs.hooks(lake.db, repo.id, run, after=after, limit=amount + 1)
    return Page(tuple(found[:amount]), len(found) > amount)


async def get_run_hook_output(lake: Lake, repository: str, run: str, hook_run: str) -> bytes:
    """What a hook left; nothing of a skipped one. Raises RepositoryNotFound, ActionRunNotFound."""
    repo = await resolve.repository(lake, repository)
    found = await action_runs.output(lake.db, repo.id, run, hook_run)
    if found is None:
        raise ActionRunNotFound
    return found


async def _find(lake: Lake, repository: str, run: str) -> tuple[Repository, ActionRun]:
    repo = await resolve.repository(lake, repository)
    found = await action_runs.find(lake.db, repo.id, run)
    if found is None:
        raise ActionRunNotFound
    return repo, found
