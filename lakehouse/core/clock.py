# SPDX-License-Identifier: Apache-2.0
"""Time and chance as values that are handed in, so that tests can hold them still."""

from __future__ import annotations

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since 1970, UTC."""

    def __call__(self) -> float: ...


def system_clock() -> float:
    """The machine's own clock."""
    return time.time()


def random_token() -> int:
    """A staging token: 63 random bits, never 0."""
    return (int.from_bytes(os.urandom(8), "big") >> 1) or 1


_NAME = 28
_TIME = 12


def timed_name(now: float) -> str:
    """A name that sorts by the time of its making: 28 hex digits, 12 of milliseconds and 16 of chance."""
    return f"{int(now * 1000):012x}{os.urandom(8).hex()}"


def time_of_name(name: str) -> float:
    """Seconds since 1970 at which `timed_name` made this name. Raises ValueError when it did not."""
    if len(name) != _NAME:
        raise ValueError(name)
    return int(name[:_TIME], 16) / 1000
