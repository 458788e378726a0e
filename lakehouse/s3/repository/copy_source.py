# SPDX-License-Identifier: Apache-2.0
"""What `x-amz-copy-source` names: an object of this or another repository."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from lakehouse.core.errors import NotFound, PreconditionFailed
from lakehouse.s3.conditions import check_read
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.facts import find_entry, info_of
from lakehouse.s3.repository.gateway import Asked, allow_object, ask

if TYPE_CHECKING:
    from lakehouse.core.records import Entry, Repository
    from lakehouse.s3.repository.gateway import Gateway


async def copy_source(gateway: Gateway, asked: Asked) -> tuple[Repository, Entry]:
    """The object to copy from, which the caller may read and which meets the request's conditions.

    Raises S3Error InvalidArgument, NoSuchKey, AccessDenied; PreconditionFailed.
    """
    source = await _parsed(gateway, asked)
    allow_object(gateway, source, "fs:ReadObject")
    try:
        found = await find_entry(gateway, source)
    except NotFound as error:
        raise S3Error("NoSuchKey", "the object to copy from does not exist") from error
    if not check_read(asked.request.headers, info_of(found[1]), prefix="x-amz-copy-source-"):
        raise PreconditionFailed
    return found


async def _parsed(gateway: Gateway, asked: Asked) -> Asked:
    request = asked.request
    text, _, query = request.headers["x-amz-copy-source"].partition("?")
    repository, slash, key = unquote(text, errors="surrogateescape").removeprefix("/").partition("/")
    version = query.removeprefix("versionId=")
    plain = msgspec.structs.replace(request, query={"versionId": version} if version else {})
    source = await ask(gateway, plain, asked.user, repository=repository, key=key)
    if not slash or not repository.isprintable() or not source.path or (not key.isascii() and not _is_text(key)):
        raise S3Error("InvalidArgument", "x-amz-copy-source must be /repository/ref/path, percent-encoded")
    return source


def _is_text(key: str) -> bool:
    return not any("\udc80" <= char <= "\udcff" for char in key)
