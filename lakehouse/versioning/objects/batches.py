# SPDX-License-Identifier: Apache-2.0
"""Links by the thousand: checked by the page, staged in large transactions.

What nearly every link is, an address of our own with a token that is in force, is judged and packed by the page; a page
in which anything else stands is judged link by link. Both ways accept and refuse the same, and stage the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import random_token
from lakehouse.core.errors import LakehouseError, StagingMoved
from lakehouse.core.ids import EntryPath, StagingToken
from lakehouse.core.records import AddressKind
from lakehouse.format.entry import pack, pack_page
from lakehouse.meta import refs, staged_pages, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.commits import compact
from lakehouse.versioning.objects import addresses, tokens
from lakehouse.versioning.objects.staging import Link, accept, location, unquoted
from lakehouse.versioning.protection import require_not_read_only, require_writable
from lakehouse.versioning.staged.fold import fold_if_many

if TYPE_CHECKING:
    from lakehouse.core.records import Branch, Repository
    from lakehouse.db.statement import Statement
    from lakehouse.versioning.lake import Lake

PUBLISH_ABOVE = 1000
"""Rows of an atomic batch that still go to the branch's own staging area."""
HELD = 10_000
"""Rows of an atomic batch that are held in memory, and go in one transaction."""
HELD_BYTES = 8 << 20
"""Bytes of their entries: three times what they mostly have, for those with much metadata."""
SLICE = 100
"""Links that are judged without a pause: half a millisecond, so that single requests get their turn."""
_RELATIVE = int(AddressKind.RELATIVE)
_TOKENS = 100
"""Tokens whose epochs a batch remembers: mostly there is one."""


class LinkPage(msgspec.Struct, frozen=True, kw_only=True):
    """Links by column: the fields of `staging.Link` that every link has. `link` makes one of them whole."""

    paths: list[EntryPath]
    addresses: list[str]
    tokens: list[str | None]
    checksums: list[str]
    sizes: list[int]
    content_types: list[str]
    metadata: list[dict[str, str]]
    mtimes: list[int | None]
    link: Callable[[int], Link]

    def __len__(self) -> int:
        return len(self.paths)


class Batch:
    """Links by the thousand: checked against one reading of the branch, staged in large transactions.

    Per item, each `add` stages what it is given and answers item by item. Atomic, rows are gathered, as pages under
    private tokens when they are very many, and `finish` publishes all of them in one guarded change. What comes behind
    all that a token has goes under that one; so a batch in order of its paths needs one, any other some.
    """

    def __init__(self, lake: Lake, repository: Repository, branch: Branch, *, atomic: bool) -> None:
        self._lake = lake
        self._repository = repository
        self._branch = branch
        self._atomic = atomic
        self._private: list[StagingToken] = []
        self._last = b""
        """The last path under the newest private token."""
        self._held: dict[bytes, bytes] = {}
        self._weight = 0
        self._epoch: int | None = None
        self._with_token: Link | None = None
        self._epochs: dict[str, int] = {}
        self._storing: asyncio.Task[object] | None = None
        self._slices = lake.pace.slices()
        self.count = 0
        """Links of an atomic batch so far."""

    async def add(self, links: LinkPage) -> list[LakehouseError | None]:
        """Take up to a thousand links; of each, in order, what is wrong with it. An atomic batch raises the first
        error, with the number of its item, counted from 0.
        """
        while True:
            try:
                return await self._add(links)
            except StagingMoved:
                if self._atomic:
                    raise
                self._epochs.clear()
                name = self._branch.name
                self._repository, self._branch = await resolve.branch(self._lake, self._repository.name, name)

    async def _add(self, links: LinkPage) -> list[LakehouseError | None]:
        self._epoch = self._epoch if self._atomic else None
        answers: list[LakehouseError | None] = []
        rows: dict[bytes, bytes] = {}
        self._slices.begin()
        for at in range(0, len(links), SLICE):
            part = slice(at, min(at + SLICE, len(links)))
            packed = self._together(links, part)
            if packed is None:
                answers += await self._one_by_one(links, part, rows)
            else:
                rows.update(zip(links.paths[part], packed, strict=True))
                answers += [None] * len(packed)
            await self._slices.breathe()
        if self._atomic:
            await self._hold(rows)
            self.count += len(links)
        elif rows:
            pairs = list(rows.items())
            for at in range(0, len(pairs), staging.PAGE):
                await self._lake.db.apply(
                    *self._guard(), *staging.put_many(self._branch.id, pairs[at : at + staging.PAGE])
                )
            compact.staged(self._lake, self._repository, self._branch, len(pairs))
        return answers

    def _together(self, links: LinkPage, part: slice) -> list[bytes] | None:
        """The entries of links that may all be staged, and are to addresses of our own; else None."""
        lake, repository, branch = self._lake, self._repository, self._branch
        checksums = [unquoted(checksum) for checksum in links.checksums[part]]
        if repository.read_only or not all(checksums):
            return None
        tokens_given = links.tokens[part]
        now = lake.now
        try:
            for token in set(tokens_given):
                if token and self._epoch_of(token) != branch.epoch:
                    return None
            relatives = addresses.issued_page(lake, repository, branch, links.paths[part], links.addresses[part])
            if relatives is None:
                return None
            packed = pack_page(
                list(
                    zip(
                        relatives,
                        repeat(_RELATIVE),
                        links.sizes[part],
                        checksums,
                        [now if mtime is None else mtime for mtime in links.mtimes[part]],
                        links.content_types[part],
                        links.metadata[part],
                        repeat(""),
                        strict=False,
                    )
                )
            )
        except LakehouseError:
            return None
        with_token = next((number for number in range(part.stop - 1, part.start - 1, -1) if links.tokens[number]), None)
        if with_token is not None:
            self._epoch, self._with_token = branch.epoch, links.link(with_token)
        return packed

    async def _one_by_one(self, links: LinkPage, part: slice, rows: dict[bytes, bytes]) -> list[LakehouseError | None]:
        """Put the entries of links that may be staged into `rows`; what is wrong with each. An atomic batch raises the
        first error.
        """
        answers: list[LakehouseError | None] = []
        for number in range(part.start, part.stop):
            link = links.link(number)
            try:
                rows[link.path] = await self._packed(link)
                answers.append(None)
            except LakehouseError as error:
                if self._atomic:
                    raise error.within(f"item {self.count + number}") from error.__cause__
                answers.append(error)
        return answers

    async def finish(self) -> None:
        """Publish an atomic batch. Raises StagingMoved when staged data left the branch since a link's token."""
        if not self._atomic:
            return
        try:
            await self._finish()
        except StagingMoved:
            lake, link = self._lake, self._with_token
            repository, branch = await resolve.branch(lake, self._repository.name, self._branch.name)
            raise StagingMoved(
                None if link is None else location(lake, repository, branch, link.path, link.presign)
            ) from None

    async def _finish(self) -> None:
        lake, branch = self._lake, self._branch
        if not self._private and len(self._held) <= PUBLISH_ABOVE:
            if self._held:
                await lake.db.apply(*self._guard(), *staging.put_many(branch.id, list(self._held.items())))
                compact.staged(lake, self._repository, branch, len(self._held))
            return
        await self._stored()
        reserved = tuple(self._private)
        token, run = self._next_run()
        [*_, [row]] = await lake.db.apply(
            *staged_pages.put(token, run),
            staging.keep(*reserved, now=lake.now),
            staging.publish(branch.id, self._private, fresh=StagingToken(random_token()), epoch=self._epoch),
        )
        fold_if_many(lake, self._repository, branch, refs.tokens_of(row[0]))
        compact.staged(lake, self._repository, branch, self.count)

    async def abandon(self) -> None:
        """Let go of the rows of an atomic batch that failed; nothing happens when it was published after all."""
        with suppress(LakehouseError):
            await self._stored()
        if self._private:
            await self._lake.db.apply(staging.abandon(*self._private, now=self._lake.now))

    def _guard(self) -> list[Statement]:
        """What must still hold when links with a token are staged."""
        return [] if self._epoch is None else [staging.require_epoch(self._branch.id, self._epoch)]

    async def _packed(self, link: Link) -> bytes:
        """The entry of a link, if it may be staged."""
        require_not_read_only(self._repository, force=link.force)
        linked = await accept(self._lake, self._repository, self._branch, link)
        if link.token:
            epoch = self._epoch_of(link.token)
            if epoch != self._branch.epoch:
                raise StagingMoved(location(self._lake, self._repository, self._branch, link.path, link.presign))
            self._epoch, self._with_token = epoch, link
        return pack(linked.entry)

    def _epoch_of(self, token: str) -> int:
        epoch = self._epochs.get(token)
        if epoch is None:
            epoch = tokens.epoch_of(self._lake.tokens, self._repository, self._branch, token)
            if len(self._epochs) >= _TOKENS:
                self._epochs.clear()
            self._epochs[token] = epoch
        return epoch

    async def _hold(self, rows: dict[bytes, bytes]) -> None:
        """Hold rows back; store what is held while the next items are read: one run is under way at most."""
        weight = sum(map(len, rows.values()))
        if self._held and (len(self._held) + len(rows) > HELD or self._weight + weight > HELD_BYTES):
            await self._stored()
            before = len(self._private)
            token, run = self._next_run()
            store = self._store(token, run, reserve=len(self._private) > before)
            self._storing = asyncio.get_running_loop().create_task(store)
        self._held.update(rows)
        self._weight += weight

    def _next_run(self) -> tuple[StagingToken, list[tuple[bytes, bytes]]]:
        """What is held, which is not nothing, in order; and its token: a fresh one, unless it follows all before."""
        run = sorted(self._held.items())
        self._held.clear()
        self._weight = 0
        if not self._private or run[0][0] <= self._last:
            self._private.insert(0, StagingToken(random_token()))
        self._last = run[-1][0]
        return self._private[0], run

    async def _store(self, token: StagingToken, run: list[tuple[bytes, bytes]], *, reserve: bool) -> None:
        until = self._lake.now + self._lake.address_validity
        await self._lake.db.apply(
            *([staging.reserve(token, until=until)] if reserve else []), *staged_pages.put(token, run)
        )

    async def _stored(self) -> None:
        """Wait for what is under way; raises what became of it."""
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing


async def open_batch(lake: Lake, repository: str, branch: str, *, atomic: bool) -> Batch:
    """Begin a batch. Raises RepositoryNotFound, BranchNotFound, ProtectedBranch. Each link says whether it is forced
    into a read-only repository.
    """
    repo, seen = await resolve.branch(lake, repository, branch)
    await require_writable(lake, repo, seen.name, force=True)
    return Batch(lake, repo, seen, atomic=atomic)
