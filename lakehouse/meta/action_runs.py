# SPDX-License-Identifier: Apache-2.0
"""Tables `action_runs` and `hook_runs`: written once, when a run has ended, in one transaction."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.ids import RepositoryId
from lakehouse.db.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.db.port import Database, Row


class HookStatus(StrEnum):
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class ActionRun(msgspec.Struct, frozen=True):
    """All hooks of one event. Times in milliseconds."""

    id: str
    event: str
    branch: str
    commit_id: str
    started: int
    ended: int
    passed: bool


class HookRun(msgspec.Struct, frozen=True):
    """One hook of a run. A skipped one never ended, and began at 0."""

    id: str
    action: str
    hook: str
    status: HookStatus
    started: int
    ended: int | None


_RUN = "id, event, branch, commit_id, started, ended, passed"
_HOOK = "id, action, hook, status, started, ended"


def _run(row: Row) -> ActionRun:
    return ActionRun(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]))


def _hook(row: Row) -> HookRun:
    return HookRun(row[0], row[1], row[2], HookStatus(row[3]), row[4], row[5])


def insert(repository: RepositoryId, run: ActionRun, hooks: Sequence[tuple[HookRun, bytes]]) -> list[Statement]:
    """Add a run, its hooks and their outputs."""
    added = Statement(
        f"insert into action_runs(repository, {_RUN}) values (?, ?, ?, ?, ?, ?, ?, ?)",
        (repository, run.id, run.event, run.branch, run.commit_id, run.started, run.ended, int(run.passed)),
    )
    each = Statement(
        f"insert into hook_runs(repository, run, {_HOOK}, output) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        many=tuple(
            (repository, run.id, one.id, one.action, one.hook, one.status.value, one.started, one.ended, output)
            for one, output in hooks
        ),
    )
    return [added, each]


def set_commit(repository: RepositoryId, runs: Sequence[str], commit: str) -> list[Statement]:
    """Note which commit came of what these runs agreed to."""
    sql = "update action_runs set commit_id = ? where repository = ? and id = ?"
    return [Statement(sql, many=tuple((commit, repository, run) for run in runs))] if runs else []


async def find(db: Database, repository: RepositoryId, run: str) -> ActionRun | None:
    """The run of this id."""
    row = await db.one(f"select {_RUN} from action_runs where repository = ? and id = ?", (repository, run))
    return None if row is None else _run(row)


async def page(
    db: Database, repository: RepositoryId, *, branch: str, commit: str, after: str, limit: int
) -> list[ActionRun]:
    """Runs after `after`, newest first; of a branch or a commit where one is given."""
    which, value = ("branch", branch) if branch else ("commit_id", commit)
    only = f"and {which} = ? " if value else ""
    rows = await db.all(
        f"select {_RUN} from action_runs where repository = ? {only}and id > ? order by id limit ?",
        (repository, *([value] if value else []), after, limit),
    )
    return [_run(row) for row in rows]


async def hooks(db: Database, repository: RepositoryId, run: str, *, after: str, limit: int) -> list[HookRun]:
    """Hooks of a run after `after`, in order of id."""
    rows = await db.all(
        f"select {_HOOK} from hook_runs where repository = ? and run = ? and id > ? order by id limit ?",
        (repository, run, after, limit),
    )
    return [_hook(row) for row in rows]


async def output(db: Database, repository: RepositoryId, run: str, hook: str) -> bytes | None:
    """What a hook left; None when there is no such hook run."""
    sql = "select output from hook_runs where repository = ? and run = ? and id = ?"
    row = await db.one(sql, (repository, run, hook))
    return None if row is None else bytes(row[0])


async def next_repository(db: Database, after: int) -> RepositoryId | None:
    """The first repository behind `after` that has runs."""
    row = await db.one("select min(repository) from action_runs where repository > ?", (after,))
    return None if row is None or row[0] is None else RepositoryId(row[0])


async def at_rank(db: Database, repository: RepositoryId, rank: int) -> str | None:
    """The run that has `rank` newer ones."""
    sql = "select id from action_runs where repository = ? order by id limit 1 offset ?"
    row = await db.one(sql, (repository, rank))
    return None if row is None else row[0]


async def from_id(db: Database, repository: RepositoryId, start: str, *, limit: int) -> list[str]:
    """The oldest runs, of those that are `start` or older."""
    rows = await db.all(
        "select id from action_runs where repository = ? and id >= ? order by id desc limit ?",
        (repository, start, limit),
    )
    return [row[0] for row in rows]


def forget(repository: RepositoryId, runs: Sequence[str]) -> list[Statement]:
    """Remove these runs, their hooks and outputs."""
    each = tuple((repository, run) for run in runs)
    return [
        Statement("delete from hook_runs where repository = ? and run = ?", many=each),
        Statement("delete from action_runs where repository = ? and id = ?", many=each),
    ]


def forget_all(repository: RepositoryId) -> list[Statement]:
    """Remove the runs of a repository."""
    return [
        Statement("delete from hook_runs where repository = ?", (repository,)),
        Statement("delete from action_runs where repository = ?", (repository,)),
    ]
