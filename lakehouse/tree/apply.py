# SPDX-License-Identifier: Apache-2.0
"""Changes applied to a tree: only what they touch is read and written again, O(changes x log n).

The result is the tree that a build of the changed content would make, whatever the changes and their pages. What is no
change by identity keeps the bytes that the tree has; if nothing is left to change, the root stays.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import compress
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lakehouse.core.ids import MetaRangeId
from lakehouse.core.offload import PAGE, breathe
from lakehouse.format.changed_paths import PathsFilter
from lakehouse.format.child import unpack_child
from lakehouse.format.entry import same_identity, total_size
from lakehouse.format.node import FORMAT
from lakehouse.tree.outbox import Outbox
from lakehouse.tree.plan import run
from lakehouse.tree.writer import BATCH, TreeWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from lakehouse.format.block import Block
    from lakehouse.format.node import Encoded, Node
    from lakehouse.tree.plan import Nodes, Plan
    from lakehouse.tree.store import NodeStore

Change: TypeAlias = "tuple[bytes, bytes]"
"""A key and its new packed entry, or TOMBSTONE."""
Same: TypeAlias = "Callable[[bytes, bytes], bool]"

_TOGETHER = 32
"""Nodes read at the same time."""
_RUN = 64
"""So many new keys in a row, with no old one between them, are fed as they are."""


class Applied(msgspec.Struct, frozen=True):
    """`changed` keys are different by identity now; `paths` are those."""

    root: MetaRangeId
    changed: int
    paths: PathsFilter


async def apply(
    store: NodeStore,
    root: MetaRangeId,
    changes: AsyncIterator[list[Change]],
    *,
    same: Same = same_identity,
) -> Applied:
    """Store the tree `root` with `changes` made to it.

    Keys ascend strictly over all pages; a page is best about 1,000 long. A tombstone over nothing is ignored, and so
    is an entry that is the `same` as the one there. All new nodes are durable when it returns; when it raises, some
    nodes may be stored, which harms nothing. Raises DataDamaged, StorageFull, StorageUnavailable; ValueError for a page
    that does not follow the one before, which would make a tree that finds nothing.
    """
    applier = _Applier(store, root, same)
    async with Outbox(store) as outbox:

        async def send() -> None:
            if applier.pending >= BATCH:
                await outbox.send(applier.take())

        last = b""
        async for page in changes:
            if page:
                keys, values = zip(*page, strict=True)
                if keys[0] <= last:
                    raise ValueError(f"changes do not ascend: {keys[0]!r} after {last!r}")
                last = keys[-1]
                plan = applier.page(list(keys), list(values))
                await run(store, plan, items=_work(page), between=send)
                await send()
        if not applier.changed:
            return Applied(root, 0, applier.paths)
        new_root = await run(store, applier.end())
        await outbox.send(applier.take())
    return Applied(new_root, applier.changed, applier.paths)


def _work(page: list[Change]) -> int:
    """About how many entries are computed over: a change that is alone in its block makes one of a hundred."""
    return len(page) * 150


class _Frame:
    """A node of the old tree that is being gone through.

    `at` is the position in an inner node; in a leaf it is the number of the block, and `done` counts its entries that
    were fed. `last`: the last node of its level. `changed`: what changes behind that, in order.
    """

    __slots__ = ("at", "changed", "done", "last", "node")

    def __init__(self, node: Node, *, last: bool) -> None:
        self.node = node
        self.changed: list[Change] = []
        self.at = self.done = 0
        self.last = last


class _Applier:
    """Goes through the old tree once, from left to right, in step with the changes."""

    def __init__(self, store: NodeStore, root: MetaRangeId, same: Same) -> None:
        self._root = root
        self._same = same
        self._writer = TreeWriter(store.boundary)
        self._frames: list[_Frame] = []
        self._ahead: dict[int, Nodes] = {}
        self._begun = self._renews = False
        self.changed = 0
        self.paths = PathsFilter()

    @property
    def pending(self) -> int:
        """Bytes of nodes that `take` would return: none before the first change, they are the old tree's own."""
        return self._writer.pending if self.changed else 0

    def take(self) -> list[Encoded]:
        """The nodes made so far, to be stored."""
        return self._writer.take()

    def page(self, keys: list[bytes], values: list[bytes]) -> Plan[None]:
        """Go through the old tree up to the last of these changes."""
        if not self._begun:
            self._begun = True
            yield from self._begin()
        done = 0
        while done < len(keys):
            if not self._frames:
                done = self._append(keys, values)
            elif self._frames[-1].node.level:
                yield from self._descend(self._frames[-1], keys, done)
            else:
                done = self._change_leaf(self._frames[-1], keys, values, done)
                breathe()
        if not self.changed:
            self._drop()

    def end(self) -> Plan[MetaRangeId]:
        """Take over the rest of the old tree and close the new one."""
        while self._frames:
            frame = self._frames[-1]
            if frame.node.level:
                yield from self._descend(frame, [], 0)
            else:
                self._finish_leaf(frame)
        return self._writer.finish()

    def _begin(self) -> Plan[None]:
        if self._root:
            nodes = yield [self._root]
            self._push(nodes[self._root], last=True)

    def _append(self, keys: list[bytes], values: list[bytes]) -> int:
        """Changes where the old tree has nothing."""
        whole = all(values)
        added = keys if whole else list(compress(keys, values))
        self.changed += len(added)
        self.paths.add(added)
        self._writer.feed(added, values if whole else list(compress(values, values)))
        return len(keys)

    def _descend(self, frame: _Frame, keys: list[bytes], done: int) -> Plan[None]:
        """One step in an inner node: adopt the children before the next change, enter a child, or leave the node."""
        node, total = frame.node, len(frame.node.keys)
        if frame.at == total:
            self._leave()
            return
        touched = _touched(frame, keys, done)
        if touched == frame.at:
            yield from self._enter(frame, keys, done)
            return
        last = frame.last and touched == total
        vain = not frame.at and touched == total and len(self._frames) > 1
        if vain and self._writer.adopts(node.level, 1, last=frame.last):
            self._frames.pop()  # entered in vain: the node above adopts it as a whole
            return
        if self._writer.adopts(node.level - 1, touched - frame.at, last=last):
            self._writer.adopt(node, frame.at, touched)
            frame.at = touched
        else:
            yield from self._enter(frame, [], 0)
            if node.level == 1:
                self._feed(self._frames[-1])
                self._leave()

    def _enter(self, frame: _Frame, keys: list[bytes], done: int) -> Plan[None]:
        """Put the child at hand on top; the next ones that changes touch are read together with it."""
        node_id = _child_id(frame.node, frame.at)
        level = frame.node.level - 1
        node = self._ahead.get(level, {}).get(node_id)
        if node is None:
            nodes = yield _next_touched(frame, keys, done) if keys else [node_id]
            node = nodes[node_id]
            if keys:
                self._ahead[level] = nodes
        last = frame.last and frame.at == len(frame.node.keys) - 1
        self._push(node, last=last)

    def _push(self, node: Node, *, last: bool) -> None:
        self._frames.append(_Frame(node, last=last))
        self._renews = self._renews or node.version != FORMAT

    def _leave(self) -> None:
        """The node on top is used up, and so is the child that it was of the node below it on the stack."""
        self._frames.pop()
        if self._frames:
            self._frames[-1].at += 1

    def _change_leaf(self, frame: _Frame, keys: list[bytes], values: list[bytes], done: int) -> int:
        """Note the changes from `done` on that belong to this leaf; returns where the others begin.

        When the page ends here, the next one may go on in the same leaf, so the leaf waits.
        """
        end = len(keys) if frame.last else bisect_right(keys, frame.node.last, done)
        if end - done > _RUN and _between(frame.node, keys[done], keys[end - 1]) and any(values[done:end]):
            self._begin_changes()
            self._feed(frame, keys[done])
            self._append(keys[done:end], values[done:end])
        elif changed := self._changed(frame.node, keys[done:end], values[done:end]):
            self._begin_changes()
            self.changed += len(changed)
            self.paths.add([key for key, _ in changed])
            frame.changed += changed
        if end < len(keys):
            self._finish_leaf(frame)
        elif len(frame.changed) > PAGE:
            self._feed(frame, keys[-1])
        return end

    def _begin_changes(self) -> None:
        if not self.changed:
            self._drop()

    def _drop(self) -> None:
        """Forget the nodes that were made before the first change: they are the old tree's own, if it was written in
        the format of today.
        """
        if not self._renews:
            self._writer.take()

    def _finish_leaf(self, frame: _Frame) -> None:
        """Feed what is left of a leaf, or let the node above adopt it when it was entered in vain."""
        if not frame.at and not frame.done and not frame.changed and len(self._frames) > 1:
            self._frames.pop()
            return
        self._feed(frame)
        self._leave()

    def _changed(self, node: Node, keys: list[bytes], values: list[bytes]) -> list[Change]:
        """Those that are real."""
        changed = []
        for key, value in zip(keys, values, strict=True):
            old = node.value(key)
            if value if old is None else not value or not self._same(old, value):
                changed.append((key, value))
        return changed

    def _feed(self, frame: _Frame, upto: bytes | None = None) -> None:
        """Feed the leaf, with all changes that were noted, up to this key (None: to its end)."""
        changed, frame.changed = frame.changed, []
        node, start = frame.node, 0
        while frame.at < len(node.blocks):
            if not frame.done and (
                clean := _unchanged(frame, changed[start][0] if start < len(changed) else None, upto)
            ):
                self._writer.feed_blocks(node.blocks[frame.at : frame.at + clean])
                frame.at += clean
                continue
            block = node.blocks[frame.at]
            whole = upto is None or block.about.last <= upto
            end = len(changed)
            if whole and frame.at < len(node.blocks) - 1:
                end = bisect_right(changed, block.about.last, start, key=_key)
            stop = block.about.pairs if whole or upto is None else bisect_right(block.entries()[0], upto)
            self._feed_part(block, frame.done, stop, changed[start:end])
            if not whole:
                frame.done = stop
                return
            frame.at, frame.done, start = frame.at + 1, 0, end
        if start < len(changed):  # behind the leaf's last key, which was fed before
            self._writer.feed([key for key, _ in changed[start:]], [value for _, value in changed[start:]])

    def _feed_part(self, block: Block, start: int, stop: int, changed: list[Change]) -> None:
        """Feed a block from position `start` to `stop`, with the changes made. Only keys that come, and its last one,
        can be marks.
        """
        old_keys, old_values = block.entries()
        keys: list[bytes] = []
        values: list[bytes] = []
        candidates: list[int] = []
        gone: list[bytes] = []
        come: list[bytes] = []

        def keep(start: int, end: int) -> None:
            keys.extend(old_keys[start:end])
            values.extend(old_values[start:end])
            if start < end == len(old_keys):
                candidates.append(len(keys) - 1)

        part = start or stop < len(old_keys)
        for key, value in changed:
            at = bisect_left(old_keys, key, start, stop)
            keep(start, at)
            if value:
                candidates.append(len(keys))
                keys.append(key)
                values.append(value)
                come.append(value)
            start = at
            if at < stop and old_keys[at] == key:
                gone.append(old_values[at])
                start += 1
        keep(start, stop)
        marks = self._writer.boundary.marks_at(0, keys, candidates)
        size = total_size(values) if part else block.about.size - total_size(gone) + total_size(come)
        self._writer.feed_page(keys, values, marks=marks, size=size)


def _unchanged(frame: _Frame, change: bytes | None, upto: bytes | None) -> int:
    """How many blocks of a leaf, from where it stands, stay as they are up to the key of the next change, if there is
    one, and up to `upto`.
    """
    lasts = frame.node.lasts
    end = len(lasts) if upto is None else bisect_right(lasts, upto, frame.at)
    if change is not None:
        end = min(end, bisect_left(lasts, change, frame.at), len(lasts) - 1)
    return end - frame.at


def _key(change: Change) -> bytes:
    return change[0]


def _between(node: Node, first: bytes, last: bytes) -> bool:
    """Whether a leaf has no key from `first` to `last`."""
    number = bisect_left(node.lasts, first)
    if number == len(node.blocks):
        return True
    keys, _ = node.blocks[number].entries()
    return last < keys[bisect_left(keys, first)]


def _child_id(node: Node, at: int) -> str:
    return unpack_child(node.values[at]).id.hex()


def _touched(frame: _Frame, keys: list[bytes], done: int) -> int:
    """Position of the child that the next change belongs to; the number of children when it is behind this node."""
    total = len(frame.node.keys)
    if done == len(keys):
        return total
    at = bisect_left(frame.node.keys, keys[done], frame.at)
    return total - 1 if at == total and frame.last else at


def _next_touched(frame: _Frame, keys: list[bytes], done: int) -> list[str]:
    """Ids of the next children that changes belong to."""
    found: list[str] = []
    start = frame.at
    while done < len(keys) and len(found) < _TOGETHER:
        at = bisect_left(frame.node.keys, keys[done], start)
        if at == len(frame.node.keys):
            if frame.last and start < at:
                found.append(_child_id(frame.node, at - 1))
            break
        found.append(_child_id(frame.node, at))
        done = bisect_right(keys, frame.node.keys[at], done)
        start = at + 1
    return found
