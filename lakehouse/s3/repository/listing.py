# SPDX-License-Identifier: Apache-2.0
"""Listing a repository: its branches as prefixes, and below a ref what it shows, with keys `ref/path`. A plain one
shows its default branch, with paths as keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidRef, NotFound
from lakehouse.core.records import PathEntry
from lakehouse.objects.port import ObjectInfo, StoredObject
from lakehouse.s3.operations.listing import Listed
from lakehouse.s3.repository.gateway import allow
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import listing
from lakehouse.versioning.refs.branches import list_branches

if TYPE_CHECKING:
    from lakehouse.s3.operations.listing import Wanted
    from lakehouse.s3.repository.gateway import Asked, Gateway

MOST = 10_000
"""Keys of a page."""
_BRANCH = re.compile(r"[-\w]*", re.ASCII)


async def list_keys(gateway: Gateway, asked: Asked, ask: Wanted, *, after: str) -> Listed:
    """The first `ask.limit` keys and groups strictly after `after`, a key. An unknown ref shows nothing.

    Raises RepositoryNotFound, InsufficientPermissions.
    """
    if asked.keys.only is None and "/" not in ask.prefix:
        return await _branches(gateway, asked, ask, after=after)
    allow(gateway, asked, "fs:ListObjects")
    ref, path = asked.keys.split(ask.prefix)
    base = asked.keys.base(ref)
    begins = _below(base, after)
    try:
        if not ask.limit or begins is None or not ref.isprintable():
            raise NotFound
        query = listing.Query(_raw(path), begins, _raw(ask.delimiter), ask.limit)
        _, page = await listing.list_objects(gateway.lake, asked.repository, ref, query)
    except (NotFound, InvalidRef):
        await resolve.repository(gateway.lake, asked.repository)
        return Listed([], [])
    found = Listed([], [], more=page.has_more)
    for item in page.items:
        found.last = base + item.path.decode("utf-8", "surrogateescape")
        if isinstance(item, PathEntry):
            entry = item.entry
            found.objects.append(StoredObject(found.last, ObjectInfo(entry.size, entry.etag, entry.mtime)))
        else:
            found.prefixes.append(found.last)
    found.resume = found.last
    return found


def _below(base: str, after: str) -> bytes | None:
    """The path that a page starts after; None when every key that begins with `base` comes before `after`."""
    if after.startswith(base):
        return _raw(after[len(base) :])
    return b"" if _raw(after) < _raw(base) else None


async def _branches(gateway: Gateway, asked: Asked, ask: Wanted, *, after: str) -> Listed:
    allow(gateway, asked, "fs:ListBranches")
    name = after.partition("/")[0]
    if not ask.limit or not _BRANCH.fullmatch(ask.prefix) or not name.isprintable():
        await resolve.repository(gateway.lake, asked.repository)
        return Listed([], [])
    page = await list_branches(gateway.lake, asked.repository, prefix=ask.prefix, after=name, amount=ask.limit)
    found = Listed([], [f"{branch.name}/" for branch in page.items], more=page.has_more)
    found.last = found.resume = found.prefixes[-1] if found.prefixes else ""
    return found


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
