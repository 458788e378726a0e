# SPDX-License-Identifier: Apache-2.0
"""The engine's hooks, as the files in its repositories want them.

Invariant: for one operation a version of a hook file is run once at each event, however often the operation is tried;
a run is stored before its answer counts. Nothing runs in a read-only repository.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.actions.files import HookFiles
from lakehouse.actions.spec import HookType
from lakehouse.core.errors import HookFailed, LakehouseError, NotFound
from lakehouse.core.ids import CommitId
from lakehouse.core.records import NOBODY
from lakehouse.meta import action_runs
from lakehouse.versioning import resolve
from lakehouse.versioning.state.events import NoWatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.actions.files import HookFile, Row
    from lakehouse.actions.runner import Outcome, Runner
    from lakehouse.core.records import Actor, Commit, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.events import Event, Occasion, Shown, Watch

DEEPEST = 3
"""Operations of hooks that set off hooks, one within the other; then it is a circle."""
logger = logging.getLogger(__name__)


class FileHooks:
    """Implements `events.Hooks` for the operations of `lake`, which itself need not know of it."""

    def __init__(self, lake: Lake, runner: Runner) -> None:
        self._lake = lake
        self._runner = runner
        self._files = HookFiles()

    def watch(self, repository: Repository, actor: Actor = NOBODY) -> Watch:
        """As Hooks."""
        if repository.read_only:
            return NoWatch()
        return FileWatch(self._lake, repository, self._runner, self._files, actor)


class FileWatch:
    """Implements `events.Watch`, for one operation."""

    def __init__(self, lake: Lake, repository: Repository, runner: Runner, files: HookFiles, actor: Actor) -> None:
        self._lake = lake
        self._repository = repository
        self._runner = runner
        self._files = files
        self._actor = actor
        self._asked: set[tuple[Event, str, tuple[str, str]]] = set()
        self._runs: list[str] = []

    async def present(self, shown: Shown) -> bool:
        """As Watch."""
        return bool(await self._files.find(self._lake, self._repository, shown))

    async def before(self, occasion: Occasion, shown: Shown) -> bool:
        """As Watch."""
        rows = await self._files.find(self._lake, self._repository, shown)
        concerned = await self._concerned(occasion, rows)
        files = [file for file in concerned if self._key(occasion, file) not in self._asked]
        if not files:
            return bool(rows)
        outcome = await self._run(occasion, files)
        if outcome.error is not None:
            raise HookFailed(outcome.error)
        self._asked |= {self._key(occasion, file) for file in files}
        self._runs.append(outcome.run.id)
        return True

    def note(self, made: Commit) -> Sequence[Statement]:
        """As Watch."""
        return action_runs.set_commit(self._repository.id, self._runs, made.id)

    def after(self, occasion: Occasion, shown: Shown, *, present: bool = True) -> None:
        """As Watch."""
        if not present:
            self._files.none_in(self._repository, shown.root)
        elif not self._files.known_none_in(self._repository, shown.root):
            self._lake.background.start(self._told(occasion, shown))

    async def _told(self, occasion: Occasion, shown: Shown) -> None:
        try:
            rows = await self._files.find(self._lake, self._repository, shown)
            files = await self._concerned(occasion, rows)
            if files:
                await self._run(occasion, files)
        except LakehouseError as error:
            logger.warning("repository %s: %s hooks: %s", self._repository.name, occasion.event, error)

    async def _concerned(self, occasion: Occasion, rows: list[Row]) -> list[HookFile]:
        files = await self._files.read(self._lake, self._repository, rows)
        return [file for file in files if file.action.concerns(occasion.event, occasion.branch)]

    async def _run(self, occasion: Occasion, files: list[HookFile]) -> Outcome:
        event = _payload(occasion, self._repository, now=self._lake.clock())
        if self._actor.depth > DEEPEST:
            raise HookFailed(f"{occasion.event}: hooks set off hooks that set off hooks: more than {DEEPEST} deep")
        actions = [file.action for file in files]
        scripts = any(hook.type is HookType.LUA for one in actions for hook in one.hooks)
        more = await self._more(occasion) if scripts else {}
        inner = msgspec.structs.replace(self._actor, depth=self._actor.depth + 1)
        outcome = await self._runner.run(actions, event, actor=inner, more=more)
        for one in outcome.hooks:
            self._lake.counts.add(f"hooks {one.run.status}")
        hooks = [(one.run, one.output) for one in outcome.hooks]
        await self._lake.db.apply(*action_runs.insert(self._repository.id, outcome.run, hooks))
        return outcome

    async def _more(self, occasion: Occasion) -> dict[str, Any]:
        """What scripts are told besides."""
        about: dict[str, Any] = {
            "message": occasion.message,
            "committer": occasion.committer,
            "metadata": occasion.metadata,
        }
        if occasion.commit_id:
            with suppress(NotFound):
                found = await resolve.get_commit(self._lake, self._repository, CommitId(occasion.commit_id))
                about = {
                    "message": found.message,
                    "committer": found.committer,
                    "metadata": found.metadata,
                    "meta_range_id": found.root,
                    "creation_date": found.created,
                    "version": found.version,
                    "parents": list(found.parents),
                }
        return {
            "storage_namespace": self._repository.storage_namespace,
            "pre_run_id": self._runs[-1] if self._runs else "",
            "commit": about,
        }

    @staticmethod
    def _key(occasion: Occasion, file: HookFile) -> tuple[Event, str, tuple[str, str]]:
        return occasion.event, file.path, file.version


def _payload(occasion: Occasion, repository: Repository, *, now: float) -> dict[str, Any]:
    """What hooks are told of an event; what is empty is left out."""
    told = {
        "event_type": occasion.event.value,
        "event_time": datetime.fromtimestamp(int(now), UTC),
        "repository_id": repository.name,
        "branch_id": occasion.branch,
        "source_ref": occasion.source_ref,
        "tag_id": occasion.tag,
        "commit_id": occasion.commit_id,
        "commit_message": occasion.message,
        "committer": occasion.committer,
        "commit_metadata": occasion.metadata,
        "merge_source": occasion.merge_source,
    }
    return {name: value for name, value in told.items() if value}
