# SPDX-License-Identifier: Apache-2.0
"""Everything under a prefix replaced by other entries: what an import does.

What is under the prefix has to be read, because an entry that comes again as the same object keeps the bytes that it
has. Nothing else is.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from lakehouse.core.offload import PAGE
from lakehouse.core.paths import successor
from lakehouse.format.entry import TOMBSTONE, same_identity
from lakehouse.tree.apply import Applied, Change, Same, apply
from lakehouse.tree.lookup import scan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.ids import MetaRangeId
    from lakehouse.tree.store import NodeStore


async def replace_range(
    store: NodeStore,
    root: MetaRangeId,
    prefix: bytes,
    entries: AsyncIterator[list[Change]],
    *,
    same: Same = same_identity,
) -> Applied:
    """The tree in which `entries` are all that begins with `prefix`, as `apply` makes it.

    Keys ascend strictly over all pages and begin with the prefix: ValueError if one does not.
    """
    return await apply(store, root, _changes(store, root, prefix, entries), same=same)


async def _changes(
    store: NodeStore, root: MetaRangeId, prefix: bytes, entries: AsyncIterator[list[Change]]
) -> AsyncIterator[list[Change]]:
    """The entries, and tombstones for the keys that are there and not among them, in pages."""
    start = prefix
    async for page in entries:
        if not page:
            continue
        if not (page[0][0].startswith(prefix) and page[-1][0].startswith(prefix)):
            raise ValueError(f"an entry is not under the prefix {prefix!r}")
        last = page[-1][0]
        coming = {key for key, _ in page}
        done = 0
        while done < len(page):
            there = await _keys(store, root, start, prefix)
            here = there[: bisect_right(there, last)]
            upto = here[-1] if len(here) == PAGE else last
            end = bisect_right(page, upto, key=_key)
            yield sorted(page[done:end] + [(key, TOMBSTONE) for key in here if key not in coming])
            done, start = end, successor(upto)
    while there := await _keys(store, root, start, prefix):
        yield [(key, TOMBSTONE) for key in there]
        start = successor(there[-1])


async def _keys(store: NodeStore, root: MetaRangeId, start: bytes, prefix: bytes) -> list[bytes]:
    keys, _ = await scan(store, root, start=start, prefix=prefix, limit=PAGE)
    return keys


def _key(change: Change) -> bytes:
    return change[0]
