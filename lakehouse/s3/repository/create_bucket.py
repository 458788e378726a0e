# SPDX-License-Identifier: Apache-2.0
"""CreateBucket: repositories are made through the REST API, unless the settings say what a new bucket shall be.

A name that is taken answers 409 BucketAlreadyExists, whoever owns it and whatever the settings: clients that take
`BucketAlreadyOwnedByYou` for success after a failed write would believe that the write succeeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import InvalidName, RepositoryNotFound
from lakehouse.core.marks import PLAIN
from lakehouse.s3.answer import Answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.gateway import allow
from lakehouse.versioning.refs import repositories

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def create_bucket(gateway: Gateway, asked: Asked) -> Answer:
    """Raises S3Error BucketAlreadyExists, InvalidBucketName, NotImplemented; RepositoryExists."""
    allow(gateway, asked, "fs:CreateRepository")
    try:
        asked.require_repository()
    except RepositoryNotFound as error:
        if gateway.new_buckets == "off":
            raise S3Error(
                "NotImplemented", "repositories are not made through S3: use the REST API, an SDK or the command line"
            ) from error
        return await _create(gateway, asked)
    raise S3Error("BucketAlreadyExists", f"the repository {asked.repository} is there already")


async def _create(gateway: Gateway, asked: Asked) -> Answer:
    """A repository in a namespace of the server's choice, as `POST /repositories` makes it."""
    gateway.checker.authorize(asked.user, "fs:AttachStorageNamespace", "namespace/")
    metadata = {PLAIN: "true"} if gateway.new_buckets == "plain" else {}
    request = repositories.RepositoryRequest(name=asked.repository, metadata=metadata)
    try:
        await repositories.create_repository(gateway.lake, request)
    except InvalidName as error:
        raise S3Error("InvalidBucketName", error.message) from error
    return Answer(200, {"location": f"/{asked.repository}"})
