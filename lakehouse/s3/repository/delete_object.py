# SPDX-License-Identifier: Apache-2.0
"""DeleteObject: make a path of a branch absent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lakehouse.core.errors import BranchNotFound
from lakehouse.s3.answer import Answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.versioning.objects import objects

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway


async def delete_object(gateway: Gateway, asked: Asked) -> Answer:
    """An absent path, an absent branch and the directory marker of a branch are no error."""
    allow_object(gateway, asked, "fs:DeleteObject")
    if asked.request.query.get("versionId", "null") != "null":
        raise S3Error("ERRLakeFSNotSupported", "what was committed stays: a version cannot be deleted")
    if asked.path:
        with suppress(BranchNotFound):
            await objects.delete_object(gateway.lake, asked.repository, asked.ref, asked.entry_path)
    return Answer(204)
