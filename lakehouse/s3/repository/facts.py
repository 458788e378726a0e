# SPDX-License-Identifier: Apache-2.0
"""An entry's facts as the S3 side tells them, and what of a request an entry keeps.

User metadata `x-amz-meta-foo` is kept under the name `X-Amz-Meta-foo`, as REST clients see it. What else S3 keeps
with an object (headers such as Cache-Control, and tags) goes under names that begin with a colon, which no header has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import (
    DataMissing,
    InvalidRef,
    NotFound,
    RepositoryNotFound,
    StoredObjectNotFound,
    Unsupported,
)
from lakehouse.objects.port import ObjectInfo, ObjectPart
from lakehouse.s3.errors import S3Error
from lakehouse.s3.headers import stored_metadata
from lakehouse.s3.repository.tags import TAGGING, header_tags
from lakehouse.versioning.objects import addresses, lookup

if TYPE_CHECKING:
    from lakehouse.core.records import Entry, Repository
    from lakehouse.s3.repository.gateway import Asked, Gateway
    from lakehouse.s3.request import S3Request

_META = "X-Amz-Meta-"


def kept_metadata(request: S3Request) -> dict[str, str]:
    """The metadata that a write asks to keep. Raises S3Error MetadataTooLarge, InvalidTag."""
    found = {
        name if name.startswith(":") else _META + name: value
        for name, value in stored_metadata(request.headers).items()
    }
    if "x-amz-tagging" in request.headers and (tags := header_tags(request.headers["x-amz-tagging"])):
        found[TAGGING] = tags
    return found


def info_of(entry: Entry) -> ObjectInfo:
    """The entry as an object of a store."""
    metadata = {}
    for name, value in entry.metadata.items():
        if name.startswith(_META):
            metadata[name[len(_META) :].lower()] = value
        elif name.startswith(":") and name != TAGGING:
            metadata[name] = value
    return ObjectInfo(entry.size, entry.etag, entry.mtime, entry.content_type, metadata)


async def part_of(gateway: Gateway, repository: Repository, entry: Entry, number: int) -> ObjectPart | None:
    """A part of the object that an entry names, as it was uploaded. Raises DataMissing, Unsupported."""
    if not entry.parts:
        return ObjectPart(0, entry.size, 0, "") if number == 1 else None
    store, at = addresses.locate(gateway.lake, repository, entry)
    if store.uploads is None:
        raise Unsupported("the store of this repository does not tell where the parts of an object lie")
    try:
        found = await store.uploads.part_of(at, number)
    except StoredObjectNotFound as error:
        raise DataMissing from error
    return None if found is None else msgspec.structs.replace(found, etag="")  # bytes under data/ never change


async def find_entry(gateway: Gateway, asked: Asked) -> tuple[Repository, Entry]:
    """What the request's key shows, at the commit of `versionId` if it names one.

    Raises RepositoryNotFound; S3Error NoSuchKey, NoSuchVersion.
    """
    version = asked.request.query.get("versionId", "null")
    ref = asked.ref if version == "null" else version
    try:
        return await lookup.entry_at_ref(gateway.lake, asked.repository, ref, asked.entry_path)
    except RepositoryNotFound:
        raise
    except (NotFound, InvalidRef) as error:
        code = "NoSuchKey" if version == "null" else "NoSuchVersion"
        raise S3Error(code, "The specified key does not exist.") from error
