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


_BASE32HEX = "0123456789abcdefghijklmnopqrstuv"


def timed_name(now: float) -> str:
    """A name that sorts by the time of its making: 20 characters of base32hex, 9 of milliseconds and 11 of chance."""
    number = (int(now * 1000) & ((1 << 45) - 1)) << 55 | int.from_bytes(os.urandom(7), "big") >> 1
    return "".join(_BASE32HEX[number >> shift & 31] for shift in range(95, -1, -5))


def time_of_name(name: str) -> float:
    """Seconds since 1970 at which `timed_name` made this name. Raises ValueError when it did not."""
    if len(name) < 20:
        raise ValueError(name)
    number = 0
    for char in name[:9]:
        number = number << 5 | _BASE32HEX.index(char)
    return number / 1000
