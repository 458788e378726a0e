# SPDX-License-Identifier: Apache-2.0
"""When to send a request again, and after how long."""

from __future__ import annotations

import random

import msgspec

STATUSES = frozenset({429, 502, 503, 504})
"""The server could not do it now."""
_SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_ONCE = frozenset({"hard_reset_branch", "merge_pull_request"})
"""A ref such as `main~` means another commit the second time; what is merged cannot be merged."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """At most `attempts` requests. Between them `base` seconds, doubled each time up to `cap`, of which a random part
    is waited, and never less than the server asks for (up to `cap`).
    """

    attempts: int = 5
    base: float = 0.1
    cap: float = 5.0

    def delay(self, attempt: int, *, retry_after: str | None = None, chance: float | None = None) -> float:
        """Seconds to wait after the failed `attempt` (1 is the first). `chance` from 0 to 1, random by default."""
        part = random.random() if chance is None else chance  # noqa: S311
        asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
        backoff = min(self.cap, self.base * (1 << attempt - 1)) * part
        return max(backoff, min(asked, self.cap))


def is_idempotent(name: str, method: str, *, conditional: bool) -> bool:
    """Whether an operation that may have been done already can be asked for again."""
    return method in _SAFE and name not in _ONCE and not conditional
