# SPDX-License-Identifier: Apache-2.0
"""Schema 4: pull requests, tasks that outlive their requests, and what garbage collection has found.

Times are seconds since 1970, `tasks.updated` milliseconds. Branches of a pull request are names: it is about whatever
has the name. A task is `running` while somebody holds its lease (`owner`, up to `until`), and may be taken over
afterwards. `gc_candidates` are keys below a repository's namespace that a mark found unreferenced, with the time of
the first mark that did.
"""

from __future__ import annotations

NAME = "0004_work"

DDL = (
    """create table pulls (
        repository {int} not null,
        id {text} not null,
        status {text} not null,
        title {text} not null,
        description {text} not null,
        author {text} not null,
        source {text} not null,
        destination {text} not null,
        created {int} not null,
        closed {int},
        merged_commit {text},
        primary key (repository, id)
    ) {clustered}""",
    """create table reviews (
        repository {int} not null,
        pull {text} not null,
        reviewer {text} not null,
        verdict {text} not null,
        commit_id {text} not null,
        comment {text} not null,
        at {int} not null,
        primary key (repository, pull, reviewer)
    ) {clustered}""",
    """create table checks (
        repository {int} not null,
        commit_id {text} not null,
        name {text} not null,
        state {text} not null,
        description {text} not null,
        actor {text} not null,
        at {int} not null,
        primary key (repository, commit_id, name)
    ) {clustered}""",
    """create table tasks (
        id {text} not null primary key,
        repository {int} not null,
        branch {text} not null,
        kind {text} not null,
        state {text} not null,
        request {text} not null,
        actor {text} not null,
        progress {int} not null default 0,
        result {text},
        error {text},
        created {int} not null,
        updated {int} not null,
        owner {text} not null,
        until {int} not null,
        attempts {int} not null default 1
    ) {clustered}""",
    "create index tasks_repository on tasks (repository, kind)",
    "create index tasks_until on tasks (state, until)",
    """create table gc_candidates (
        repository {int} not null,
        key {text} not null,
        size {int} not null,
        found {int} not null,
        mark {int} not null,
        primary key (repository, key)
    ) {clustered}""",
    """create table gc_runs (
        repository {int} not null,
        id {text} not null,
        started {int} not null,
        finished {int},
        report {text} not null,
        primary key (repository, id)
    ) {clustered}""",
)
