# SPDX-License-Identifier: Apache-2.0
"""A run of garbage collection: mark, note what is unreferenced, delete what two marks agree on.

Whatever is unreferenced and old enough becomes a candidate. A candidate is deleted only when it was found by two marks
at least `grace` apart, and by each in between: nothing is moved meanwhile, so forgetting the candidates undoes it all.
Old enough means that neither the name's time nor the store's says that it could still be linked. What the server did
not name itself is never touched. Runs may be broken off and repeated at any time; two never work at one repository.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.clock import time_of_name
from lakehouse.core.errors import CollectionRefused, LostRace, StoredObjectNotFound
from lakehouse.core.ids import CommitId
from lakehouse.core.offload import PAGE, breathe, offload
from lakehouse.core.ordered_ids import descending_id
from lakehouse.gc.mark import NODES, Mark
from lakehouse.gc.sorting import HELD
from lakehouse.meta import collection, leases, repositories
from lakehouse.meta.collection import Candidate
from lakehouse.versioning import resolve
from lakehouse.versioning.objects.addresses import DATA, spellings_around
from lakehouse.versioning.refs.repositories import marked_by
from lakehouse.versioning.staged.sweep_guard import deleting_nodes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from lakehouse.core.records import Repository
    from lakehouse.objects.port import StoredObject
    from lakehouse.versioning.lake import Lake
    from lakehouse.versioning.state.stores import Place

MARGIN = 7_200
"""Seconds added to an address's validity: clocks differ, and requests take their time."""
GRACE = 86_400
"""Least seconds between two marks that must agree."""
_DATA_NAME = re.compile(r"data/[0-9a-f]{7}/([0-9a-f]{28})(?:,[A-Za-z0-9_-]+)?")
_NODE_NAME = re.compile(r"_lakehouse/nodes/([0-9a-f]{2})/\1[0-9a-f]{62}")
_LEASE = 120
_BATCH = 1000


class Options(msgspec.Struct, frozen=True):
    """How to collect. `dry_run`: only say what would be done. `grace` in seconds; `held`: strings kept in memory."""

    dry_run: bool = False
    grace: int = GRACE
    held: int = HELD


class Report(msgspec.Struct):
    """What a run found and did. Times in seconds; sizes in bytes."""

    id: str
    repository: str
    dry_run: bool
    started: int
    finished: int = 0
    commits_kept: int = 0
    commits_expired: int = 0
    """Commits that the retention rules no longer keep, first seen by this run."""
    nodes_kept: int = 0
    listed: int = 0
    """Objects and nodes in the store."""
    young: int = 0
    """Unreferenced, and too new to judge."""
    foreign: int = 0
    """Below `data/`, but not of a name that the server gives: left alone."""
    waiting: int = 0
    waiting_bytes: int = 0
    """Unreferenced, but not yet found by two marks that are far enough apart."""
    deleted: int = 0
    deleted_bytes: int = 0
    """In a dry run: would be."""
    idle_hidden_branches: list[str] = []


async def collect_garbage(
    lake: Lake, repository: str, options: Options, *, progress: Callable[[int], None] | None = None
) -> Report:
    """Collect the garbage of one repository. `progress` is told how many stored objects were looked at.

    Raises RepositoryNotFound, CollectionRefused (also when another run is at work), DataDamaged, StorageUnavailable.
    """
    repo = await resolve.repository(lake, repository)
    sharing = await _sharing(lake, repo)
    lease = _Lease(lake, repo)
    await lease.take()
    report = Report(descending_id(lake.clock()), repo.name, options.dry_run, lake.now)
    mark = Mark(lake, repo, started=report.started, held=options.held, keep=lease.keep)
    try:
        await mark.run(sharing)
        report.commits_kept = mark.commits
        report.idle_hidden_branches = mark.idle
        report.commits_expired = await _expire(lake, repo, mark, options)
        run = _Run(lake, repo, options, report, lease, progress or (lambda _: None))
        await run.note(mark)
        await run.delete()
    finally:
        mark.close()
        await lease.release()
    report.finished = lake.now
    if not options.dry_run:
        _count(lake, report)
        text = msgspec.json.encode(report).decode()
        await lake.db.apply(
            collection.note_run(repo.id, report.id, started=report.started, finished=report.finished, report=text)
        )
    return report


def _count(lake: Lake, report: Report) -> None:
    lake.counts.add("gc runs")
    lake.counts.add("gc objects", report.deleted)
    lake.counts.add("gc bytes", report.deleted_bytes)
    lake.counts.add("gc seconds", report.finished - report.started)


async def forget_candidates(lake: Lake, repository: str) -> None:
    """Nothing that was found so far is deleted before two further marks agree. Raises RepositoryNotFound."""
    repo = await resolve.repository(lake, repository)
    await lake.db.apply(collection.forget_other_marks(repo.id, mark=-1))


async def reports(lake: Lake, repository: str, *, after: str = "", amount: int = 100) -> list[Report]:
    """What earlier runs did, newest first. Raises RepositoryNotFound."""
    repo = await resolve.repository(lake, repository)
    found = await collection.runs(lake.db, repo.id, after=after, limit=amount)
    return [msgspec.json.decode(text, type=Report) for _, text in found]


async def _sharing(lake: Lake, repository: Repository) -> list[Repository]:
    """Repositories whose objects are in the same namespace. Raises CollectionRefused where one cannot tell whose
    objects are whose.
    """
    place = lake.place(repository)
    owner = await marked_by(place)
    if owner != repository.id:
        raise CollectionRefused(
            f"the storage namespace {place.uri} belongs to another repository (number {owner}): collect there"
        )
    around = await repositories.namespaces_around(lake.db, spellings_around(place.uri))
    inside = await repositories.namespaces_in(lake.db, place.uri)
    others = {one.id: one for one in (*around, *inside) if one.id != repository.id}
    for other in others.values():
        if lake.place(other).uri != place.uri:
            raise CollectionRefused(f"the storage namespace of {other.name} lies in or around this one's")
    return list(others.values())


class _Lease:
    """Only one run at a time works at a repository."""

    def __init__(self, lake: Lake, repository: Repository) -> None:
        self._lake = lake
        self._name = f"gc:{repository.id}"
        self.owner = uuid.uuid4().hex
        self._taken = 0

    async def keep(self) -> None:
        """As `take`, when it is time to."""
        if self._lake.now >= self._taken + _LEASE // 4:
            await self.take()

    async def take(self) -> None:
        """Take it, or keep it. Raises CollectionRefused when another run has it."""
        self._taken = now = self._lake.now
        await self._lake.db.apply(leases.claim(self._name, self.owner, now=now, until=now + _LEASE))
        held = await leases.holder(self._lake.db, self._name, now=now)
        if held is None or held[0] != self.owner:
            raise CollectionRefused("another run of garbage collection is at work in this repository")

    async def release(self) -> None:
        await self._lake.db.apply(leases.release(self._name, self.owner))


async def _expire(lake: Lake, repository: Repository, mark: Mark, options: Options) -> int:
    """Set dropped commits expired: nobody may start from them any more. How many."""
    if options.dry_run:
        return len(mark.dropped)
    expired: set[CommitId] = set()
    for at in range(0, len(mark.dropped), _BATCH):
        [rows] = await lake.db.apply(collection.expire(repository.id, mark.dropped[at : at + _BATCH]))
        expired.update(CommitId(row[0]) for row in rows)
    if expired:  # whoever started from one of them since the mark read the branches, keeps it
        since = mark.started - 2
        async for page in collection.held_refs(lake.db, repository.id):
            for ref in page:
                moved = {ref.commit, *(await collection.moved_to(lake.db, ref.id, since=since))}
                revived = sorted(expired & moved)
                if revived:
                    await lake.db.apply(collection.revive(repository.id, revived))
                    expired.difference_update(revived)
    return len(expired)


class _Run:
    """The part of a run that goes through the store."""

    def __init__(
        self,
        lake: Lake,
        repository: Repository,
        options: Options,
        report: Report,
        lease: _Lease,
        progress: Callable[[int], None],
    ) -> None:
        self._lake = lake
        self._repository = repository
        self._place: Place = lake.place(repository)
        self._options = options
        self._report = report
        self._lease = lease
        self._progress = progress
        self._before = report.started - lake.address_validity - MARGIN
        self._mark = 0

    async def note(self, mark: Mark) -> None:
        """Compare what is needed with what is stored, and note the rest as candidates."""
        db, identifier = self._lake.db, self._repository.id
        self._mark = await collection.last_mark(db, identifier) + 1
        needed = _Needed(mark.live.pages())
        for prefix in (NODES, DATA):
            after, more = "", True
            while more:
                page, more = await self._place.store.objects.list(
                    self._place.bucket, prefix=self._place.prefix + prefix, after=after, limit=_BATCH
                )
                after = page[-1].key if page else after
                await self._judge(page, needed)
                self._progress(self._report.listed)
                await self._lease.take()
        if not self._options.dry_run:
            await db.apply(collection.forget_other_marks(identifier, mark=self._mark))

    async def _judge(self, page: list[StoredObject], needed: _Needed) -> None:
        self._report.listed += len(page)
        garbage = await offload(2 * PAGE, self._unneeded, page, needed)
        if not garbage:
            return
        known = await collection.candidates(
            self._lake.db, self._repository.id, first=garbage[0][0], last=garbage[-1][0]
        )
        found = [Candidate(key, size, known.get(key, self._report.started)) for key, size in garbage]
        limit = self._report.started - self._options.grace
        ripe = [one for one in found if one.found <= limit]
        waiting = [one for one in found if one.found > limit]
        self._report.waiting += len(waiting)
        self._report.waiting_bytes += sum(one.size for one in waiting)
        if self._options.dry_run:
            self._report.deleted += len(ripe)
            self._report.deleted_bytes += sum(one.size for one in ripe)
        else:
            await self._lake.db.apply(collection.note_candidates(self._repository.id, found, mark=self._mark))

    def _unneeded(self, page: list[StoredObject], needed: _Needed) -> list[tuple[str, int]]:
        """Keys and sizes of those that are not needed, and are old enough to be judged."""
        found = []
        for one in page:
            key = one.key[len(self._place.prefix) :]
            if needed.has(key.encode("utf-8", "surrogateescape")):
                self._report.nodes_kept += key.startswith(NODES)
            elif self._is_old(key, one.info.modified):
                found.append((key, one.info.size))
        breathe()
        return found

    def _is_old(self, key: str, modified: float) -> bool:
        """Whether something unreferenced can be judged; counts what cannot."""
        name = _DATA_NAME.fullmatch(key)
        if name is None and not _NODE_NAME.fullmatch(key):
            self._report.foreign += 1
            return False
        named = modified if name is None else time_of_name(name[1])
        if max(named, modified) >= self._before:
            self._report.young += 1
            return False
        return True

    async def delete(self) -> None:
        """Delete what two marks agree on."""
        if self._options.dry_run:
            return
        await self._each_batch(DATA, self._gone)
        await self._each_batch(NODES, self._delete_nodes)

    async def _each_batch(self, prefix: str, delete: Callable[[Sequence[Candidate]], Awaitable[None]]) -> None:
        after = ""
        while batch := await collection.ripe(
            self._lake.db,
            self._repository.id,
            mark=self._mark,
            found_before=self._report.started - self._options.grace,
            prefix=prefix,
            after=after,
        ):
            after = batch[-1].key
            await self._lease.take()
            await delete(batch)

    async def _delete_nodes(self, batch: Sequence[Candidate]) -> None:
        """Nodes that were stored again since are kept: a tree may be about to become visible."""
        while True:
            try:
                async with deleting_nodes(self._lake, self._repository.id, self._lease.owner):
                    old = [one for one in batch if await self._still_old(one)]
                    await self._gone(old)
            except LostRace:
                await asyncio.sleep(0.1)
                continue
            return

    async def _still_old(self, candidate: Candidate) -> bool:
        try:
            info = await self._place.store.objects.head(self._place.locate(candidate.key))
        except StoredObjectNotFound:
            return False
        return info.modified < self._before

    async def _gone(self, batch: Sequence[Candidate]) -> None:
        await self._place.store.objects.delete([self._place.locate(one.key) for one in batch])
        await self._lake.db.apply(collection.forget_candidates(self._repository.id, [one.key for one in batch]))
        self._report.deleted += len(batch)
        self._report.deleted_bytes += sum(one.size for one in batch)


class _Needed:
    """The needed keys, asked for in ascending order."""

    def __init__(self, pages: Iterator[list[bytes]]) -> None:
        self._pages = pages
        self._page: set[bytes] = set()
        self._last = b""
        self._ended = False

    def has(self, key: bytes) -> bool:
        """Whether a key is needed; no key before the last one that was asked for."""
        while not self._ended and key > self._last:
            page = next(self._pages, None)
            if page is None:
                self._ended, self._page = True, set()
            else:
                self._page, self._last = set(page), page[-1]
        return key in self._page
