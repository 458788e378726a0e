# SPDX-License-Identifier: Apache-2.0
"""What hooks did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.wire.actions import (
    GET_RUN,
    GET_RUN_HOOK_OUTPUT,
    LIST_REPOSITORY_RUNS,
    LIST_RUN_HOOKS,
    ActionRun,
    ActionRunList,
    HookRun,
    HookRunList,
    ListRepositoryRunsQuery,
    ListRunHooksQuery,
)
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport


class Actions:
    """Runs of hooks, and what they left."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_repository_runs(
        self, repository: str, *, branch: str = "", commit: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> ActionRunList:
        """One page of runs, newest first; of a branch or of a commit."""
        query = ListRepositoryRunsQuery(branch=branch, commit=commit, after=after, amount=amount)
        return await self._transport.call(LIST_REPOSITORY_RUNS, ActionRunList, {"repository": repository}, query=query)

    def each_run(self, repository: str, *, branch: str = "", commit: str = "") -> AsyncIterator[ActionRun]:
        """All runs, newest first; of a branch or of a commit."""

        async def fetch(after: str) -> ActionRunList:
            return await self.list_repository_runs(
                repository, branch=branch, commit=commit, after=after, amount=MAX_PER_PAGE
            )

        return each(fetch)

    async def get_run(self, repository: str, run_id: str) -> ActionRun:
        """A run. Raises ActionRunNotFound."""
        return await self._transport.call(GET_RUN, ActionRun, {"repository": repository, "run_id": run_id})

    async def list_run_hooks(
        self, repository: str, run_id: str, *, after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> HookRunList:
        """One page of the hooks of a run. Raises ActionRunNotFound."""
        path = {"repository": repository, "run_id": run_id}
        query = ListRunHooksQuery(after=after, amount=amount)
        return await self._transport.call(LIST_RUN_HOOKS, HookRunList, path, query=query)

    def each_hook_run(self, repository: str, run_id: str) -> AsyncIterator[HookRun]:
        """All hooks of a run."""

        async def fetch(after: str) -> HookRunList:
            return await self.list_run_hooks(repository, run_id, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def get_run_hook_output(self, repository: str, run_id: str, hook_run_id: str) -> bytes:
        """What a hook left: requests, answers, errors. Raises ActionRunNotFound."""
        path = {"repository": repository, "run_id": run_id, "hook_run_id": hook_run_id}
        async with self._transport.streamed(GET_RUN_HOOK_OUTPUT, path) as response:
            return await response.aread()
