# SPDX-License-Identifier: Apache-2.0
"""Lakes for tests of the engine: on SQLite or PostgreSQL and a memory store, and short words for frequent steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.core.paths import parse_path
from lakehouse.core.signing import Signer
from lakehouse.db.postgres import PostgresDatabase
from lakehouse.db.sqlite import SqliteDatabase
from lakehouse.objects.memory import MemoryStore
from lakehouse.tree.cache import NodeCache
from lakehouse.versioning.commits import commit
from lakehouse.versioning.history import diff
from lakehouse.versioning.lake import Actor, Lake
from lakehouse.versioning.objects import batches, listing, staging
from lakehouse.versioning.state.stores import Store, Stores
from lakehouse.versioning.state.turns import Turn

if TYPE_CHECKING:
    from pathlib import Path

ANN = Actor(committer="ann@example.org", name="ann")


class Hands:
    """A clock by hand."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


def lake_on(db, objects, clock, **options) -> Lake:
    """A lake on these ports, with a cold cache."""
    uploads = getattr(objects, "uploads", None)
    store = Store(id="", objects=objects, description=objects.describe(), presigner=None, uploads=uploads)
    return Lake(
        db=db,
        stores=Stores((store,)),
        nodes=NodeCache(8 << 20),
        addresses=Signer({"a001": b"k" * 32}),
        tokens=Signer({"t001": b"t" * 32}),
        clock=clock,
        **options,
    )


async def open_lake(where: Path | str, *, objects=None, clock=None) -> Lake:
    """A lake on an SQLite file or the URL of a PostgreSQL database."""
    db = PostgresDatabase(where, connections=8) if isinstance(where, str) else SqliteDatabase(where)
    await db.migrate()
    return lake_on(db, MemoryStore() if objects is None else objects, Hands() if clock is None else clock)


def by_column(links) -> batches.LinkPage:
    """A page of these links."""
    return batches.LinkPage(
        paths=[link.path for link in links],
        addresses=[link.physical_address for link in links],
        tokens=[link.token for link in links],
        checksums=[link.checksum for link in links],
        sizes=[link.size for link in links],
        content_types=[link.content_type for link in links],
        metadata=[link.metadata for link in links],
        mtimes=[link.mtime for link in links],
        link=links.__getitem__,
    )


async def link(lake, repo, branch, path, content="c1", *, size=3, if_absent=False, token=None, metadata=None):
    """Hand out an address and link it."""
    key = path if isinstance(path, bytes) else parse_path(path)
    where = await staging.get_physical_address(lake, repo, branch, key)
    wanted = staging.Link(
        path=key,
        physical_address=where.physical_address,
        checksum=content,
        size=size,
        token=token,
        metadata=metadata or {},
    )
    return await staging.link_physical_address(lake, repo, branch, wanted, if_absent=if_absent)


async def put(lake, repo, branch, **objects):
    """Link several objects: path (`__` for a slash) = content."""
    for path, content in objects.items():
        await link(lake, repo, branch, path.replace("__", "/"), content)


async def commit_all(lake, repo, branch, message="commit", **options):
    """Commit what is staged."""
    return await commit.commit(lake, repo, branch, commit.CommitRequest(message, **options), ANN)


async def seal(lake, repo, branch):
    """What a commit that died after its seal leaves behind."""
    from lakehouse.versioning import resolve

    found, seen = await resolve.branch(lake, repo, branch)
    turn = Turn(lake.db, "none", "nobody", lake.clock, 0)  # nobody waits for it: its lease ran out
    try:
        return await commit.seal(lake, found, seen, turn)
    finally:
        await turn.end()


async def shown(lake, repo, ref, **query):
    """Everything that a ref shows, by path: checksums, read page by page; None for common prefixes."""
    found, after = {}, b""
    while True:
        _, page = await listing.list_objects(lake, repo, ref, listing.Query(after=after, **query))
        for item in page.items:
            assert item.path > after, "pages ascend"
            after = item.path
            found[item.path.decode()] = item.entry.checksum if hasattr(item, "entry") else None
        if not page.has_more:
            return found


async def changes(lake, repo, branch, **query):
    """What is uncommitted: kind by path."""
    page = await diff.diff_branch(lake, repo, branch, listing.Query(amount=1000, **query))
    assert not page.has_more
    return {item.path.decode(): item.kind.value for item in page.items}


async def between(lake, repo, left, right, *, two_dot=False, **query):
    """The difference of two refs: kind by path."""
    page = await diff.diff_refs(lake, repo, left, right, listing.Query(**({"amount": 1000} | query)), two_dot=two_dot)
    assert not page.has_more
    return {item.path.decode(): item.kind.value for item in page.items}


async def error_of(awaitable):
    """The class of the error that it raises, None when it raises none."""
    try:
        await awaitable
    except LakehouseError as error:
        return type(error)
    return None
