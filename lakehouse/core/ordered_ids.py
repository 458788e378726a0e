# SPDX-License-Identifier: Apache-2.0
"""Ids that sort by the time of their making: 20 characters of base 32, as clients of the protocol parse them.

Twelve bytes, six of milliseconds and six of chance; descending ids count the time down, so that a bytewise list shows
the newest first.
"""

from __future__ import annotations

import base64
import os
import re

_LATEST = 2**48 - 1
_FORM = re.compile(r"[0-9a-v]{19}[0g]")
"""96 bits are 19 digits and one bit more."""


def ascending_id(now: float) -> str:
    """An id that sorts behind all that were made before this millisecond. `now` in seconds."""
    return _id(int(now * 1000))


def descending_id(now: float) -> str:
    """An id that sorts before all that were made before this millisecond. `now` in seconds."""
    return _id(_LATEST - int(now * 1000))


def is_ordered_id(text: str) -> bool:
    """Whether `text` has the form of these ids."""
    return _FORM.fullmatch(text) is not None


def _id(time: int) -> str:
    raw = (time & _LATEST).to_bytes(6, "big") + os.urandom(6)
    return base64.b32hexencode(raw).decode().lower().rstrip("=")
