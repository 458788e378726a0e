# SPDX-License-Identifier: Apache-2.0
"""Whether the objects that entries need are there, as long as they should be, and, if asked for, the same bytes.

What is needed and what the store lists come in one order, and are gone through side by side: a thousand objects cost
one call to the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError, StoredObjectNotFound
from lakehouse.fsck.report import Kind
from lakehouse.fsck.trees import wanted_of
from lakehouse.objects.address import parse_address
from lakehouse.objects.port import CheckedStore, Location

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.records import Repository
    from lakehouse.fsck.report import Report
    from lakehouse.fsck.trees import Needed, Wanted
    from lakehouse.objects.port import ObjectStore
    from lakehouse.versioning.lake import Lake

_MD5 = re.compile(r"[0-9a-f]{32}")
_TOGETHER = 16
"""Objects elsewhere that are asked for at the same time."""


class Objects:
    """The objects of one repository. `read`: their bytes are read and compared with their checksums."""

    def __init__(self, lake: Lake, repository: Repository, report: Report, *, read: bool) -> None:
        self._lake = lake
        self._repository = repository
        self._report = report
        self._read = read
        self.bad: dict[str, list[str]] = {}
        """Addresses, as entries have them, of what is wrong; the lists take the refs that need them."""

    async def check(self, needed: Needed) -> None:
        """Look at all of them. Raises StorageUnavailable."""
        await self._own(needed)
        await self._external(needed)

    async def _own(self, needed: Needed) -> None:
        place = self._lake.place(self._repository)
        store = place.store.objects
        listed = _listed(store, place.bucket, place.prefix)
        at = await anext(listed, None)
        for page in needed.own.pages():
            found: dict[str, Wanted] = {}
            for wanted in map(wanted_of, page):
                # Bytewise: a str compares by code points, which is the order of UTF-8.
                while at is not None and at[0] < wanted.address:
                    at = await anext(listed, None)
                if at is None or at[0] != wanted.address:
                    self._tell(Kind.OBJECT_MISSING, wanted, "is not in the store")
                elif at[1] != wanted.size:
                    self._tell(Kind.OBJECT_SIZE, wanted, f"has {at[1]} bytes, {wanted.size} are needed")
                else:
                    found[place.prefix + wanted.address] = wanted
            self._report.objects += len(page)
            if isinstance(store, CheckedStore):
                for key, wrong in await store.check(place.bucket, list(found)):
                    self._tell(Kind.OBJECT_MISSING, found.pop(key), wrong)
            if self._read:
                for key, wanted in found.items():
                    await self._compare(store, Location(place.bucket, key), wanted)

    async def _external(self, needed: Needed) -> None:
        for page in needed.external.pages():
            for start in range(0, len(page), _TOGETHER):
                async with asyncio.TaskGroup() as group:
                    for record in page[start : start + _TOGETHER]:
                        group.create_task(self._elsewhere(wanted_of(record)))
            self._report.external += len(page)

    async def _elsewhere(self, wanted: Wanted) -> None:
        try:
            address = parse_address(wanted.address)
            store = self._lake.stores.store_of(address, wanted.store).objects
            place = Location(address.bucket, address.key)
            info = await store.head(place)
        except StoredObjectNotFound:
            self._tell(Kind.OBJECT_MISSING, wanted, "is not in the store")
        except LakehouseError as error:
            self._tell(Kind.UNREACHABLE, wanted, f"could not be asked for: {error.message}")
        else:
            if info.size != wanted.size:
                self._tell(Kind.OBJECT_SIZE, wanted, f"has {info.size} bytes, {wanted.size} are needed")
            elif self._read:
                await self._compare(store, place, wanted)

    async def _compare(self, store: ObjectStore, place: Location, wanted: Wanted) -> None:
        """Read an object. Checksums that are no MD5 of the bytes say nothing: then the length alone is compared."""
        digest, length = hashlib.md5(usedforsecurity=False), 0
        try:
            reader = await store.get(place)
            async for chunk in reader.body:
                length += len(chunk)
                await asyncio.to_thread(digest.update, chunk)
        except LakehouseError as error:
            self._tell(Kind.OBJECT_DAMAGED, wanted, f"cannot be read: {error.message}")
            return
        self._report.bytes_read += length
        if length != wanted.size:
            self._tell(Kind.OBJECT_DAMAGED, wanted, f"gives {length} bytes, {wanted.size} are needed")
        elif not wanted.parts and _MD5.fullmatch(wanted.checksum) and digest.hexdigest() != wanted.checksum:
            self._tell(Kind.OBJECT_DAMAGED, wanted, f"is not what its checksum {wanted.checksum} is of")

    def _tell(self, kind: Kind, wanted: Wanted, wrong: str) -> None:
        if wanted.address not in self.bad:
            message = f"the object {wanted.address} {wrong}"
            problem = self._report.add(kind, self._repository.name, message, key=wanted.address)
            self.bad[wanted.address] = problem.refs


async def listed_keys(store: ObjectStore, bucket: str, prefix: str) -> AsyncIterator[str]:
    """What follows `prefix` in the keys that begin with it, in order."""
    async for key, _ in _listed(store, bucket, prefix):
        yield key


async def _listed(store: ObjectStore, bucket: str, prefix: str) -> AsyncIterator[tuple[str, int]]:
    """Relative addresses and sizes of what lies below a namespace, in order."""
    after, more = "", True
    while more:
        page, more = await store.list(bucket, prefix=prefix, after=after)
        for one in page:
            yield one.key[len(prefix) :], one.info.size
        if page:
            after = page[-1].key
        else:
            return
