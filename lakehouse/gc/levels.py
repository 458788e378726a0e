# SPDX-License-Identifier: Apache-2.0
"""The nodes below some roots, level by level, each once however many trees share it, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.format.child import unpack_children
from lakehouse.gc.sorting import SortedSet

if TYPE_CHECKING:
    from collections.abc import Generator

    from lakehouse.format.node import Node

TOGETHER = 16
"""Nodes to be read at the same time."""
_ID = 32


class Levels:
    """What is still to be read of a walk. `held` as of `SortedSet`. Close it when it was used."""

    def __init__(self, *, held: int) -> None:
        self._held = held
        self._below: dict[int, SortedSet] = {}

    def pages(self, roots: SortedSet) -> Generator[tuple[int | None, list[str]], None, None]:
        """Levels and ids: first the roots, of whatever level (None), then from the highest level down, within one in
        order of key. The nodes of a page have gone through `descend` before the next one is asked for.
        """
        for page in roots.pages():
            yield None, [root.hex() for root in page]
        while self._below:
            height = max(self._below)
            level = self._below.pop(height)
            try:
                for page in level.pages():
                    yield height, [record[-_ID:].hex() for record in page]
            finally:
                level.close()

    def descend(self, node: Node) -> None:
        """Note what lies below an inner node; it may be done in a thread."""
        below = self._below.setdefault(node.level - 1, SortedSet(held=self._held))
        children = unpack_children(node.values)
        below.add([key + child.id for key, child in zip(node.keys, children, strict=True)])

    def close(self) -> None:
        """Drop the temporary files."""
        for level in self._below.values():
            level.close()
