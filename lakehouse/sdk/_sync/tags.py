# SPDX-License-Identifier: Apache-2.0
"""Tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._sync.listing import each
from lakehouse.wire.branches import Ref, RefList
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, ForceQuery, PageQuery
from lakehouse.wire.tags import CREATE_TAG, DELETE_TAG, GET_TAG, LIST_TAGS, TagCreation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lakehouse.sdk._sync.transport import Transport


class Tags:
    """Tags of a repository."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list_tags(self, repository: str, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT) -> RefList:
        """One page of tags, in order of their names."""
        query = PageQuery(prefix=prefix, after=after, amount=amount)
        return self._transport.call(LIST_TAGS, RefList, {"repository": repository}, query=query)

    def each_tag(self, repository: str, *, prefix: str = "") -> Iterator[Ref]:
        """All tags."""

        def fetch(after: str) -> RefList:
            return self.list_tags(repository, prefix=prefix, after=after, amount=MAX_PER_PAGE)

        return each(fetch)

    def create_tag(self, repository: str, name: str, ref: str, *, force: bool = False) -> Ref:
        """Create a tag at the commit of `ref`, any ref expression. Raises TagExists, CommitNotFound."""
        body = TagCreation(id=name, ref=ref, force=force)
        return self._transport.call(CREATE_TAG, Ref, {"repository": repository}, body=body)

    def get_tag(self, repository: str, tag: str) -> Ref:
        """A tag and its commit. Raises TagNotFound."""
        return self._transport.call(GET_TAG, Ref, {"repository": repository, "tag": tag})

    def delete_tag(self, repository: str, tag: str, *, force: bool = False) -> None:
        """Delete a tag. Raises TagNotFound."""
        path = {"repository": repository, "tag": tag}
        self._transport.send(DELETE_TAG, path, query=ForceQuery(force=force))
