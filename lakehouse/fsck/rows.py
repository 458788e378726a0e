# SPDX-License-Identifier: Apache-2.0
"""Checks of the database alone: what one row says of others is so.

On a lake in use rows come and go between two statements; what looks wrong is looked at again before it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.ids import CommitId, StagingToken
from lakehouse.core.offload import PAGE
from lakehouse.format.commit import OWN_VERSION, id_of
from lakehouse.fsck.report import Kind
from lakehouse.meta import collection, commits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from lakehouse.core.records import Commit, Repository
    from lakehouse.db.port import Database
    from lakehouse.fsck.report import Report
    from lakehouse.meta.collection import HeldRef

BELONGING = ("refs", "commits", "settings", "uploads", "pulls", "gc_candidates", "gc_runs", "action_runs")
"""Tables whose column `repository` names a row of `repositories`."""
STAGED = ("staged", "staged_pages")
"""Tables of what is uncommitted, by token."""


async def check_rows(db: Database, report: Report) -> None:
    """What belongs to no repository, and staged rows that no branch shows."""
    for table in BELONGING:
        row = await db.one(
            f"select count(*) from {table} t "  # noqa: S608  (names of our own)
            "where not exists (select 1 from repositories r where r.id = t.repository)"
        )
        if row is not None and row[0]:
            report.add(Kind.DANGLING_ROW, "", f"{row[0]} rows of {table} belong to a repository that is gone")
    left = [(table, token) for table in STAGED async for token in _staging_areas(db, table)]
    known = await _known(db)
    for table, token in left:
        if token not in known:
            row = await db.one(f"select count(*) from {table} where token = ?", (token,))  # noqa: S608  (our own)
            if row is not None and row[0]:
                message = f"{row[0]} rows of {table} under {token:x} are no branch's"
                report.add(Kind.STAGED_LEFT_BEHIND, "", message)


async def _staging_areas(db: Database, table: str) -> AsyncIterator[StagingToken]:
    """The tokens that have rows, by steps from one to the next."""
    after, step = -1, f"select token from {table} where token > ? order by token limit 1"  # noqa: S608  (our own)
    while row := await db.one(step, (after,)):
        after = row[0]
        yield StagingToken(after)


async def _known(db: Database) -> set[StagingToken]:
    known: set[StagingToken] = set()
    for row in await db.all("select id from repositories"):
        async for page in collection.held_refs(db, row[0]):
            known.update(token for ref in page for token in ref.tokens)
    return known | set(await collection.dropped_tokens(db))


async def check_refs(db: Database, repository: Repository, refs: Sequence[HeldRef], report: Report) -> None:
    """Each ref names a commit that is there, and no two branches share a staging area."""
    owners: dict[StagingToken, str] = {}
    for at in range(0, len(refs), PAGE):
        page = refs[at : at + PAGE]
        found = await commits.find_many(db, repository.id, sorted({ref.commit for ref in page}))
        for ref in page:
            if ref.commit not in found and await _still_names(db, ref):
                message = f"{ref.name} names the commit {ref.commit}, which is not there"
                report.add(Kind.REF_WITHOUT_COMMIT, repository.name, message, refs=(ref.name,))
            for token in ref.tokens:
                other = owners.setdefault(token, ref.name)
                if other != ref.name:
                    message = f"{other} and {ref.name} show the same uncommitted changes"
                    report.add(Kind.TOKEN_SHARED, repository.name, message, refs=(other, ref.name))


async def _still_names(db: Database, ref: HeldRef) -> bool:
    row = await db.one("select commit_id from refs where id = ?", (ref.id,))
    return row is not None and row[0] == ref.commit


async def commits_of(db: Database, repository: Repository, report: Report) -> AsyncIterator[list[Commit]]:
    """All commits in pages, checked: parents are there, our own ids are what the fields give."""
    async for page in commits.pages_with_paths(db, repository.id):
        listed = [commit for commit, _ in page]
        parents = sorted({parent for commit in listed for parent in commit.parents})
        known: set[CommitId] = set()
        for at in range(0, len(parents), PAGE):
            known |= set(await commits.find_many(db, repository.id, parents[at : at + PAGE]))
        for commit in listed:
            _judge(commit, known, repository, report)
        report.commits += len(listed)
        yield listed


def _judge(commit: Commit, known: set[CommitId], repository: Repository, report: Report) -> None:
    for parent in commit.parents:
        if parent not in known:
            message = f"the commit {commit.id} has the parent {parent}, which is not there"
            report.add(Kind.COMMIT_WITHOUT_PARENT, repository.name, message)
    if commit.version == OWN_VERSION and id_of(commit) != commit.id:
        report.add(Kind.COMMIT_DAMAGED, repository.name, f"the fields of the commit {commit.id} give another id")
