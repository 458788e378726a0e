# SPDX-License-Identifier: Apache-2.0
"""Repositories and their metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.sdk._async.listing import each
from lakehouse.sdk.requests import given
from lakehouse.wire.paging import DEFAULT_AMOUNT, MAX_PER_PAGE, ForceQuery
from lakehouse.wire.repositories import (
    CREATE_REPOSITORY,
    DELETE_REPOSITORY,
    DELETE_REPOSITORY_METADATA,
    GET_REPOSITORY,
    GET_REPOSITORY_METADATA,
    LIST_REPOSITORIES,
    SET_REPOSITORY_METADATA,
    CreateRepositoryQuery,
    ListRepositoriesQuery,
    Repository,
    RepositoryCreation,
    RepositoryList,
    RepositoryMetadataKeys,
    RepositoryMetadataSet,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from lakehouse.sdk._async.transport import Transport


class Repositories:
    """Repositories."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_repositories(
        self, *, prefix: str = "", after: str = "", amount: int = DEFAULT_AMOUNT, search: str = ""
    ) -> RepositoryList:
        """One page of repositories, in order of their names."""
        query = ListRepositoriesQuery(prefix=prefix, after=after, amount=amount, search=search)
        return await self._transport.call(LIST_REPOSITORIES, RepositoryList, query=query)

    def each_repository(self, *, prefix: str = "", search: str = "") -> AsyncIterator[Repository]:
        """All repositories."""

        async def fetch(after: str) -> RepositoryList:
            return await self.list_repositories(prefix=prefix, after=after, amount=MAX_PER_PAGE, search=search)

        return each(fetch)

    async def create_repository(
        self,
        name: str,
        *,
        storage_namespace: str | None = None,
        default_branch: str = "main",
        read_only: bool = False,
        sample_data: bool = False,
        bare: bool = False,
        storage_id: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Repository:
        """Create a repository. Without `storage_namespace` the server chooses one. Raises RepositoryExists.

        `metadata`: what it begins with, such as `{"lakehouse.plain": "true"}`.
        """
        body = RepositoryCreation(
            name=name,
            storage_namespace=given(storage_namespace),
            storage_id=storage_id,
            default_branch=default_branch,
            sample_data=sample_data,
            read_only=read_only,
            metadata=dict(metadata or {}),
        )
        query = CreateRepositoryQuery(bare=bare)
        return await self._transport.call(CREATE_REPOSITORY, Repository, query=query, body=body)

    async def get_repository(self, repository: str) -> Repository:
        """A repository. Raises RepositoryNotFound."""
        return await self._transport.call(GET_REPOSITORY, Repository, {"repository": repository})

    async def delete_repository(self, repository: str, *, force: bool = False) -> None:
        """Delete a repository; its objects stay in the store. Raises RepositoryNotFound."""
        await self._transport.send(DELETE_REPOSITORY, {"repository": repository}, query=ForceQuery(force=force))

    async def get_repository_metadata(self, repository: str) -> dict[str, str]:
        """A repository's metadata."""
        return await self._transport.call(GET_REPOSITORY_METADATA, dict[str, str], {"repository": repository})

    async def set_repository_metadata(self, repository: str, metadata: Mapping[str, str]) -> None:
        """Add or overwrite keys."""
        body = RepositoryMetadataSet(dict(metadata))
        await self._transport.send(SET_REPOSITORY_METADATA, {"repository": repository}, body=body)

    async def delete_repository_metadata(self, repository: str, keys: Sequence[str]) -> None:
        """Remove keys."""
        body = RepositoryMetadataKeys(list(keys))
        await self._transport.send(DELETE_REPOSITORY_METADATA, {"repository": repository}, body=body)
