# SPDX-License-Identifier: Apache-2.0
"""Which refs need what is wrong: a second walk, from each ref, and only when something is wrong.

Trees share most of their nodes, so a subtree that was found sound is not walked again, as far as memory goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataDamaged, FormatUnknown
from lakehouse.format.child import array_of, unpack_children
from lakehouse.fsck.report import MOST_REFS
from lakehouse.fsck.trees import Pointer
from lakehouse.meta import commits, staging

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lakehouse.core.records import Repository
    from lakehouse.format.node import Node
    from lakehouse.fsck.report import Report
    from lakehouse.meta.collection import HeldRef
    from lakehouse.versioning.lake import Lake

MOST_SOUND = 1_000_000
"""Subtrees that are remembered as sound."""
_CACHE = 64 << 20
_pointers = msgspec.msgpack.Decoder(list[Pointer])


class Blame:
    """Finds the refs that need bad nodes and objects: `bad` by node id and by address, with the lists they go to."""

    def __init__(self, lake: Lake, repository: Repository, bad: dict[str, list[str]]) -> None:
        self._store = lake.walked_tree(repository, cache=_CACHE)
        self._lake = lake
        self._repository = repository
        self._bad = bad
        self._sound: set[bytes] = set()

    async def run(self, refs: Sequence[HeldRef], report: Report) -> None:
        """Add the names of refs to the problems. Raises StorageUnavailable."""
        for ref in refs:
            found: dict[str, str] = {}
            commit = await commits.find(self._lake.db, self._repository.id, ref.commit)
            for root in {commit.root if commit is not None else "", ref.base or ""} - {""}:
                await self._tree(bytes.fromhex(root), found)
            for token in ref.tokens:
                async for rows in staging.scan(self._lake.db, token):
                    self._entries(((path, value) for path, value in rows if value), found)
            for key, path in found.items():
                listed = self._bad[key]
                if len(listed) < MOST_REFS:
                    listed.append(f"{ref.name}: {path}" if path else ref.name)

    async def _tree(self, node_id: bytes, found: dict[str, str]) -> bool:
        """Whether a subtree is sound."""
        if node_id in self._sound:
            return True
        name = node_id.hex()
        if name in self._bad:
            found.setdefault(name, "")
            return False
        try:
            node = await self._store.read(name)
            node.pairs()
        except (DataDamaged, FormatUnknown):  # it went bad meanwhile: the next check tells
            return False
        sound = await self._below(node, found)
        if sound and len(self._sound) < MOST_SOUND:
            self._sound.add(node_id)
        return sound

    async def _below(self, node: Node, found: dict[str, str]) -> bool:
        if not node.level:
            return not self._entries(zip(node.keys, node.values, strict=True), found)
        sound = True
        for child in unpack_children(node.values):
            sound = await self._tree(child.id, found) and sound
        return sound

    def _entries(self, entries: Iterable[tuple[bytes, bytes]], found: dict[str, str]) -> bool:
        """Whether one of the entries needs something that is wrong."""
        listed = list(entries)
        try:
            pointers = _pointers.decode(array_of([value for _, value in listed]))
        except msgspec.MsgspecError:
            return False
        hit = False
        for (path, _), pointer in zip(listed, pointers, strict=True):
            if pointer.address in self._bad:
                found.setdefault(pointer.address, path.decode("utf-8", "replace"))
                hit = True
        return hit
