# SPDX-License-Identifier: Apache-2.0
"""An object's bytes, copied to a fresh address: within a store by the store itself, else through this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import DataMissing, StoredObjectNotFound
from lakehouse.versioning.objects import addresses

if TYPE_CHECKING:
    from lakehouse.core.records import Entry, Repository
    from lakehouse.versioning.lake import Lake


async def copy_bytes(
    lake: Lake, source: tuple[Repository, Entry], target: Repository, *, content_type: str = ""
) -> str:
    """Copy an object into the namespace of `target`; its address there. `content_type` is told to another store.

    Nothing is staged. Raises DataMissing.
    """
    place = lake.place(target)
    store, location = addresses.locate(lake, *source)
    address = addresses.fresh(lake.clock())
    to = place.locate(address)
    try:
        if store is place.store:
            await store.objects.copy(location, to)
        else:
            reader = await store.objects.get(location)
            try:
                await place.store.objects.put(to, reader.body, size=reader.length, content_type=content_type)
            finally:
                await reader.close()
    except StoredObjectNotFound as error:
        raise DataMissing from error
    return address
