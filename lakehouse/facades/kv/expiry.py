# SPDX-License-Identifier: Apache-2.0
"""Temporary values go: some time after their time is over they are deleted, by whichever process has the lease.

Nobody sees the delay, because readers look at the time themselves. A value that is written again meanwhile is young and
stays: each is judged once more in the statement that deletes it. A repeat is harmless.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Final

from lakehouse.core.errors import LakehouseError, NotFound, ObjectNotFound
from lakehouse.core.records import PathEntry
from lakehouse.facades.kv.accounts import PREFIX, TEMPORARY, owner
from lakehouse.meta import leases, repositories
from lakehouse.versioning.objects import listing, objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakehouse.core.ids import EntryPath
    from lakehouse.core.records import Entry, Repository
    from lakehouse.facades.kv.service import Values

PAUSE: Final = 600
"""Seconds between two looks, of all processes together."""
LEASE: Final = "descartes-expiry"
_PAGE = 1000
_AT_ONCE = 50
"""Deletions that share a transaction, if the database groups them."""
logger = logging.getLogger(__name__)


async def expire(values: Values) -> int:
    """Delete all temporary values whose time is over; how many. What cannot be deleted now is passed over, and logged.

    Raises DatabaseUnavailable.
    """
    gone, after = 0, ""
    while found := await repositories.page(
        values.lake.db, prefix=f"{PREFIX}{TEMPORARY}-", after=after, search="", limit=_PAGE
    ):
        for repository in found:
            of = owner(repository)
            if of is not None and of.kind == TEMPORARY:
                gone += await _expire_in(values, repository)
        after = found[-1].name
    return gone


async def expire_for_ever(values: Values) -> None:
    """Expire at once and then every `PAUSE` seconds, until cancelled, whenever no other process did."""
    me = secrets.token_hex(8)
    while True:
        try:
            if await claimed(values, me):
                await expire(values)
        except LakehouseError as error:
            logger.warning("temporary values could not be deleted: %s", error)
        await asyncio.sleep(PAUSE)


async def claimed(values: Values, me: str) -> bool:
    """Whether it is this process's turn to look."""
    now = values.lake.now
    await values.lake.db.apply(leases.claim(LEASE, me, now=now, until=now + PAUSE - 1))
    holder = await leases.holder(values.lake.db, LEASE, now=now)
    return holder is not None and holder[0] == me


async def _expire_in(values: Values, repository: Repository) -> int:
    gone, after, more = 0, b"", True
    try:
        while more:
            query = listing.Query(after=after, amount=_PAGE)
            _, page = await listing.list_objects(values.lake, repository.name, repository.default_branch, query)
            entries = [item for item in page.items if isinstance(item, PathEntry)]
            over = [item.path for item in entries if values.is_over(TEMPORARY, item.entry)]
            for at in range(0, len(over), _AT_ONCE):
                gone += await _delete_some(values, repository, over[at : at + _AT_ONCE])
            after, more = entries[-1].path if entries else after, page.has_more
    except NotFound:
        logger.info("the repository %s was deleted while its temporary values went", repository.name)
    except LakehouseError as error:
        logger.warning("temporary values of %s could not be deleted: %s", repository.name, error)
    return gone


async def _delete_some(values: Values, repository: Repository, paths: Sequence[EntryPath]) -> int:
    """Delete these unless they are young by now; how many were deleted. Raises LakehouseError for what refuses that."""
    refusals: list[BaseException] = []
    deletions: list[asyncio.Task[bool]] = []
    try:
        async with asyncio.TaskGroup() as group:
            deletions += [group.create_task(_delete(values, repository, path)) for path in paths]
    except* LakehouseError as found:
        refusals += found.exceptions
    if refusals:
        raise refusals[0]
    return sum(deletion.result() for deletion in deletions)


async def _delete(values: Values, repository: Repository, path: EntryPath) -> bool:
    def young(entry: Entry) -> bool:
        return not values.is_over(TEMPORARY, entry)

    try:
        await objects.remove_object(values.lake, repository.name, repository.default_branch, path, unless=young)
    except ObjectNotFound:
        return False
    return True
