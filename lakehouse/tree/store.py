# SPDX-License-Identifier: Apache-2.0
"""Nodes in the object store, and those in memory and on this machine's disk that were read lately.

A node never changes, so what is cached stays right for ever.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from lakehouse.core.errors import DataDamaged, FormatUnknown, StoredObjectNotFound
from lakehouse.core.offload import breathe, offload
from lakehouse.format.boundary import TABLE_1, Boundary
from lakehouse.format.header import version_of
from lakehouse.format.node import Node, decode_node
from lakehouse.objects.port import BatchStore, Location, Small

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from lakehouse.core.ids import RepositoryId
    from lakehouse.format.node import Encoded
    from lakehouse.objects.port import ObjectStore
    from lakehouse.tree.cache import NodeCache
    from lakehouse.tree.disk import DiskCache

T = TypeVar("T")

CONCURRENCY = 32
"""Reads or writes of one store's nodes at a time."""
_TOGETHER = 128
"""Nodes stored by one call."""
_SPLIT = 50
"""Entries that are handled in the time in which a stored node is checked and its parts are told apart."""
_CUT = 2000
"""The same of one of version 1, which is cut into blocks."""
ETAG = 32
"""Digits of the id that are the node's ETag in stores that take one as it is given."""
NODE_TYPE = "application/octet-stream"


@lru_cache(maxsize=64)
def _takes_batches(store: type) -> bool:
    """Asked once a class: to compare with a protocol takes 40 us, and each operation makes a NodeStore."""
    return issubclass(store, BatchStore)


class NodeStore:
    """The nodes of one repository: `<prefix>_lakehouse/nodes/<first two digits>/<id>` in `bucket`.

    `gate` bounds the traffic; give several stores the same one to bound it together.
    """

    def __init__(
        self,
        objects: ObjectStore,
        cache: NodeCache,
        *,
        repository: RepositoryId,
        bucket: str,
        prefix: str,
        boundary: Boundary = TABLE_1,
        gate: asyncio.Semaphore | None = None,
    ) -> None:
        self._objects = objects
        self._cache = cache
        self._repository = repository
        self._bucket = bucket
        self._prefix = prefix
        self._gate = gate or asyncio.Semaphore(CONCURRENCY)
        self._batches = cast("BatchStore", objects) if _takes_batches(type(objects)) else None
        self._disk = cache.disk if self._batches is None else None
        self.boundary = boundary

    def location(self, node_id: str) -> Location:
        """Where the node is kept."""
        return Location(self._bucket, f"{self._prefix}_lakehouse/nodes/{node_id[:2]}/{node_id}")

    def cached(self, node_id: str) -> Node | None:
        """The node if it is in memory."""
        return self._cache.get(self._repository, node_id)

    async def read(self, node_id: str) -> Node:
        """One node, checksum and id verified.

        Raises DataDamaged (also when it is not there), FormatUnknown, StorageUnavailable.
        """
        node = self._cache.get(self._repository, node_id)
        if node is None:
            node = (await self._load([node_id]))[0]
        return node

    async def read_many(self, node_ids: Sequence[str]) -> dict[str, Node]:
        """Nodes by id, those that are not in memory read at the same time. Raises as `read`."""
        found: dict[str, Node] = {}
        missing: list[str] = []
        for node_id in node_ids:
            node = self._cache.get(self._repository, node_id)
            if node is None:
                missing.append(node_id)
            else:
                found[node_id] = node
        if missing:
            found.update(zip(missing, await self._load(missing), strict=True))
        return found

    async def write(self, nodes: Iterable[Encoded]) -> None:
        """Store nodes, at the same time; all are durable when it returns.

        Always a PUT: an equal node that is there already may be about to be swept. Raises StorageFull,
        StorageUnavailable; some nodes may be stored then, which harms nothing.
        """
        batch = list(nodes)
        for at in range(0, len(batch), _TOGETHER):
            await self._store(batch[at : at + _TOGETHER])
        for node in batch:
            self._cache.put(self._repository, node.id, node.node)

    async def _store(self, nodes: list[Encoded]) -> None:
        if self._batches is None:
            await _all([self._put(node) for node in nodes])
            await self._keep([(node.id, node.body) for node in nodes])
        else:
            smalls = [Small(self.location(node.id), node.body, node.id[:ETAG]) for node in nodes]
            await self._batches.put_batch(smalls, content_type=NODE_TYPE)

    async def _put(self, node: Encoded) -> None:
        async with self._gate:
            await self._objects.put(self.location(node.id), node.body, size=len(node.body), content_type=NODE_TYPE)

    async def _load(self, node_ids: Sequence[str]) -> list[Node]:
        self._cache.misses += len(node_ids)
        nodes = await self._load_from_disk(node_ids)
        missing = [node_id for node_id in node_ids if node_id not in nodes]
        if missing:
            bodies = await _all([self._get(node_id) for node_id in missing])
            read = await offload(sum(map(_work, bodies)), self._decoded, missing, bodies)
            nodes.update(zip(missing, read, strict=True))
            await self._keep(zip(missing, bodies, strict=True))
        for node_id in node_ids:
            self._cache.put(self._repository, node_id, nodes[node_id])
        return [nodes[node_id] for node_id in node_ids]

    async def _load_from_disk(self, node_ids: Sequence[str]) -> dict[str, Node]:
        """Those of the nodes of which this machine has a sound copy."""
        if self._disk is None:
            return {}
        found = await asyncio.to_thread(self._sound_copies, self._disk, node_ids)
        self._cache.disk_hits += len(found)
        return found

    def _sound_copies(self, disk: DiskCache, node_ids: Sequence[str]) -> dict[str, Node]:
        nodes = {}
        for node_id, body in disk.read(self._repository, node_ids).items():
            try:
                nodes[node_id] = decode_node(body, node_id=node_id, boundary=self.boundary)
                nodes[node_id].verify()
            except (DataDamaged, FormatUnknown):
                nodes.pop(node_id, None)
                disk.drop(self._repository, node_id)
            breathe()
        return nodes

    async def _keep(self, nodes: Iterable[tuple[str, bytes]]) -> None:
        if self._disk is not None:
            await asyncio.to_thread(self._disk.write, self._repository, list(nodes))

    async def _get(self, node_id: str) -> bytes:
        async with self._gate:
            try:
                reader = await self._objects.get(self.location(node_id))
            except StoredObjectNotFound as error:
                raise DataDamaged(
                    f"node {node_id} of repository {self._repository} is missing: "
                    "run `lakehouse fsck`, and restore it from a backup or replica of the store"
                ) from error
            return await reader.read()

    def _decoded(self, node_ids: Sequence[str], bodies: list[bytes]) -> list[Node]:
        nodes = []
        for node_id, body in zip(node_ids, bodies, strict=True):
            nodes.append(decode_node(body, node_id=node_id, boundary=self.boundary))
            breathe()
        return nodes


def _work(body: bytes) -> int:
    return _CUT if version_of(body) == 1 else _SPLIT


async def _all(calls: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the calls at the same time; the first error stops the others and is raised itself."""
    if len(calls) == 1:
        return [await calls[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
