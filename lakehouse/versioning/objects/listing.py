# SPDX-License-Identifier: Apache-2.0
"""Listing what a ref shows: staged rows merged over the tree, page by page, rolled up at a delimiter.

The branch row and the first staged rows come from one statement; every further read returns the branch's version, and
the page starts again when it changed. A rolled-up group is passed by seeking behind it.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, cast

import msgspec

from lakehouse.core.errors import LostRace
from lakehouse.core.ids import EntryPath
from lakehouse.core.paths import after_prefix, grouped, successor
from lakehouse.core.records import CommonPrefix, Page, PathEntry
from lakehouse.core.refs import parse_ref
from lakehouse.format.entry import unpack, unpack_all
from lakehouse.meta import refs, staging
from lakehouse.tree.lookup import scan
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.protection import require_active

if TYPE_CHECKING:
    from lakehouse.core.ids import MetaRangeId
    from lakehouse.core.records import Branch, Repository
    from lakehouse.tree.store import NodeStore
    from lakehouse.versioning.lake import Lake

LEAST, MOST = 64, 4096
"""Rows of a stretch: they double as long as one follows the other without an end to the page."""
Item = PathEntry | CommonPrefix
Row = tuple[bytes, bytes]


class Query(msgspec.Struct, frozen=True):
    """What of a ref to list: up to `amount` items with `prefix`, after `after`, rolled up at `delimiter`."""

    prefix: bytes = b""
    after: bytes = b""
    delimiter: bytes = b""
    amount: int = 100

    @property
    def start(self) -> bytes | None:
        """The least path that can be on the page; None when there is none."""
        if not self.after:
            return self.prefix
        if self.after.startswith(self.prefix):
            group = grouped(self.after, self.prefix, self.delimiter)
            if group is not None:
                return after_prefix(group)
        return max(self.prefix, successor(self.after))


async def list_objects(lake: Lake, repository: str, ref: str, query: Query) -> tuple[Repository, Page[Item]]:
    """A page of what `ref` shows. Raises RepositoryNotFound, InvalidRef, NotFound."""
    while True:
        try:
            return await _list_once(lake, repository, ref, query)
        except LostRace:
            continue


async def _list_once(lake: Lake, repository: str, ref: str, query: Query) -> tuple[Repository, Page[Item]]:
    expression = parse_ref(ref)
    start = query.start
    if expression.shows_staging and len(expression.base) < 64:
        found, rows = await refs.find_with_page(
            lake.db,
            repository,
            expression.base,
            start=start or b"",
            end=after_prefix(query.prefix),
            limit=_window(query),
        )
        require_active(found.repository)
        if found.branch is not None:
            return found.repository, await _page(lake, found.repository, found.branch, query, rows)
    resolved = await resolve.ref(lake, repository, ref)
    if resolved.staging is not None:
        return resolved.repository, await _page(lake, resolved.repository, resolved.staging, query, None)
    tree = Window(lake.tree(resolved.repository), resolved.root, query)
    return resolved.repository, await _collect(tree, query)


def _window(query: Query) -> int:
    """Rows of the first stretch: a page of plain paths needs one; one that is rolled up seeks from group to group."""
    return LEAST if query.delimiter else max(LEAST, query.amount + 1)


async def _page(lake: Lake, repository: Repository, branch: Branch, query: Query, rows: list[Row] | None) -> Page[Item]:
    overlay = Overlay(lake, branch, query)
    if rows is not None and query.start is not None:
        overlay.prime(query.start, _window(query), rows)
    tree = Window(lake.tree(repository), branch.tree, query, overlay)
    page = await _collect(tree, query)
    if overlay.passed >= lake.staged.least:  # nobody here may know of them: others staged them, or a process before
        compact.staged(lake, repository, branch, overlay.passed)
    return page


async def _collect(window: Window, query: Query) -> Page[Item]:
    if not query.delimiter:
        return await _collect_plain(window, query)
    items: list[Item] = []
    position = query.start
    while position is not None:
        path, packed = await window.first_from(position)
        if path is None:
            break
        if len(items) == query.amount:
            return Page(tuple(items), has_more=True)
        group = grouped(path, query.prefix, query.delimiter)
        if group is None:
            items.append(PathEntry(EntryPath(path), unpack(packed)))
            position = successor(path)
        else:
            items.append(CommonPrefix(group))
            position = after_prefix(group)
    return Page(tuple(items))


async def _collect_plain(window: Window, query: Query) -> Page[Item]:
    """As `_collect` where nothing is rolled up: a stretch at a time instead of a path."""
    items: list[Item] = []
    position = query.start
    while position is not None:
        rows, position = await window.stretch(position)
        wanted = query.amount - len(items)
        shown = rows[:wanted]
        entries = unpack_all([packed for _, packed in shown])
        items += [PathEntry(path, entry) for (path, _), entry in zip(shown, entries, strict=True)]
        if len(rows) > wanted:
            return Page(tuple(items), has_more=True)
    return Page(tuple(items))


class Overlay:
    """Staged rows of a branch, newest token first, read in stretches that all belong to one version of the branch."""

    def __init__(self, lake: Lake, branch: Branch, query: Query) -> None:
        self._lake = lake
        self._branch = branch
        self._end = after_prefix(query.prefix)
        self._primed: tuple[bytes, int, list[Row]] | None = None
        self.passed = 0
        """Rows that were read so far."""

    def prime(self, start: bytes, limit: int, rows: list[Row]) -> None:
        """Up to `limit` rows of the current token from `start` that came with the branch row."""
        self._primed = (start, limit, rows)

    async def rows(self, start: bytes, limit: int) -> tuple[dict[bytes, bytes], bytes | None]:
        """Up to `limit` rows a token from `start`, and the last path up to which they are complete (None: the end).

        Raises LostRace when the branch changed.
        """
        merged: dict[bytes, bytes] = {}
        reach: bytes | None = None
        for token in (*reversed(self._branch.sealed), self._branch.staging_token):
            if self._primed is not None and token == self._branch.staging_token and self._primed[:2] == (start, limit):
                rows = self._primed[2]
            else:
                version, rows = await staging.rows(
                    self._lake.db, self._branch.id, token, start=start, end=self._end, limit=limit
                )
                if version != self._branch.version:
                    raise LostRace
            if len(rows) == limit:
                reach = rows[-1][0] if reach is None else min(reach, rows[-1][0])
            merged.update(rows)
            self.passed += len(rows)
        return merged, reach


class Window:
    """A stretch of what is shown, in order, filled again from wherever the page has got to."""

    def __init__(self, tree: NodeStore, root: MetaRangeId, query: Query, overlay: Overlay | None = None) -> None:
        self._tree = tree
        self._root = root
        self._prefix = query.prefix
        self._least = self._limit = _window(query)
        self._overlay = overlay
        self._keys: list[bytes] = []
        self._values: list[bytes] = []
        self._from: bytes | None = None
        self._reach: bytes | None = None
        self._at = 0

    async def first_from(self, position: bytes) -> tuple[bytes | None, bytes]:
        """The first live entry at or behind `position`; (None, b"") when there is none."""
        while True:
            if self._from is None or (self._reach is not None and position > self._reach):
                await self._fill(position)
            at = self._at
            if at < len(self._keys) and self._keys[at] < position:
                at = bisect_left(self._keys, position, at)
            self._at = at
            if at < len(self._keys):
                return self._keys[at], self._values[at]
            if self._reach is None:
                return None, b""
            position = max(position, successor(self._reach))

    async def stretch(self, position: bytes) -> tuple[list[tuple[EntryPath, bytes]], bytes | None]:
        """Live entries from `position` on, perhaps none, and the position behind them; None: there are no more."""
        if self._from is None or (self._reach is not None and position > self._reach):
            await self._fill(position)
        at = bisect_left(self._keys, position)
        paths = cast("list[EntryPath]", self._keys[at:])
        rows = [row for row in zip(paths, self._values[at:], strict=True) if row[1]]
        self._at = len(self._keys)
        return rows, None if self._reach is None else max(position, successor(self._reach))

    async def _fill(self, start: bytes) -> None:
        if self._reach is not None:
            follows = start == successor(self._reach)
            self._limit = min(2 * self._limit, max(MOST, self._least)) if follows else self._least
            await asyncio.sleep(0)  # rows and nodes may all be in memory: others want to run too
        keys, values = await scan(self._tree, self._root, start=start, prefix=self._prefix, limit=self._limit)
        reach = keys[-1] if len(keys) == self._limit else None
        if self._overlay is not None:
            staged, staged_reach = await self._overlay.rows(start, self._limit)
            if staged_reach is not None:
                reach = staged_reach if reach is None else min(reach, staged_reach)
            if staged:
                merged = dict(zip(keys, values, strict=True))
                merged.update(staged)
                keys = sorted([key for key, value in merged.items() if value])
                values = [merged[key] for key in keys]
        self._keys, self._values, self._from, self._reach, self._at = keys, values, start, reach, 0
        if reach is not None:
            cut = bisect_left(keys, successor(reach))
            del self._keys[cut:], self._values[cut:]
