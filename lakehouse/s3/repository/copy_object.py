# SPDX-License-Identifier: Apache-2.0
"""CopyObject: an object to a path of a branch, also from another repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lakehouse.core.errors import DataMissing
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import S3Error
from lakehouse.s3.repository.copy_source import copy_source
from lakehouse.s3.repository.facts import kept_metadata
from lakehouse.s3.repository.gateway import allow_object
from lakehouse.s3.repository.tags import TAGGING
from lakehouse.s3.write_conditions import write_condition
from lakehouse.s3.xml import NAMESPACE, document, element, quoted, timestamp
from lakehouse.versioning.objects import writing

if TYPE_CHECKING:
    from lakehouse.core.records import Entry
    from lakehouse.s3.repository.gateway import Asked, Gateway
    from lakehouse.s3.request import S3Request


async def copy_object(gateway: Gateway, asked: Asked) -> Answer:
    """The bytes are copied. `x-amz-metadata-directive` and `x-amz-tagging-directive` say what of the rest is."""
    allow_object(gateway, asked, "fs:WriteObject")
    request, lake = asked.request, gateway.lake
    kept = kept_metadata(request)
    replaced = frozenset(what for what in ("metadata", "tagging") if _replaces(request, what))
    condition = write_condition(request.headers)
    place = await writing.target(lake, asked.repository, asked.ref, asked.entry_path, condition=condition)
    source = await copy_source(gateway, asked)

    def change(entry: Entry) -> Entry:
        return _changed(entry, request, kept, replaced)

    try:
        entry = await writing.copy(lake, source, place, change=change, condition=condition)
    except DataMissing as error:
        raise S3Error("InvalidRequest", "the bytes of the object to copy from are no longer in the store") from error
    told = (element("LastModified", timestamp(entry.mtime)), element("ETag", quoted(entry.etag)))
    return xml_answer(document("CopyObjectResult", *told, namespace=NAMESPACE))


def _changed(entry: Entry, request: S3Request, kept: dict[str, str], replaced: frozenset[str]) -> Entry:
    metadata = dict(entry.metadata)
    content_type = entry.content_type
    if "metadata" in replaced:
        tags = metadata.get(TAGGING)
        metadata = {name: value for name, value in kept.items() if name != TAGGING}
        metadata |= {} if tags is None else {TAGGING: tags}
        content_type = request.headers.get("content-type", "")
    if "tagging" in replaced:
        metadata.pop(TAGGING, None)
        metadata |= {TAGGING: kept[TAGGING]} if TAGGING in kept else {}
    return msgspec.structs.replace(entry, metadata=metadata, content_type=content_type)


def _replaces(request: S3Request, what: str) -> bool:
    """Raises S3Error InvalidArgument."""
    directive = request.headers.get(f"x-amz-{what}-directive", "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", f"x-amz-{what}-directive must be COPY or REPLACE")
    return directive == "REPLACE"
