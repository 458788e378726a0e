# SPDX-License-Identifier: Apache-2.0
"""One check of a lake, or of some repositories: rows, refs, commits, trees, objects.

Reads only, and may run beside servers: what is written meanwhile may be missed, and is never called wrong. Memory is
bounded: what is needed goes to sorted temporary files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataDamaged, RepositoryNotFound
from lakehouse.format.commit import OWN_VERSION
from lakehouse.fsck.blame import Blame
from lakehouse.fsck.objects import Objects, listed_keys
from lakehouse.fsck.report import Kind, Report
from lakehouse.fsck.rows import check_refs, check_rows, commits_of
from lakehouse.fsck.trees import Needed, Walk
from lakehouse.gc.sorting import HELD, SortedSet
from lakehouse.meta import collection, repositories, staging
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakehouse.core.records import Commit, Repository
    from lakehouse.meta.collection import HeldRef
    from lakehouse.versioning.lake import Lake

RECORDS = "_lakehouse/commits/"
RECORD_SECONDS = 60
"""Records are written behind the commits: those of younger ones are not missed."""


class Options(msgspec.Struct, frozen=True):
    """`read`: compare the bytes of objects with their checksums. `held`: records in memory for each sorted set."""

    read: bool = False
    held: int = HELD


async def check_lake(
    lake: Lake,
    names: Sequence[str] = (),
    options: Options | None = None,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Check these repositories, or all and the database. `progress` is told each repository's name as it begins.

    Raises RepositoryNotFound, DatabaseUnavailable, StorageUnavailable.
    """
    report = Report(started=lake.now)
    if names:
        for name in names:
            progress(name)
            await _repository(lake, await resolve.repository(lake, name), options or Options(), report)
    else:
        await check_rows(lake.db, report)
        after = ""
        while page := await repositories.page(lake.db, prefix="", after=after, search="", limit=100):
            for repository in page:
                progress(repository.name)
                await _repository(lake, repository, options or Options(), report)
            after = page[-1].name
    report.finished = lake.now
    return report


async def _repository(lake: Lake, repository: Repository, options: Options, report: Report) -> None:
    report.repositories += 1
    refs = [ref async for page in collection.held_refs(lake.db, repository.id) for ref in page]
    report.refs += len(refs)
    await check_refs(lake.db, repository, refs, report)
    roots, records = SortedSet(held=options.held), SortedSet(held=options.held)
    needed = Needed(held=options.held)
    try:
        roots.add([bytes.fromhex(ref.base) for ref in refs if ref.base])
        async for page in commits_of(lake.db, repository, report):
            roots.add([bytes.fromhex(commit.root) for commit in page if commit.root])
            records.add(_recorded(page, before=lake.now - RECORD_SECONDS))
        await _staged(lake, repository, refs, needed, report)
        walk = Walk(lake, repository, needed, report, held=options.held)
        await walk.run(roots)
        objects = Objects(lake, repository, report, read=options.read)
        await objects.check(needed)
        await _records(lake, repository, records, report)
    finally:
        roots.close()
        records.close()
        needed.close()
    bad = walk.bad | objects.bad
    if bad:
        await Blame(lake, repository, bad).run(refs, report)
    await _gone(lake, repository, report)


def _recorded(page: Sequence[Commit], *, before: int) -> list[bytes]:
    return [commit.id.encode() for commit in page if commit.version == OWN_VERSION and commit.created < before]


async def _gone(lake: Lake, repository: Repository, report: Report) -> None:
    """A repository that was deleted meanwhile has nothing wrong with it."""
    try:
        found = await resolve.repository(lake, repository.name)
    except RepositoryNotFound:
        found = None
    if found is None or found.id != repository.id:
        for problem in [one for one in report.problems if one.repository == repository.name]:
            report.problems.remove(problem)
            report.by_kind[problem.kind] -= 1


async def _staged(lake: Lake, repository: Repository, refs: Sequence[HeldRef], needed: Needed, report: Report) -> None:
    for ref in refs:
        for token in ref.tokens:
            async for rows in staging.scan(lake.db, token):
                report.staged += len(rows)
                values = [value for _, value in rows if value]
                try:
                    needed.add(values)
                except DataDamaged:
                    _each(repository, ref, rows, needed, report)


def _each(
    repository: Repository, ref: HeldRef, rows: Sequence[tuple[bytes, bytes]], needed: Needed, report: Report
) -> None:
    for path, value in rows:
        try:
            needed.add([value] if value else [])
        except DataDamaged as error:
            where = path.decode("utf-8", "replace")
            message = f"the uncommitted change of {where} on {ref.name}: {error.message}"
            report.add(Kind.STAGED_DAMAGED, repository.name, message, refs=(ref.name,))


async def _records(lake: Lake, repository: Repository, records: SortedSet, report: Report) -> None:
    """Each commit of our own has its record in the store, from which a lost database can be made again."""
    place = lake.place(repository)
    listed = listed_keys(place.store.objects, place.bucket, place.prefix + RECORDS)
    at = await anext(listed, None)
    for page in records.pages():
        for record in page:
            name = record.decode()
            while at is not None and at < name:
                at = await anext(listed, None)
            if at != name:
                report.add(Kind.RECORD_MISSING, repository.name, f"{RECORDS}{name} is not in the store")
