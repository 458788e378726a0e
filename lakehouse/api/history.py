# SPDX-License-Identifier: Apache-2.0
"""Handlers: the history of a path, and blame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.core.paths import parse_path, parse_prefix
from lakehouse.versioning.history import history
from lakehouse.versioning.objects.addresses import absolute
from lakehouse.versioning.objects.listing import Query
from lakehouse.versioning.objects.staging import Linked
from lakehouse.wire.history import Blame, BlameList, PathChange, PathChangeList
from lakehouse.wire.paging import page_of

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.core.ids import EntryPath
    from lakehouse.core.records import Repository
    from lakehouse.versioning.lake import Lake
    from lakehouse.wire import history as wire


async def log_path(services: Services, call: Call[wire.LogPathQuery, None]) -> PathChangeList:
    query, path = call.query, parse_path(call.query.path)
    repo, page = await history.log_path(
        services.lake,
        call.path["repository"],
        call.path["ref"],
        path,
        after=query.after,
        amount=query.limit,
        first_parent=query.first_parent,
    )
    results = [_path_change(services.lake, repo, path, one) for one in page.items]
    last = results[-1].commit.id if results else ""
    return PathChangeList(page_of(len(results), last=last, has_more=page.has_more), results)


async def blame_prefix(services: Services, call: Call[wire.BlamePrefixQuery, None]) -> BlameList:
    query = call.query
    page = await history.blame_prefix(
        services.lake,
        call.path["repository"],
        call.path["ref"],
        Query(
            prefix=parse_prefix(query.prefix),
            after=parse_prefix(query.after, what="after"),
            delimiter=parse_prefix(query.delimiter, what="delimiter"),
            amount=query.limit,
        ),
    )
    results = [
        Blame(
            path=shapes.text(one.path),
            path_type="common_prefix" if one.whole else "object",
            commit=shapes.commit(one.commit),
        )
        for one in page.items
    ]
    last = results[-1].path if results else ""
    return BlameList(page_of(len(results), last=last, has_more=page.has_more), results)


def _path_change(lake: Lake, repo: Repository, path: EntryPath, one: history.PathChange) -> PathChange:
    entry = one.entry
    return PathChange(
        type=one.kind.value,  # type: ignore[arg-type]
        commit=shapes.commit(one.commit),
        object=UNSET if entry is None else shapes.object_stats(Linked(path, entry, absolute(lake, repo, entry))),
    )
