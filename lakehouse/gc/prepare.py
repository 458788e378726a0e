# SPDX-License-Identifier: Apache-2.0
"""What other programs need to collect garbage: active commits as CSV, uncommitted objects as Parquet.

Both are written below `_lakehouse/retention/` of the repository's namespace. Our own collection does not need them.
"""

from __future__ import annotations

import base64
import io
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.core.errors import InvalidArgument, SettingNotFound, Unsupported
from lakehouse.core.ordered_ids import ascending_id
from lakehouse.core.records import AddressKind
from lakehouse.format.entry import unpack
from lakehouse.gc.retention import retained
from lakehouse.gc.rules import stored_rules
from lakehouse.meta import collection, repositories, staging
from lakehouse.versioning import resolve
from lakehouse.versioning.objects.addresses import INTERNAL
from lakehouse.versioning.protection import require_not_read_only
from lakehouse.versioning.work.working import begin_task, find_task

if TYPE_CHECKING:
    from lakehouse.core.ids import RepositoryId, StagingToken
    from lakehouse.core.records import Repository
    from lakehouse.meta.tasks import Task
    from lakehouse.versioning.lake import Actor, Lake
    from lakehouse.versioning.state.tasks import Handle

FOLDER = INTERNAL + "retention/gc/"
PREPARE = "gc_prepare_commits"
"""The kind of these tasks."""
PREFIX = "GCPC"
ROWS = 100_000
"""Uncommitted objects that one call writes."""


class Prepared(msgspec.Struct, frozen=True):
    """Where a run's files are, as full addresses; `key` is that of the commits below the namespace."""

    run: str
    commits: str
    addresses: str
    key: str


class Uncommitted(msgspec.Struct, frozen=True):
    """Where uncommitted objects are listed ("" when there are none), and how to ask for the rest (None: no more)."""

    run: str
    location: str
    token: str | None


class _Place(msgspec.Struct, array_like=True):
    """How far a run of uncommitted objects is: run, staging area, path."""

    run: str
    token: int
    path: bytes


async def prepare_commits(lake: Lake, repository: str) -> Prepared:
    """Write the list of commits that retention keeps. Raises RepositoryNotFound, SettingNotFound (no rules)."""
    return await _write_commits(lake, await resolve.repository(lake, repository), ascending_id(lake.clock()))


async def start_prepare_commits(lake: Lake, repository: str, actor: Actor) -> str:
    """The same as a task; its id. Raises RepositoryNotFound, SettingNotFound."""
    repo = await resolve.repository(lake, repository)
    await _require_rules(lake, repo.id)
    return await begin_task(lake, repo, actor, prepare_in_background, kind=PREPARE, prefix=PREFIX)


async def find_prepare_commits(lake: Lake, repository: str, task: str) -> Task:
    """Raises RepositoryNotFound, TaskNotFound."""
    return await find_task(lake, await resolve.repository(lake, repository), task, PREPARE)


async def prepare_in_background(lake: Lake, handle: Handle) -> None:
    """The work of these tasks."""
    repo = await repositories.by_id(lake.db, handle.task.repository)
    await handle.finish(await _write_commits(lake, repo, handle.task.id.removeprefix(PREFIX)))


async def _require_rules(lake: Lake, repository: RepositoryId) -> None:
    if await stored_rules(lake.db, repository) is None:
        raise SettingNotFound("garbage collection rules: not found")


async def _write_commits(lake: Lake, repository: Repository, run: str) -> Prepared:
    rules = await stored_rules(lake.db, repository.id)
    if rules is None:
        raise SettingNotFound("garbage collection rules: not found")
    refs = [ref async for page in collection.held_refs(lake.db, repository.id) for ref in page]
    found = await retained(lake, repository, rules, refs, now=lake.now)
    lines = ["commit_id,expired,metarange_id\n"]
    lines += [f"{row.id},false,{row.root}\n" for row in found.active.values()]
    place = lake.place(repository)
    key = f"{FOLDER}commits/run_id={run}/commits.csv"
    await place.store.objects.put(place.locate(key), "".join(lines).encode(), content_type="text/csv")
    return Prepared(run, place.uri + key, f"{place.uri}{FOLDER}addresses/", key)


async def prepare_uncommitted(lake: Lake, repository: str, continuation: str = "", *, rows: int = ROWS) -> Uncommitted:
    """Write a list of staged objects that are in the namespace: `rows` or a few more, and how to go on.

    Raises RepositoryNotFound, ReadOnlyRepository, InvalidArgument (the token), Unsupported (without pyarrow).
    """
    repo = await resolve.repository(lake, repository)
    require_not_read_only(repo, force=False)
    at = _place_of(continuation) if continuation else _Place(ascending_id(lake.clock()), 0, b"")
    tokens: set[StagingToken] = set()
    async for page in collection.held_refs(lake.db, repo.id):
        tokens.update(token for ref in page for token in ref.tokens)
    found: dict[str, int] = {}
    after: _Place | None = None
    for token in sorted(token for token in tokens if token >= at.token):
        start = at.path if token == at.token else b""
        async for rows_here in staging.scan(lake.db, token, start=start):
            entries = [unpack(value) for _, value in rows_here if value]
            found.update((one.address, one.mtime) for one in entries if one.kind is AddressKind.RELATIVE)
            if len(found) >= rows:
                after = _Place(at.run, token, rows_here[-1][0] + b"\x00")
                break
        if after is not None:
            break
    further = None if after is None else _text_of(after)
    if not found:
        return Uncommitted(at.run, "", further)
    place = lake.place(repo)
    key = f"{FOLDER}uncommitted/{at.run}/uncommitted/{ascending_id(lake.clock())}.parquet"
    await place.store.objects.put(place.locate(key), _parquet(found), content_type="application/octet-stream")
    return Uncommitted(at.run, place.uri + key.rpartition("/")[0] + "/", further)


def _parquet(found: dict[str, int]) -> bytes:
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise Unsupported("Parquet needs pyarrow: pip install 'lakehouse[parquet]'") from error
    table = arrow.table(
        {
            "physical_address": arrow.array(list(found), arrow.string()),
            "creation_date": arrow.array(list(found.values()), arrow.int64()),
        }
    )
    out = io.BytesIO()
    parquet.write_table(table, out, compression="gzip")
    return out.getvalue()


def _text_of(place: _Place) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode()


def _place_of(text: str) -> _Place:
    """Raises InvalidArgument."""
    try:
        return msgspec.msgpack.decode(base64.urlsafe_b64decode(text.encode("ascii")), type=_Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidArgument("invalid continuation token") from error
