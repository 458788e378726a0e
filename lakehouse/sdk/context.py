# SPDX-License-Identifier: Apache-2.0
"""How long a caller is willing to wait, and a way to stop waiting: the `ctx` of the interfaces that have one."""

from __future__ import annotations

import threading
import time

import msgspec


class Canceled(Exception):
    """The caller's cancel event was set before the work was done."""


class Context(msgspec.Struct, frozen=True, eq=False):
    """`deadline` in seconds of `time.monotonic`, None for none; `cancel` is set by whoever stops the work.

    Both are looked at before each request and each chunk; a request that runs is finished.
    """

    deadline: float | None = None
    cancel: threading.Event | None = None


def check(ctx: Context | None) -> None:
    """Return while there is time. Raises Canceled, TimeoutError."""
    if ctx is None:
        return
    if ctx.cancel is not None and ctx.cancel.is_set():
        raise Canceled("canceled")
    if ctx.deadline is not None and time.monotonic() >= ctx.deadline:
        raise TimeoutError("the deadline is over")
