# SPDX-License-Identifier: Apache-2.0
"""A leaf with changes made to it: what stands between two changes is copied in one piece.

Where the new leaf can end is known from where the old one could, without hashing its keys again: only keys that come,
and those that are moved behind the shortest length of a leaf, are looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lakehouse.format.node import Kin

if TYPE_CHECKING:
    from lakehouse.format.boundary import Boundary, Marks
    from lakehouse.format.node import Node

_GENERATIONS = 4
_MOST_KEYS = 64
"""What a leaf remembers of those that it was made from: so many, as long as so few keys differ."""


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


def kin_of(node_id: str, node: Node, changed: list[Placed]) -> tuple[Kin, ...]:
    """What the leaf with the changes made was made from: this node, and those before it."""
    if len(changed) > _MOST_KEYS:
        return ()
    keys = frozenset([change.key for change in changed])
    older = [Kin(kin.id, kin.keys | keys) for kin in node.kin[: _GENERATIONS - 1]]
    return (Kin(node_id, keys), *[kin for kin in older if len(kin.keys) <= _MOST_KEYS])


def differ_within(left_id: str, left: Node, right_id: str, right: Node) -> frozenset[bytes] | None:
    """Keys outside of which two leaves hold the same, if one was made from the other, or both from a third."""
    lefts = (Kin(left_id, frozenset()), *left.kin)
    rights = {kin.id: kin.keys for kin in right.kin}
    rights[right_id] = frozenset()
    for kin in lefts:
        if kin.id in rights:
            return kin.keys | rights[kin.id]
    return None
