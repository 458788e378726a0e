# SPDX-License-Identifier: Apache-2.0
"""Finding and reading the hook files of a tree, or of what a branch shows.

Trees and the bytes of objects never change, so what was found in them is kept for ever, as far as there is room: a
repository without hook files costs one look at a dictionary, and one into the staged rows where there are any.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lakehouse.actions.spec import LARGEST, Action, parse_action
from lakehouse.core.errors import InvalidAction, StoredObjectNotFound
from lakehouse.core.paths import after_prefix, grouped, successor
from lakehouse.format.entry import unpack
from lakehouse.meta import staging
from lakehouse.tree.lookup import scan
from lakehouse.versioning.objects import addresses

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lakehouse.core.ids import MetaRangeId, RepositoryId
    from lakehouse.core.records import Entry, Repository
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.events import Shown

    Row = tuple[bytes, bytes]
    Fetch = Callable[..., Awaitable[list[Row]]]

FOLDER = b"_lakefs_actions/"
MOST_FILES = 200
_PAGE = 256
_KEPT = 10_000
"""Trees, and files, that are kept."""


class HookFile(msgspec.Struct, frozen=True):
    """A hook file: where it stands, what it says, and what tells two versions of it apart."""

    path: str
    action: Action
    version: tuple[str, str]


class HookFiles:
    """The hook files of all repositories."""

    def __init__(self) -> None:
        self._trees: dict[tuple[RepositoryId, MetaRangeId], tuple[Row, ...]] = {}
        self._parsed: dict[tuple[RepositoryId, str, str], Action] = {}

    async def find(self, lake: Lake, repository: Repository, shown: Shown) -> list[Row]:
        """Paths and packed entries of the files, in order of path. Raises InvalidAction when they are too many."""
        committed = await self._of_tree(shown.tree or lake.tree(repository), repository, shown.root)
        if not shown.tokens:
            return list(committed)
        staged = await _staged(lake, shown)
        if not staged:
            return list(committed)
        merged = {path: packed for path, packed in sorted((dict(committed) | staged).items()) if packed}
        return _few(list(merged.items()))

    def none_in(self, repository: Repository, root: MetaRangeId) -> None:
        """It is known of a tree that it has no files."""
        self._keep((repository.id, root), ())

    def known_none_in(self, repository: Repository, root: MetaRangeId) -> bool:
        """Whether it is known of a tree that it has no files."""
        return self._trees.get((repository.id, root)) == ()

    async def read(self, lake: Lake, repository: Repository, rows: list[Row]) -> list[HookFile]:
        """The files. Raises InvalidAction, and what the store raises."""
        return [await self._read(lake, repository, path, unpack(packed)) for path, packed in rows]

    async def _of_tree(self, tree: NodeStore, repository: Repository, root: MetaRangeId) -> tuple[Row, ...]:
        key = (repository.id, root)
        found = self._trees.get(key)
        if found is None:

            async def fetch(*, start: bytes) -> list[Row]:
                paths, values = await scan(tree, root, start=start, prefix=FOLDER, limit=_PAGE)
                return list(zip(paths, values, strict=True))

            found = tuple(_few(await _direct(fetch)))
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[RepositoryId, MetaRangeId], found: tuple[Row, ...]) -> None:
        if len(self._trees) >= _KEPT:
            self._trees.clear()
        self._trees[key] = found

    async def _read(self, lake: Lake, repository: Repository, path: bytes, entry: Entry) -> HookFile:
        where = path.decode(errors="replace")
        key = (repository.id, addresses.absolute(lake, repository, entry), entry.checksum)
        action = self._parsed.get(key)
        if action is None:
            if entry.size > LARGEST:
                raise InvalidAction(f"invalid action: {where}: larger than {LARGEST} bytes")
            text = await _bytes_of(lake, repository, entry, where=where)
            action = await asyncio.to_thread(parse_action, text, where=where)
            if len(self._parsed) >= _KEPT:
                self._parsed.clear()
            self._parsed[key] = action
        return HookFile(where, action, key[1:])


async def _bytes_of(lake: Lake, repository: Repository, entry: Entry, *, where: str) -> bytes:
    """What the object holds, up to a little more than a file may have."""
    store, location = addresses.locate(lake, repository, entry)
    try:
        reader = await store.objects.get(location)
    except StoredObjectNotFound as error:
        raise InvalidAction(f"invalid action: {where}: its bytes are not in the store") from error
    pieces, size = [], 0
    try:
        async for piece in reader.body:
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                break
    finally:
        await reader.close()
    return b"".join(pieces)


async def _staged(lake: Lake, shown: Shown) -> dict[bytes, bytes]:
    """What the staged rows say, tombstones too."""
    end = after_prefix(FOLDER)
    found: dict[bytes, bytes] = {}
    if not await staging.any_within(lake.db, shown.tokens, start=FOLDER, end=end):
        return found
    for token in reversed(shown.tokens):
        found |= await _direct(partial(staging.page, lake.db, token, end=end, limit=_PAGE))
    return found


async def _direct(fetch: Fetch) -> list[Row]:
    """The rows right below the folder; what is in folders below it is passed by. Pages come from `fetch`."""
    found: list[Row] = []
    start: bytes | None = FOLDER
    while start is not None and len(found) <= MOST_FILES:
        rows = await fetch(start=start)
        start = successor(rows[-1][0]) if len(rows) == _PAGE else None
        for path, value in rows:
            group = grouped(path, FOLDER, b"/")
            if group is not None:
                start = after_prefix(group)
                break
            if path != FOLDER:
                found.append((path, value))
    return found


def _few(rows: list[Row]) -> list[Row]:
    if len(rows) > MOST_FILES:
        raise InvalidAction(f"invalid action: more than {MOST_FILES} files in {FOLDER.decode()}")
    return rows
