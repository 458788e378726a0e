# SPDX-License-Identifier: Apache-2.0
"""The hooks of a configuration, with the server's own way out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from lakehouse.actions.environment import allowed
from lakehouse.actions.hooks import FileHooks
from lakehouse.actions.runner import Runner

if TYPE_CHECKING:
    from lakehouse.actions.outbound import Outbound
    from lakehouse.config.model import Config
    from lakehouse.versioning.lake import Lake


def with_hooks(config: Config, lake: Lake, outbound: Outbound) -> Lake:
    """The same lake, whose operations are watched by the hook files of its repositories."""
    if not config.actions.enabled:
        return lake
    environment = allowed(os.environ, config.actions.environment)
    hooks = FileHooks(lake, Runner(outbound, environment=environment, clock=lake.clock))
    return msgspec.structs.replace(lake, hooks=hooks)
