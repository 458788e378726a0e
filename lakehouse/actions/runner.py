# SPDX-License-Identifier: Apache-2.0
"""One run: every hook of every hook file that an event concerns.

Files run at the same time, the hooks of a file one after the other; after one failed, those that do not ask for it are
skipped. Invariant: whatever a hook does, the run ends, and says of each hook what became of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.actions.airflow import PAUSE, run_airflow
from lakehouse.actions.lua.run import LuaRunner, Told
from lakehouse.actions.spec import Hook, HookType
from lakehouse.actions.webhook import run_webhook
from lakehouse.core.errors import HookFailed
from lakehouse.core.ordered_ids import descending_id
from lakehouse.core.records import NOBODY, Actor
from lakehouse.meta.action_runs import ActionRun, HookRun, HookStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.actions.outbound import Outbound
    from lakehouse.actions.spec import Action
    from lakehouse.core.clock import Clock

MOST_OUTPUT = 64 << 10
"""Bytes of a hook's output that are kept."""
logger = logging.getLogger(__name__)


class Ended(msgspec.Struct, frozen=True):
    """A hook that was run or skipped, its output, and the error if it failed."""

    run: HookRun
    output: bytes
    error: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """A run that has ended."""

    run: ActionRun
    hooks: tuple[Ended, ...]

    @property
    def error(self) -> str | None:
        """What the caller of the operation is told; None when all hooks agreed."""
        failed = [
            f"\t* hook run id '{one.run.id}' failed on action '{one.run.action}' hook '{one.run.hook}': {one.error}\n"
            for one in self.hooks
            if one.error is not None
        ]
        if not failed:
            return None
        count = "1 error" if len(failed) == 1 else f"{len(failed)} errors"
        return f"{self.run.event} hook aborted, run id '{self.run.id}': {count} occurred:\n{''.join(failed)}\n"


class _Cause(msgspec.Struct, frozen=True):
    """What a run is about."""

    run: str
    event: Mapping[str, Any]
    actor: Actor
    more: Mapping[str, Any]


class Runner:
    """Runs hooks. `environment` has the variables that they may use, `pause` is between looks at a DAG, in seconds."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        environment: Mapping[str, str],
        clock: Clock,
        pause: float = PAUSE,
        lua: LuaRunner | None = None,
    ) -> None:
        self._outbound = outbound
        self._lua = lua or LuaRunner(outbound)
        self._environment = environment
        self._clock = clock
        self._pause = pause

    async def run(
        self,
        actions: Sequence[Action],
        event: Mapping[str, Any],
        *,
        actor: Actor = NOBODY,
        more: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Run all hooks of `actions`. `event` is what they are told, without action and hook; scripts are told `more`.
        What scripts ask of this server they ask as `actor`.
        """
        run = descending_id(self._clock())
        cause = _Cause(run, event, actor, more or {})
        started = self._now()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._action(cause, at, one)) for at, one in enumerate(actions)]
        ended = tuple(hook for task in tasks for hook in task.result())
        made = ActionRun(
            id=run,
            event=event["event_type"],
            branch=event.get("branch_id", ""),
            commit_id=event.get("commit_id", ""),
            started=started,
            ended=self._now(),
            passed=all(hook.error is None for hook in ended),
        )
        return Outcome(made, ended)

    async def _action(self, cause: _Cause, number: int, action: Action) -> list[Ended]:
        ended: list[Ended] = []
        failed = False
        for at, hook in enumerate(action.hooks):
            name = f"{number:04d}_{at:04d}"
            if not hook.condition(failed):
                ended.append(Ended(HookRun(name, action.name, hook.id, HookStatus.SKIPPED, 0, None), b""))
                continue
            made = HookRun(name, action.name, hook.id, HookStatus.COMPLETED, 0, None)
            one = await self._hook(made, cause, hook)
            failed = failed or one.error is not None
            ended.append(one)
        return ended

    async def _hook(self, made: HookRun, cause: _Cause, hook: Hook) -> Ended:
        started, log, error = self._now(), list[str](), None
        try:
            await self._carry_out(hook, made, cause, log=log)
        except HookFailed as failure:
            error = failure.message
        except Exception as failure:
            logger.exception("hook %s of run %s", made.id, cause.run)
            error = f"internal error: {type(failure).__name__}; the server's log has it"
        if error is not None:
            log.append(f"Error: {error}\n")
        status = HookStatus.COMPLETED if error is None else HookStatus.FAILED
        ended = msgspec.structs.replace(made, status=status, started=started, ended=self._now())
        return Ended(ended, "\n".join(log).encode()[:MOST_OUTPUT], error)

    async def _carry_out(self, hook: Hook, made: HookRun, cause: _Cause, *, log: list[str]) -> None:
        event = {**cause.event, "action_name": made.action, "hook_id": made.hook}
        payload = msgspec.json.encode(event)
        if hook.type is HookType.WEBHOOK:
            await run_webhook(hook, payload, outbound=self._outbound, environment=self._environment, log=log)
        elif hook.type is HookType.AIRFLOW:
            await run_airflow(
                hook,
                payload,
                run=f"{cause.run}_{made.id}",
                outbound=self._outbound,
                environment=self._environment,
                log=log,
                pause=self._pause,
            )
        else:
            told = Told(msgspec.to_builtins({**event, **cause.more, "run_id": cause.run}), cause.actor)
            await self._lua.run(hook, told, environment=self._environment, log=log)

    def _now(self) -> int:
        return int(self._clock() * 1000)
