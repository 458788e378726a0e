# SPDX-License-Identifier: Apache-2.0
"""ListBuckets: the repositories that the caller may list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.versioning.refs.repositories import list_repositories

if TYPE_CHECKING:
    from lakehouse.core.records import User
    from lakehouse.s3.repository.gateway import Gateway
    from lakehouse.s3.request import S3Request

_PAGE = 1000


async def bucket_names(gateway: Gateway, request: S3Request, user: User | None) -> list[tuple[str, int]]:
    """Name and time of creation (seconds) of each, with the `prefix` of the query."""
    try:
        gateway.checker.authorize_somewhere(user, "fs:ListRepositories")
    except LakehouseError:
        return []
    found: list[tuple[str, int]] = []
    more, after = True, ""
    while more:
        page = await list_repositories(
            gateway.lake, prefix=request.query.get("prefix", ""), after=after, search="", amount=_PAGE
        )
        found += [
            (repository.name, repository.created)
            for repository in page.items
            if gateway.checker.allowed(user, "fs:ListRepositories", f"repository/{repository.name}")
        ]
        more, after = page.has_more, page.items[-1].name if page.items else after
    return found
