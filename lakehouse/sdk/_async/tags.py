# SPDX-License-Identifier: Apache-2.0
"""Tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.wire.branches import Ref, RefList
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, ForceQuery, PageQuery
from lakehouse.wire.tags import CREATE_TAG, DELETE_TAG, GET_TAG, LIST_TAGS, TagCreation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from lakehouse.sdk._async.transport import Transport


class Tags:
    """Tags of a repository."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_tags(
        self, repository: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT
    ) -> RefList:
        """One page of tags, in order of their names."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return await self._transport.call(LIST_TAGS, RefList, {"repository": repository}, query=query)

    def each_tag(self, repository: str, *, prefix: str = "") -> AsyncIterator[Ref]:
        """All tags."""

        async def fetch(after: str) -> RefList:
            return await self.list_tags(repository, prefix=prefix, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    async def create_tag(self, repository: str, name: str, ref: str, *, force: bool = False) -> Ref:
        """Create a tag at the commit of `ref`, any ref expression. Raises TagExists, CommitNotFound."""
        body = TagCreation(id=name, ref=ref, force=force)
        return await self._transport.call(CREATE_TAG, Ref, {"repository": repository}, body=body)

    async def get_tag(self, repository: str, tag: str) -> Ref:
        """A tag and its commit. Raises TagNotFound."""
        return await self._transport.call(GET_TAG, Ref, {"repository": repository, "tag": tag})

    async def delete_tag(self, repository: str, tag: str, *, force: bool = False) -> None:
        """Delete a tag. Raises TagNotFound."""
        path = {"repository": repository, "tag": tag}
        await self._transport.send(DELETE_TAG, path, query=ForceQuery(force=force))
