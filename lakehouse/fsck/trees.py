# SPDX-License-Identifier: Apache-2.0
"""Every node below some roots, once, level by level in bounded memory; what entries point to comes out sorted.

A node that cannot be read is told and passed over: what lies below it is not looked at, and not called missing.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataDamaged, FormatUnknown, LakehouseError, StorageUnavailable, StoredObjectNotFound
from lakehouse.core.offload import PAGE, breathe, offload
from lakehouse.core.records import AddressKind
from lakehouse.format.child import array_of
from lakehouse.fsck.report import Kind
from lakehouse.gc.levels import TOGETHER, Levels
from lakehouse.gc.sorting import SortedSet
from lakehouse.objects.port import CheckedStore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakehouse.core.records import Repository
    from lakehouse.format.node import Node
    from lakehouse.fsck.report import Report
    from lakehouse.versioning.lake import Lake


class Pointer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an entry says of its object's bytes."""

    address: str
    kind: int
    size: int
    checksum: str
    mtime: int = 0
    content_type: str = ""
    metadata: msgspec.Raw = msgspec.Raw(b"\x80")
    store: str = ""
    parts: int = 0


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """A record of a sorted set: an object as somebody needs it. `parts`: its checksum is not that of its bytes."""

    address: str
    size: int
    checksum: str
    parts: int
    store: str


_pointers = msgspec.msgpack.Decoder(list[Pointer])
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Wanted).decode


class Needed:
    """The objects that entries need: `own` in the repository's namespace, `external` elsewhere."""

    def __init__(self, *, held: int) -> None:
        self.own = SortedSet(held=held)
        self.external = SortedSet(held=held)

    def add(self, packed: Iterable[bytes]) -> None:
        """Note what these entries point to. Raises DataDamaged."""
        try:
            found = _pointers.decode(array_of(list(packed)))
        except msgspec.MsgspecError as error:
            raise DataDamaged(f"an entry cannot be read: {error}") from error
        own = [_record(one) for one in found if one.kind == AddressKind.RELATIVE]
        self.own.add(own)
        self.external.add([_record(one) for one in found if one.kind != AddressKind.RELATIVE])

    def close(self) -> None:
        """Drop the temporary files."""
        self.own.close()
        self.external.close()


def _record(one: Pointer) -> bytes:
    """Sorts by address: no address has a NUL."""
    wanted = Wanted(one.address, one.size, one.checksum, one.parts, one.store)
    return one.address.encode() + b"\0" + _encode(wanted)


def wanted_of(record: bytes) -> Wanted:
    """What a record of `Needed` says."""
    return _decode(record[record.index(b"\0") + 1 :])


class Walk:
    """One walk over a repository's trees."""

    def __init__(self, lake: Lake, repository: Repository, needed: Needed, report: Report, *, held: int) -> None:
        self._store = lake.walked_tree(repository)
        self._objects = lake.place(repository).store.objects
        self._repository = repository
        self._needed = needed
        self._report = report
        self._held = held
        self.bad: dict[str, list[str]] = {}
        """Ids of nodes that cannot be read; the lists take the refs that need them."""

    async def run(self, roots: SortedSet) -> None:
        """Read every node below the roots. Raises StorageUnavailable."""
        with closing(Levels(held=self._held)) as levels, closing(levels.pages(roots)) as pages:
            for _, ids in pages:
                for at in range(0, len(ids), TOGETHER):
                    nodes = await self._read(ids[at : at + TOGETHER])
                    self._report.nodes += len(nodes)
                    await offload(2 * PAGE * len(nodes), self._note, nodes, levels)

    async def _read(self, ids: list[str]) -> dict[str, Node]:
        try:
            return await self._store.read_many(ids)
        except (DataDamaged, FormatUnknown, StorageUnavailable):
            pass
        nodes: dict[str, Node] = {}
        for node_id in ids:
            try:
                nodes[node_id] = await self._store.read(node_id)
            except (DataDamaged, FormatUnknown) as error:
                self._tell(node_id, error)
            except StorageUnavailable as error:
                if not await self._is_damaged(node_id):
                    raise
                self._tell(node_id, error)
        return nodes

    async def _is_damaged(self, node_id: str) -> bool:
        """Whether it is this node that is at fault, not the store."""
        objects, place = self._objects, self._store.location(node_id)
        return isinstance(objects, CheckedStore) and bool(await objects.check(place.bucket, [place.key]))

    def _tell(self, node_id: str, error: LakehouseError) -> None:
        if node_id in self.bad:
            return
        self.bad[node_id] = self._report.add(
            Kind.NODE_MISSING if isinstance(error.__cause__, StoredObjectNotFound) else Kind.NODE_DAMAGED,
            self._repository.name,
            error.message.partition(": run ")[0],
            key=self._store.location(node_id).key,
        ).refs

    def _note(self, nodes: dict[str, Node], levels: Levels) -> None:
        for node_id, node in nodes.items():
            try:
                if node.level:
                    levels.descend(node)
                else:
                    self._needed.add(node.values)
                node.verify()
            except (DataDamaged, FormatUnknown) as error:
                self._tell(node_id, error)
            breathe()
