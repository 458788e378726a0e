# SPDX-License-Identifier: Apache-2.0
"""Handlers: repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from lakehouse.api import shapes
from lakehouse.api.services import actor
from lakehouse.core.errors import InsufficientPermissions
from lakehouse.core.marks import publishes
from lakehouse.versioning import resolve
from lakehouse.versioning.refs import repositories, sample
from lakehouse.wire.paging import page_of
from lakehouse.wire.repositories import RepositoryList

if TYPE_CHECKING:
    from lakehouse.api.services import Services
    from lakehouse.asgi.call import Call
    from lakehouse.wire import repositories as wire
    from lakehouse.wire.paging import ForceQuery


async def list_repositories(services: Services, call: Call[wire.ListRepositoriesQuery, None]) -> RepositoryList:
    """Only those that the caller may list; whoever may list none at all is refused."""
    user = services.checker.authorize_somewhere(call.user, "fs:ListRepositories")
    query, after = call.query, call.query.after
    shown: list[wire.Repository] = []
    while True:
        page = await repositories.list_repositories(
            services.lake, prefix=query.prefix, after=after, search=query.search, amount=query.limit + 1
        )
        for record in page.items:
            if services.checker.allowed(user, "fs:ListRepositories", f"repository/{record.name}"):
                shown.append(shapes.repository(record))
            after = record.name
        if not page.has_more or len(shown) > query.limit:
            break
    has_more = len(shown) > query.limit
    results = shown[: query.limit]
    return RepositoryList(page_of(len(results), last=results[-1].id if results else "", has_more=has_more), results)


async def create_repository(
    services: Services, call: Call[wire.CreateRepositoryQuery, wire.RepositoryCreation]
) -> wire.Repository:
    body = call.body
    _may_publish(services, call, body.name, body.metadata)
    made = await repositories.create_repository(
        services.lake,
        repositories.RepositoryRequest(
            name=body.name,
            storage_namespace=None if body.storage_namespace is UNSET else body.storage_namespace,
            default_branch=body.default_branch,
            storage_id=body.storage_id,
            read_only=body.read_only,
            bare=call.query.bare,
            metadata=body.metadata,
        ),
    )
    if body.sample_data and not call.query.bare:
        await sample.add_sample_data(services.lake, made, actor(call))
    return shapes.repository(made)


def _may_publish(services: Services, call: Call[Any, Any], repository: str, metadata: dict[str, str]) -> None:
    """Who lets everybody read must be allowed to read it all. Raises InsufficientPermissions."""
    if publishes(metadata) and not services.checker.allowed_below(
        call.known_user, "fs:ReadObject", f"repository/{repository}/object/"
    ):
        raise InsufficientPermissions("insufficient permissions: only who may read all objects can make them public")


async def get_repository(services: Services, call: Call[None, None]) -> wire.Repository:
    return shapes.repository(await repositories.get_repository(services.lake, call.path["repository"]))


async def delete_repository(services: Services, call: Call[ForceQuery, None]) -> None:
    await repositories.delete_repository(services.lake, call.path["repository"], force=call.query.force)


async def get_repository_metadata(services: Services, call: Call[None, None]) -> dict[str, str]:
    return (await resolve.repository(services.lake, call.path["repository"])).metadata


async def set_repository_metadata(services: Services, call: Call[None, wire.RepositoryMetadataSet]) -> None:
    repository, metadata = call.path["repository"], call.body.metadata
    _may_publish(services, call, repository, metadata)
    await repositories.update_metadata(services.lake, repository, put=metadata)


async def delete_repository_metadata(services: Services, call: Call[None, wire.RepositoryMetadataKeys]) -> None:
    repository, keys = call.path["repository"], call.body.keys
    if keys:
        await repositories.update_metadata(services.lake, repository, remove=keys)
    else:
        await resolve.repository(services.lake, repository)
