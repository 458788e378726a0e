# SPDX-License-Identifier: Apache-2.0
"""The mark: the keys below a repository's namespace that are still needed.

What is needed only ever moves on: an unfinished upload becomes a staged row, rows become a base tree or a commit, a
base becomes a commit. The mark reads in this order, so that nothing slips past it: whatever moved on meanwhile is seen
where it came from or where it went. Rows that a fold moves stay for ten minutes where they were, and the mark gives up
when it takes longer to read them. Nodes are walked level by level, each once, in bounded memory.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import CollectionRefused
from lakehouse.core.offload import PAGE, breathe, offload
from lakehouse.core.records import AddressKind
from lakehouse.format.child import array_of
from lakehouse.gc.levels import TOGETHER, Levels
from lakehouse.gc.retention import retained
from lakehouse.gc.rules import stored_rules
from lakehouse.gc.sorting import SortedSet
from lakehouse.meta import collection, staging
from lakehouse.versioning.objects.addresses import INTERNAL
from lakehouse.versioning.work.sweeping import KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from lakehouse.core.ids import CommitId
    from lakehouse.core.records import Repository
    from lakehouse.format.node import Node
    from lakehouse.meta.collection import HeldRef
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake

NODES = INTERNAL + "nodes/"
PATIENT = KEPT // 6
"""Seconds after which reading what is staged no longer waits for others: it has to end in time."""


class _Address(msgspec.Struct, array_like=True, gc=False):
    address: str
    kind: int


_addresses = msgspec.msgpack.Decoder(list[_Address])


class Mark:
    """One mark of a repository, with the repositories that share its namespace. Close it when it was used.

    `keep` is awaited now and then: it says that the run is still there.
    """

    def __init__(
        self, lake: Lake, repository: Repository, *, started: int, held: int, keep: Callable[[], Awaitable[None]]
    ) -> None:
        self._lake = lake
        self._repository = repository
        self.started = started
        self._held = held
        self._still_there = keep
        self.live = SortedSet(held=held)
        """Keys that are needed."""
        self.dropped: list[CommitId] = []
        """Commits of the repository that retention no longer keeps."""
        self.commits = 0
        self.idle: list[str] = []
        """Hidden branches that nobody has moved for a week."""

    async def run(self, sharing: Sequence[Repository]) -> None:
        """Find all that is needed. Raises CollectionRefused, DataDamaged, StorageUnavailable."""
        for repository in (self._repository, *sharing):
            await self._uploads(repository)
            await self._staged(repository)
            await self._committed(repository)

    def close(self) -> None:
        """Drop the temporary files."""
        self.live.close()

    async def _uploads(self, repository: Repository) -> None:
        addresses = await collection.upload_addresses(self._lake.db, repository.id)
        self.live.add([address.encode() for address in addresses])

    async def _staged(self, repository: Repository) -> None:
        tokens = set(await collection.dropped_tokens(self._lake.db))
        async for page in collection.held_refs(self._lake.db, repository.id):
            tokens.update(token for ref in page for token in ref.tokens)
        for token in tokens:
            scanned = staging.scan(self._lake.db, token)
            async for rows in self._lake.pace.spread(scanned, wanted=lambda: self._lake.now - self.started > PATIENT):
                await self._still_there()
                await offload(2 * PAGE, self._note_rows, rows)
        if self._lake.now - self.started > KEPT // 2:
            raise CollectionRefused(
                "reading what is uncommitted took too long for a safe mark: commit or reset branches with very many "
                "uncommitted changes, or collect when the server has less to do"
            )

    def _note_rows(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        self.live.add(_needed([value for _, value in rows if value]))
        breathe()

    async def _committed(self, repository: Repository) -> None:
        roots, past = SortedSet(held=self._held), SortedSet(held=self._held)
        try:
            refs: list[HeldRef] = []
            async for page in collection.held_refs(self._lake.db, repository.id):
                refs += page
                roots.add([bytes.fromhex(ref.base) for ref in page if ref.base])
            await self._roots(repository, refs, roots, past)
            await self._walk(repository, roots, objects=True)
            await self._walk(repository, past, objects=False)
        finally:
            roots.close()
            past.close()

    async def _roots(self, repository: Repository, refs: list[HeldRef], roots: SortedSet, past: SortedSet) -> None:
        """The trees of all commits that stay, and those of commits that are, or will be, expired: merges go on from
        where branches parted, however long ago that was.
        """
        own = repository.id == self._repository.id
        if own:
            limit = self.started - 7 * 86_400
            self.idle = [ref.name for ref in refs if ref.hidden and ref.updated < limit]
        rules = await stored_rules(self._lake.db, repository.id) if own else None
        if rules is None:
            async for page in collection.commit_rows(self._lake.db, repository.id):
                kept = [row for row in page if not row.expired]
                self.commits += len(kept)
                roots.add([bytes.fromhex(row.root) for row in kept if row.root])
                past.add([bytes.fromhex(row.root) for row in page if row.root and row.expired])
            return
        found = await retained(self._lake, repository, rules, refs, now=self.started)
        self.commits += len(found.active)
        self.dropped = found.dropped
        roots.add([bytes.fromhex(row.root) for row in found.active.values() if row.root])
        past.add([bytes.fromhex(row.root) for row in found.others if row.root])

    async def _walk(self, repository: Repository, roots: SortedSet, *, objects: bool) -> None:
        """Every node below the roots, once: from the highest level down, within one in order of key. `objects`: what
        their entries point to is needed too; else leaves are not even read, but for those that are roots.
        """
        store = self._lake.walked_tree(repository)
        with closing(Levels(held=self._held)) as levels, closing(levels.pages(roots)) as pages:
            for level, ids in pages:
                if level != 0 or objects:
                    await self._read(store, ids, levels, objects=objects)
                else:
                    self._keep(ids)
                    await asyncio.sleep(0)

    async def _read(self, store: NodeStore, ids: list[str], levels: Levels, *, objects: bool) -> None:
        async for part in self._lake.pace.spread(_parts(ids)):
            await self._still_there()
            nodes = await store.read_many(part)
            self._keep(part)
            await offload(2 * PAGE * len(nodes), self._note, nodes, levels, objects=objects)

    def _keep(self, ids: list[str]) -> None:
        self.live.add([node_key(node_id).encode() for node_id in ids])

    def _note(self, nodes: dict[str, Node], levels: Levels, *, objects: bool) -> None:
        for node in nodes.values():
            if node.level:
                levels.descend(node)
            elif objects:
                self.live.add(_needed(node.values))
            breathe()


async def _parts(ids: list[str]) -> AsyncGenerator[list[str], None]:
    """Ids of nodes to be read at the same time."""
    for at in range(0, len(ids), TOGETHER):
        yield ids[at : at + TOGETHER]


def node_key(node_id: str) -> str:
    """Where a node is, below the namespace."""
    return f"{NODES}{node_id[:2]}/{node_id}"


def _needed(packed: list[bytes]) -> list[bytes]:
    """The keys that entries point to below the namespace."""
    found = _addresses.decode(array_of(packed))
    return [one.address.encode() for one in found if one.kind == AddressKind.RELATIVE]
