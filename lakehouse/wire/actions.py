# SPDX-License-Identifier: Apache-2.0
"""What hooks did: runs, their hooks and outputs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import REPOSITORY, Operation, need
from lakehouse.wire.paging import DEFAULT_AMOUNT, Amount, Pagination

_READ = need("ci:ReadAction", REPOSITORY)
_RUNS = "/repositories/{repository}/actions/runs"
_RUN = _RUNS + "/{run_id}"


class ActionRun(msgspec.Struct, frozen=True, kw_only=True):
    """All hooks of one event. `commit_id` is "" where no commit came of it, or is not meant."""

    run_id: str
    branch: str
    start_time: datetime
    end_time: datetime | UnsetType = UNSET
    event_type: str
    status: Literal["failed", "completed"]
    commit_id: str


class ActionRunList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[ActionRun]


class HookRun(msgspec.Struct, frozen=True, kw_only=True):
    """One hook of a run. A skipped one has no end, and begins in the year 1."""

    hook_run_id: str
    action: str
    hook_id: str
    start_time: datetime
    end_time: datetime | UnsetType = UNSET
    status: Literal["failed", "completed", "skipped"]


class HookRunList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[HookRun]


class ListRunHooksQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    after: str = ""
    amount: Amount = DEFAULT_AMOUNT

    @property
    def limit(self) -> int:
        """How many items are wanted: 0 and -1 mean the default."""
        return self.amount if self.amount > 0 else DEFAULT_AMOUNT


class ListRepositoryRunsQuery(ListRunHooksQuery, frozen=True, kw_only=True, omit_defaults=True):
    """Runs of a branch, or of a commit; not both."""

    branch: str = ""
    commit: str = ""


LIST_REPOSITORY_RUNS = Operation(
    name="list_repository_runs",
    id="listRepositoryRuns",
    method="GET",
    path=_RUNS,
    tag="actions",
    summary="List the runs of hooks, newest first",
    allow=_READ,
    query=ListRepositoryRunsQuery,
    result=ActionRunList,
)
GET_RUN = Operation(
    name="get_run",
    id="getRun",
    method="GET",
    path=_RUN,
    tag="actions",
    summary="Get a run of hooks",
    allow=_READ,
    result=ActionRun,
)
LIST_RUN_HOOKS = Operation(
    name="list_run_hooks",
    id="listRunHooks",
    method="GET",
    path=_RUN + "/hooks",
    tag="actions",
    summary="List the hooks of a run",
    allow=_READ,
    query=ListRunHooksQuery,
    result=HookRunList,
)
GET_RUN_HOOK_OUTPUT = Operation(
    name="get_run_hook_output",
    id="getRunHookOutput",
    method="GET",
    path=_RUN + "/hooks/{hook_run_id}/output",
    tag="actions",
    summary="Get what a hook left: requests, answers, errors",
    allow=_READ,
    raw_result=True,
)

OPERATIONS = (LIST_REPOSITORY_RUNS, GET_RUN, LIST_RUN_HOOKS, GET_RUN_HOOK_OUTPUT)
