# SPDX-License-Identifier: Apache-2.0
"""How many objects, and of how many bytes, a ref shows under a prefix.

Of the tree by the counts of its nodes, O(log n); each uncommitted row under the prefix is looked at besides.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from lakehouse.core.paths import after_prefix
from lakehouse.format.entry import total_size
from lakehouse.tree.lookup import lookup_many
from lakehouse.tree.stats import Count, count
from lakehouse.versioning import resolve
from lakehouse.versioning.staged import changes

if TYPE_CHECKING:
    from lakehouse.core.records import Branch, Repository
    from lakehouse.versioning.lake import Lake


async def get_prefix_usage(lake: Lake, repository: str, ref: str, prefix: bytes) -> Count:
    """Objects and bytes whose path begins with `prefix`; bytes that several entries share count for each of them.

    Uncommitted changes count where `ref` shows them. Raises RepositoryNotFound, InvalidRef, NotFound.
    """
    shown = await resolve.ref(lake, repository, ref)
    if shown.staging is None:
        return await count(lake.tree(shown.repository), shown.root, prefix)
    return await _on_branch(lake, shown.repository, shown.staging, prefix)


async def _on_branch(lake: Lake, repository: Repository, branch: Branch, prefix: bytes) -> Count:
    tree = lake.tree(repository)
    total = await count(tree, branch.tree, prefix)
    objects, size = total.objects, total.bytes
    tokens = (branch.staging_token, *branch.sealed)
    async with aclosing(changes.rows(lake.db, tokens, start=prefix, end=after_prefix(prefix))) as pages:
        async for page in pages:
            hidden = await lookup_many(tree, branch.tree, [path for path, _ in page])
            old = [packed for packed in hidden if packed is not None]
            new = [value for _, value in page if value]
            objects += len(new) - len(old)
            size += total_size(new) - total_size(old)
            await asyncio.sleep(0)  # rows and nodes may all be in memory: others want to run too
    return Count(objects, size)
