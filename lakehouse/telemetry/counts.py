# SPDX-License-Identifier: Apache-2.0
"""Plain counts of what is seldom done, by name: for the engine, which knows nothing of who asks for them."""

from __future__ import annotations

from collections import defaultdict


class Counts:
    """Numbers of this process. One thread adds."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, float] = defaultdict(float)

    def add(self, name: str, amount: float = 1.0) -> None:
        """Count."""
        self._numbers[name] += amount

    def of(self, name: str) -> float:
        """What was counted so far."""
        return self._numbers.get(name, 0.0)
