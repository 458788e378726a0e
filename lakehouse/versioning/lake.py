# SPDX-License-Identifier: Apache-2.0
"""The lake: everything that the operations of the engine work with, in one value."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lakehouse.core.clock import Clock, system_clock
from lakehouse.core.pace import Pace
from lakehouse.core.records import Actor
from lakehouse.core.signing import Signer
from lakehouse.db.port import Database
from lakehouse.telemetry.counts import Counts
from lakehouse.tree.cache import NodeCache
from lakehouse.tree.store import CONCURRENCY, NodeStore
from lakehouse.versioning.state.commit_cache import CommitCache
from lakehouse.versioning.state.events import Hooks, NoHooks
from lakehouse.versioning.state.held_nodes import HeldNodes
from lakehouse.versioning.state.protection_cache import ProtectionCache
from lakehouse.versioning.state.staged_rows import StagedRows
from lakehouse.versioning.state.stores import Stores
from lakehouse.versioning.state.tasks import Tasks
from lakehouse.versioning.state.turns import Background, Turns

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from lakehouse.core.ids import BranchId
    from lakehouse.core.records import Repository
    from lakehouse.versioning.state.stores import Place
    from lakehouse.versioning.state.turns import Turn

__all__ = ["Actor", "Lake"]

S = TypeVar("S", bound=NodeStore)
DAY = 86_400


class Lake(msgspec.Struct, frozen=True, eq=False):
    """Ports, caches of immutable things, keys and time. Holds nothing that another process could change."""

    db: Database
    stores: Stores
    nodes: NodeCache
    addresses: Signer
    tokens: Signer
    clock: Clock = system_clock
    address_validity: int = DAY
    """Seconds for which an address that was handed out can be linked."""
    presign_seconds: int = 900
    upload_validity: int = 7 * DAY
    """Seconds after which an upload in parts that is not finished is given up."""
    hooks: Hooks = msgspec.field(default_factory=NoHooks)
    """Who agrees to what happens, and is told of it."""
    turns: Turns = msgspec.field(default_factory=Turns)
    background: Background = msgspec.field(default_factory=Background)
    tasks: Tasks = msgspec.field(default_factory=Tasks)
    protection: ProtectionCache = msgspec.field(default_factory=ProtectionCache)
    commits: CommitCache = msgspec.field(default_factory=CommitCache)
    gate: asyncio.Semaphore = msgspec.field(default_factory=lambda: asyncio.Semaphore(CONCURRENCY))
    """Bounds the traffic of nodes, of all repositories together."""
    pace: Pace = msgspec.field(default_factory=Pace)
    """How batches give way to what is short."""
    staged: StagedRows = msgspec.field(default_factory=StagedRows)
    """How much this process has staged on each branch since that was last folded."""
    counts: Counts = msgspec.field(default_factory=Counts)
    """What is seldom done, counted for whoever watches the server."""

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())

    def place(self, repository: Repository) -> Place:
        """Where the repository's objects are."""
        return self.stores.place(repository.storage_namespace, repository.storage_id)

    def tree(self, repository: Repository) -> NodeStore:
        """The nodes of the repository's trees."""
        return self._nodes_of(NodeStore, repository, self.nodes, self.gate)

    def held_tree(self, repository: Repository) -> HeldNodes:
        """The same, for several trees that are stored together."""
        return self._nodes_of(HeldNodes, repository, self.nodes, self.gate)

    def walked_tree(self, repository: Repository, *, cache: int = 0) -> NodeStore:
        """The same, for walks over whole trees: with a cache of their own, of so many bytes, and out of the way of
        requests.
        """
        return self._nodes_of(NodeStore, repository, NodeCache(cache), None)

    def _nodes_of(self, kind: type[S], repository: Repository, cache: NodeCache, gate: asyncio.Semaphore | None) -> S:
        place = self.place(repository)
        return kind(
            place.store.objects,
            cache,
            repository=repository.id,
            bucket=place.bucket,
            prefix=place.prefix,
            gate=gate,
        )

    def turn(self, branch: BranchId) -> AbstractAsyncContextManager[Turn]:
        """Wait for the branch's turn, to move its head or its staging areas, and hold it."""
        return self.turns.among_all(branch, self.db, self.clock)
