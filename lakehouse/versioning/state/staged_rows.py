# SPDX-License-Identifier: Apache-2.0
"""How many rows this process has put on each branch: tells when to look whether a fold is worth it.

A count is kept by whoever writes, never in the branch's row, which every write would have to change. It is a hint:
writes of one path count each, other processes count their own, and a restart begins at nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakehouse.core.ids import BranchId

MOST_BRANCHES = 100_000


class StagedRows:
    """Rows by branch, and at how many of them to look. `least`: rows from which a fold may be worth it."""

    def __init__(self, *, least: int = 10_000) -> None:
        self.least = least
        self._rows: dict[BranchId, int] = {}
        self._look_at: dict[BranchId, int] = {}

    def add(self, branch: BranchId, rows: int) -> bool:
        """Count rows that were staged; whether it is time to look. It is said once, until `forget` or `later`."""
        if branch not in self._rows and len(self._rows) >= MOST_BRANCHES:
            self._rows.clear()
            self._look_at.clear()
        before = self._rows.get(branch, 0)
        self._rows[branch] = now = before + rows
        return before < self._look_at.get(branch, self.least) <= now

    def later(self, branch: BranchId) -> None:
        """A fold was not worth it: look again when there are twice as many."""
        self._look_at[branch] = 2 * max(self._rows.get(branch, 0), self.least)

    def forget(self, branch: BranchId) -> None:
        """What was staged has left the branch or is in its base."""
        self._rows.pop(branch, None)
        self._look_at.pop(branch, None)
