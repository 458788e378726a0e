# SPDX-License-Identifier: Apache-2.0
"""CreateBucket: repositories are made through the REST API, with a storage namespace and a default branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import RepositoryNotFound
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.gateway import allow
from lakehouse.versioning import resolve

if TYPE_CHECKING:
    from lakehouse.s3.answer import Answer
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def create_bucket(gateway: Gateway, asked: Asked) -> Answer:
    """Raises S3Error BucketAlreadyExists, NotImplemented."""
    allow(gateway, asked, "fs:CreateRepository")
    try:
        await resolve.repository(gateway.lake, asked.repository)
    except RepositoryNotFound as error:
        raise S3Error(
            "NotImplemented", "repositories are not made through S3: use the REST API, an SDK or the command line"
        ) from error
    raise S3Error("BucketAlreadyExists", f"the repository {asked.repository} is there already")
