# SPDX-License-Identifier: Apache-2.0
"""Schema 5: what hooks did.

Times are milliseconds since 1970. A run is written when it has ended; ids count the time down, so that the newest run
comes first. `commit_id` is "" until the commit that the run was asked about is made.
"""

from __future__ import annotations

NAME = "0005_actions"

DDL = (
    """create table action_runs (
        repository {int} not null,
        id {text} not null,
        event {text} not null,
        branch {text} not null,
        commit_id {text} not null,
        started {int} not null,
        ended {int} not null,
        passed {int} not null,
        primary key (repository, id)
    ) {clustered}""",
    "create index action_runs_branch on action_runs (repository, branch, id)",
    "create index action_runs_commit on action_runs (repository, commit_id, id)",
    """create table hook_runs (
        repository {int} not null,
        run {text} not null,
        id {text} not null,
        action {text} not null,
        hook {text} not null,
        status {text} not null,
        started {int} not null,
        ended {int},
        output {blob} not null,
        primary key (repository, run, id)
    ) {clustered}""",
)
