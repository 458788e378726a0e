# SPDX-License-Identifier: Apache-2.0
"""The hooks of a configuration, with the server's own way out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from lakehouse.actions.environment import allowed
from lakehouse.actions.expiry import Kept
from lakehouse.actions.hooks import FileHooks
from lakehouse.actions.lua.run import LuaRunner, limits_of
from lakehouse.actions.runner import MOST_OUTPUT, Runner

if TYPE_CHECKING:
    from lakehouse.actions.inbound import Inbound
    from lakehouse.actions.outbound import Outbound
    from lakehouse.config.model import Config
    from lakehouse.versioning.lake import Lake


def lua_runner(config: Config, outbound: Outbound, inbound: Inbound) -> LuaRunner:
    """What runs scripts, within the limits of the configuration."""
    settings = config.actions
    limits = limits_of(
        cpu=settings.lua_cpu, memory=settings.lua_memory, timeout=settings.lua_timeout, output=MOST_OUTPUT
    )
    return LuaRunner(outbound, inbound, limits=limits, http=settings.lua_http)


def kept_runs(config: Config) -> Kept:
    """Which runs of hooks are kept."""
    return Kept(seconds=int(config.actions.keep_runs), most=config.actions.most_runs)


def with_hooks(config: Config, lake: Lake, outbound: Outbound, lua: LuaRunner) -> Lake:
    """The same lake, whose operations are watched by the hook files of its repositories."""
    if not config.actions.enabled:
        return lake
    environment = allowed(os.environ, config.actions.environment)
    hooks = FileHooks(lake, Runner(outbound, environment=environment, clock=lake.clock, lua=lua))
    return msgspec.structs.replace(lake, hooks=hooks)
