# SPDX-License-Identifier: Apache-2.0
"""Listing a repository: its branches as prefixes, and below a ref what it shows, with keys `ref/path`. A plain one
shows its default branch, with paths as keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidRef, NotFound, RepositoryNotFound
from lakehouse.core.records import PathEntry
from lakehouse.objects.port import ObjectInfo, StoredObject
from lakehouse.s3.operations.listing import Listed
from lakehouse.s3.repository.gateway import allow
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
        if gateway.across_branches and not ask.delimiter:
            return await _across(gateway, asked, ask, after=after)
        return await _branches(gateway, asked, ask, after=after)
    allow(gateway, asked, "fs:ListObjects")
    asked.require_repository()
    ref, path = asked.keys.split(ask.prefix)
    begins = _below(asked.keys.base(ref), after)
    try:
        if not ask.limit or begins is None or not ref.isprintable():
            raise NotFound
        query = listing.Query(_raw(path), begins, _raw(ask.delimiter), ask.limit)
        return await _page(gateway, asked, ref, query)
    except RepositoryNotFound:  # it was deleted meanwhile
        raise
    except (NotFound, InvalidRef):
        return Listed([], [])


async def _page(gateway: Gateway, asked: Asked, ref: str, query: listing.Query) -> Listed:
    """A page of what `ref` shows, with keys as the repository has them. Raises NotFound, InvalidRef."""
    base = asked.keys.base(ref)
    _, page = await listing.list_objects(gateway.lake, asked.repository, ref, query)
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


async def _across(gateway: Gateway, asked: Asked, ask: Wanted, *, after: str) -> Listed:
    """As `list_keys`, of all branches whose names begin with the prefix, in the order of whole keys."""
    allow(gateway, asked, "fs:ListBranches")
    allow(gateway, asked, "fs:ListObjects")
    found = Listed([], [])
    if not ask.limit or not _BRANCH.fullmatch(ask.prefix):
        asked.require_repository()
        return found
    for name in sorted(await _names(gateway, asked, ask.prefix), key="{}/".format):
        begins = _below(f"{name}/", after)
        if begins is None:
            continue
        room = ask.limit - len(found.objects)
        try:
            page = await _page(gateway, asked, name, listing.Query(b"", begins, b"", room or 1))
        except RepositoryNotFound:
            raise
        except NotFound:  # the branch was deleted meanwhile
            continue
        if not room:
            found.more = bool(page.objects)
        elif page.objects:
            found.objects += page.objects
            found.more, found.last = page.more, page.last
        if found.more:
            break
    found.resume = found.last
    return found


async def _names(gateway: Gateway, asked: Asked, prefix: str) -> list[str]:
    """All branches whose names begin with `prefix`."""
    names: list[str] = []
    more = True
    while more:
        after = names[-1] if names else ""
        page = await list_branches(gateway.lake, asked.repository, prefix=prefix, after=after, amount=MOST)
        names += [branch.name for branch in page.items]
        more = page.has_more
    return names


def _below(base: str, after: str) -> bytes | None:
    """The path that a page starts after; None when every key that begins with `base` comes before `after`."""
    if after.startswith(base):
        return _raw(after[len(base) :])
    return b"" if _raw(after) < _raw(base) else None


async def _branches(gateway: Gateway, asked: Asked, ask: Wanted, *, after: str) -> Listed:
    allow(gateway, asked, "fs:ListBranches")
    name = after.partition("/")[0]
    if not ask.limit or not _BRANCH.fullmatch(ask.prefix) or not name.isprintable():
        asked.require_repository()
        return Listed([], [])
    amount = ask.limit if ask.delimiter else MOST
    page = await list_branches(gateway.lake, asked.repository, prefix=ask.prefix, after=name, amount=amount)
    # Who sends no delimiter expects objects: some of those clients break on a page that is cut off and has none.
    more = page.has_more and ask.delimiter != ""
    found = Listed([], [f"{branch.name}/" for branch in page.items], more=more)
    found.last = found.resume = found.prefixes[-1] if found.prefixes else ""
    return found


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
