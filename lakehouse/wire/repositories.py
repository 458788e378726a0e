# SPDX-License-Identifier: Apache-2.0
"""Repositories and their metadata."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from lakehouse.wire.operation import DYNAMIC, REPOSITORY, Operation, Permission, need
from lakehouse.wire.paging import ForceQuery, PageQuery, Pagination

RepositoryName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{2,62}$")]
StorageNamespace = Annotated[str, msgspec.Meta(pattern=r"^(s3|gs|https?|mem|local|transient)://.*$")]


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """`creation_date` in seconds; `storage_id` is "" with a single store."""

    id: str
    creation_date: int
    default_branch: str
    storage_namespace: str
    storage_id: str = ""
    read_only: bool | UnsetType = UNSET


class RepositoryList(msgspec.Struct, frozen=True):
    pagination: Pagination
    results: list[Repository]


class RepositoryCreation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Without `storage_namespace` the server chooses one in its own store. `metadata` is what the repository
    begins with.
    """

    name: RepositoryName
    storage_namespace: StorageNamespace | UnsetType = UNSET
    storage_id: str = ""
    default_branch: str = "main"
    sample_data: bool = False
    read_only: bool = False
    metadata: dict[str, str] = {}


class ListRepositoriesQuery(PageQuery, frozen=True, kw_only=True, omit_defaults=True):
    """`search` is a substring of the name, case-sensitive."""

    search: str = ""


class CreateRepositoryQuery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`bare`: without a branch and a first commit."""

    bare: bool = False


class RepositoryMetadataSet(msgspec.Struct, frozen=True):
    """Keys that are added or overwritten; others stay."""

    metadata: dict[str, str]


class RepositoryMetadataKeys(msgspec.Struct, frozen=True):
    keys: list[str]


LIST_REPOSITORIES = Operation(
    name="list_repositories",
    id="listRepositories",
    method="GET",
    path="/repositories",
    tag="repositories",
    summary="List repositories in order of their names",
    allow=DYNAMIC,
    query=ListRepositoriesQuery,
    result=RepositoryList,
)
CREATE_REPOSITORY = Operation(
    name="create_repository",
    id="createRepository",
    method="POST",
    path="/repositories",
    tag="repositories",
    summary="Create a repository",
    allow=(
        Permission("fs:CreateRepository", "repository/{name}"),
        Permission("fs:AttachStorageNamespace", "namespace/{storage_namespace}"),
    ),
    query=CreateRepositoryQuery,
    body=RepositoryCreation,
    result=Repository,
    status=201,
)
GET_REPOSITORY = Operation(
    name="get_repository",
    id="getRepository",
    method="GET",
    path="/repositories/{repository}",
    tag="repositories",
    summary="Get a repository",
    allow=need("fs:ReadRepository", REPOSITORY),
    result=Repository,
)
DELETE_REPOSITORY = Operation(
    name="delete_repository",
    id="deleteRepository",
    method="DELETE",
    path="/repositories/{repository}",
    tag="repositories",
    summary="Delete a repository; its objects stay in the store",
    allow=need("fs:DeleteRepository", REPOSITORY),
    query=ForceQuery,
    status=204,
)
GET_REPOSITORY_METADATA = Operation(
    name="get_repository_metadata",
    id="getRepositoryMetadata",
    method="GET",
    path="/repositories/{repository}/metadata",
    tag="repositories",
    summary="Get a repository's metadata",
    allow=need("fs:ReadRepository", REPOSITORY),
    result=dict[str, str],
)
SET_REPOSITORY_METADATA = Operation(
    name="set_repository_metadata",
    id="setRepositoryMetadata",
    method="POST",
    path="/repositories/{repository}/metadata",
    tag="repositories",
    summary="Add or overwrite keys of a repository's metadata",
    allow=need("fs:UpdateRepository", REPOSITORY),
    body=RepositoryMetadataSet,
    status=204,
)
DELETE_REPOSITORY_METADATA = Operation(
    name="delete_repository_metadata",
    id="deleteRepositoryMetadata",
    method="DELETE",
    path="/repositories/{repository}/metadata",
    tag="repositories",
    summary="Remove keys from a repository's metadata",
    allow=need("fs:UpdateRepository", REPOSITORY),
    body=RepositoryMetadataKeys,
    status=204,
)

OPERATIONS = (
    LIST_REPOSITORIES,
    CREATE_REPOSITORY,
    GET_REPOSITORY,
    DELETE_REPOSITORY,
    GET_REPOSITORY_METADATA,
    SET_REPOSITORY_METADATA,
    DELETE_REPOSITORY_METADATA,
)
