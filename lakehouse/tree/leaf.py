# SPDX-License-Identifier: Apache-2.0
"""A leaf with changes made to it: what stands between two changes is copied in one piece.

Where the new leaf can end is known from where the old one could, without hashing its keys again: only keys that come,
and those that are moved behind the shortest length of a leaf, are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary, Marks
    from lakehouse.format.node import Node


class Placed(NamedTuple):
    """A change: where it is in the leaf, where the leaf goes on behind it; no value: the key goes."""

    at: int
    onward: int
    key: bytes
    value: bytes

    @property
    def adds(self) -> bool:
        """Whether the leaf grows by it."""
        return self.at == self.onward


def patched(
    node: Node, changed: list[Placed], *, start: int = 0, end: int | None = None
) -> tuple[list[bytes], list[bytes]]:
    """Keys and values of `node` from position `start` to `end`, with the changes made."""
    old_keys, old_values = node.keys, node.values
    keys: list[bytes] = []
    values: list[bytes] = []
    for at, onward, key, value in changed:
        if start < at:
            keys += old_keys[start:at]
            values += old_values[start:at]
        if value:
            keys.append(key)
            values.append(value)
        start = onward
    keys += old_keys[start:end]
    values += old_values[start:end]
    return keys, values


def patched_marks(node: Node, changed: list[Placed], boundary: Boundary) -> Marks:
    """The marks of the whole leaf with the changes made, from the first position on at which a leaf can end."""
    least = boundary.leaf.minimum - 1
    old = node.marks(boundary)
    marks: Marks = []
    start = shift = done = 0
    for at, onward, key, value in changed:
        done = _move(marks, node, old, boundary, start=start, end=at, shift=shift, done=done)
        if value:
            if at + shift >= least and (mark := boundary.marks(0, [key])):
                marks.append((at + shift, mark[0][1]))
            shift += 1
        shift -= onward - at
        start = onward
    _move(marks, node, old, boundary, start=start, end=len(node.keys), shift=shift, done=done)
    return marks


def _move(
    marks: Marks, node: Node, old: Marks, boundary: Boundary, *, start: int, end: int, shift: int, done: int
) -> int:
    """Add the marks of positions `start` to `end`, which are `shift` further on now; of `old`, `done` were seen."""
    least = boundary.leaf.minimum - 1
    if shift > 0 and start < least:
        exposed = boundary.marks(0, node.keys, max(start, least - shift), min(end, least))
        marks += [(at + shift, digest) for at, digest in exposed]
    while done < len(old) and old[done][0] < end:
        at, digest = old[done]
        if at >= start and at + shift >= least:
            marks.append((at + shift, digest))
        done += 1
    return done
