# SPDX-License-Identifier: Apache-2.0
"""Symlink files: for each folder of a branch a list of its objects' addresses, for engines that know no branches.

They are a picture of one moment: a table over them shows what the branch showed when they were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidArgument
from lakehouse.core.records import PathEntry
from lakehouse.versioning import resolve
from lakehouse.versioning.objects import addresses
from lakehouse.versioning.objects.addresses import INTERNAL
from lakehouse.versioning.objects.listing import Query, list_objects

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.core.records import Repository
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place

FOLDER = INTERNAL + "symlinks/"
NAME = "symlink.txt"
_PAGE = 1000


async def create_symlink_file(lake: Lake, repository: str, branch: str, *, location: bytes) -> str:
    """Write the files of all folders at and below `location`, and remove those of folders that are gone.

    Returns the address that stands for `location`, which ends in "/". Memory holds the lists of one folder and those
    above it. A failure leaves some files new and some old. Raises RepositoryNotFound, BranchNotFound, InvalidArgument
    (an address with a line break), StorageFull, StorageUnavailable.
    """
    repo, found = await resolve.branch(lake, repository, branch)
    if location and not location.endswith(b"/"):
        location += b"/"
    place = lake.place(repo)
    root = f"{FOLDER}{found.name}/"
    kept: set[str] = set()
    async for folder, lines in _folders(_addresses(lake, repo, found.name, location)):
        key = root + folder.decode(errors="replace") + NAME
        await place.store.objects.put(place.locate(key), lines, content_type="text/plain")
        kept.add(key)
    written = root + location.decode(errors="replace")
    await _remove_others(place, written, kept)
    return place.uri + written


async def _addresses(lake: Lake, repo: Repository, branch: str, prefix: bytes) -> AsyncIterator[tuple[bytes, str]]:
    """Paths and addresses, in order of path."""
    after = b""
    more = True
    while more:
        _, page = await list_objects(lake, repo.name, branch, Query(prefix=prefix, after=after, amount=_PAGE))
        for item in page.items:
            if isinstance(item, PathEntry):
                after = item.path
                yield item.path, addresses.absolute(lake, repo, item.entry)
        more = page.has_more


async def _folders(rows: AsyncIterator[tuple[bytes, str]]) -> AsyncIterator[tuple[bytes, bytes]]:
    """Folders that have objects of their own, each once, with its lines: when the last of its paths has been seen."""
    open_ones: list[tuple[bytes, bytearray]] = []
    async for path, address in rows:
        if "\n" in address or "\r" in address:
            raise InvalidArgument(f"{path.decode(errors='replace')}: its address has a line break")
        while open_ones and not path.startswith(open_ones[-1][0]):
            folder, lines = open_ones.pop()
            yield folder, bytes(lines)
        folder = path[: path.rfind(b"/") + 1]
        if not open_ones or open_ones[-1][0] != folder:
            open_ones.append((folder, bytearray()))
        open_ones[-1][1].extend(address.encode() + b"\n")
    for folder, lines in reversed(open_ones):
        yield folder, bytes(lines)


async def _remove_others(place: Place, prefix: str, kept: set[str]) -> None:
    """Remove the symlink files of earlier calls that were not written again."""
    after, more = "", True
    start = place.locate("").key
    while more:
        found, more = await place.store.objects.list(place.bucket, prefix=start + prefix, after=after, limit=_PAGE)
        old = [one.key for one in found if one.key[len(start) :] not in kept]
        await place.store.objects.delete([place.locate(key[len(start) :]) for key in old])
        after = found[-1].key if found else ""
