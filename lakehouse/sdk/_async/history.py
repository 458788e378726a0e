# SPDX-License-Identifier: Apache-2.0
"""Where what a ref shows came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.wire.history import (
    BLAME_PREFIX,
    LOG_PATH,
    BlameList,
    BlamePrefixQuery,
    LogPathQuery,
    PathChangeList,
)
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport
    from lakehouse.wire.history import Blame, PathChange


class History:
    """The changes of a path, and the commit that each item of a listing is from."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def log_path(
        self,
        repository: str,
        ref: str,
        path: str,
        *,
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        first_parent: bool = False,
    ) -> PathChangeList:
        """One page of the changes that led to what a ref has at a path, newest first."""
        query = LogPathQuery(path=path, after=after, amount=amount, first_parent=first_parent)
        return await self._transport.call(LOG_PATH, PathChangeList, {"repository": repository, "ref": ref}, query=query)

    def each_path_change(
        self, repository: str, ref: str, path: str, *, first_parent: bool = False
    ) -> AsyncIterator[PathChange]:
        """All changes that led to what a ref has at a path, newest first."""

        async def fetch(after: str) -> PathChangeList:
            return await self.log_path(
                repository, ref, path, after=after, amount=MAX_PER_PAGE, first_parent=first_parent
            )

        return each(fetch)

    async def blame_prefix(
        self,
        repository: str,
        ref: str,
        *,
        prefix: str = "",
        after: str = "",
        amount: int = DEFAULT_AMOUNT,
        delimiter: str = "",
    ) -> BlameList:
        """One page of a listing of a commit, each item with the commit that last changed it."""
        query = BlamePrefixQuery(prefix=prefix, after=after, amount=amount, delimiter=delimiter)
        return await self._transport.call(BLAME_PREFIX, BlameList, {"repository": repository, "ref": ref}, query=query)

    def each_blame(self, repository: str, ref: str, *, prefix: str = "", delimiter: str = "") -> AsyncIterator[Blame]:
        """All items of a listing of a commit, each with the commit that last changed it."""

        async def fetch(after: str) -> BlameList:
            return await self.blame_prefix(
                repository, ref, prefix=prefix, after=after, amount=MAX_PER_PAGE, delimiter=delimiter
            )

        return each(fetch)
