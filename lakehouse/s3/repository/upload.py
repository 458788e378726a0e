# SPDX-License-Identifier: Apache-2.0
"""The unfinished upload that a request names, if the caller may write to its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import UploadNotFound
from lakehouse.s3.repository.gateway import allow_object, split_key
from lakehouse.versioning.objects import multipart

if TYPE_CHECKING:
    from lakehouse.s3.repository.gateway import Asked, Gateway
    from lakehouse.versioning.objects.multipart import Begun


async def named_upload(gateway: Gateway, asked: Asked) -> Begun:
    """The permission is judged by the key that the upload was begun with. Raises UploadNotFound,
    InsufficientPermissions.
    """
    request = asked.request
    key = asked.stored_key.encode("utf-8", "surrogateescape")
    begun = await multipart.find(gateway.lake, asked.require_repository(), request.query["uploadId"], key)
    if asked.keys.only is not None and begun.upload.key != key:
        raise UploadNotFound
    allow_object(gateway, asked.at(*split_key(begun.upload.key.decode())), "fs:WriteObject")
    return begun
