# SPDX-License-Identifier: Apache-2.0
"""CopyObject: copy an object within the embedded store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from lakehouse.core.errors import InvalidArgument, PreconditionFailed
from lakehouse.objects.address import key_bytes
from lakehouse.objects.port import Location, PutMode
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.conditions import check_read
from lakehouse.s3.context import location
from lakehouse.s3.errors import S3Error
from lakehouse.s3.headers import stored_metadata
from lakehouse.s3.operations.put_object import put_mode
from lakehouse.s3.xml import NAMESPACE, document, element, quoted, timestamp

if TYPE_CHECKING:
    from lakehouse.objects.port import ObjectInfo
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def copy_object(physical: Physical, request: S3Request) -> Answer:
    """With `x-amz-metadata-directive: REPLACE`, type and metadata are those of the request."""
    source, target = copy_source(physical, request), location(request)
    info = await physical.store.head(source)
    if not check_read(request.headers, info, prefix="x-amz-copy-source-"):
        raise PreconditionFailed
    replaced = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    if source == target and not replaced:
        raise S3Error("InvalidRequest", "an object can be copied onto itself only to replace its metadata")
    copied = await _copy(physical, request, source, replaced=replaced, info=info)
    told = (element("LastModified", timestamp(copied.modified)), element("ETag", quoted(copied.etag)))
    return xml_answer(document("CopyObjectResult", *told, namespace=NAMESPACE))


async def _copy(
    physical: Physical, request: S3Request, source: Location, *, replaced: bool, info: ObjectInfo
) -> ObjectInfo:
    target = location(request)
    mode = await put_mode(physical, request)
    if mode is PutMode.REPLACE and not replaced:
        return await physical.store.copy(source, target)
    reader = await physical.store.get(source)
    try:
        return await physical.store.put(
            target,
            reader.body,
            size=reader.length,
            content_type=request.headers.get("content-type", "") if replaced else info.content_type,
            metadata=stored_metadata(request.headers) if replaced else info.metadata,
            mode=mode,
        )
    finally:
        await reader.close()


def copy_source(physical: Physical, request: S3Request) -> Location:
    """The place that `x-amz-copy-source` names. Raises S3Error InvalidArgument, NoSuchBucket."""
    text = request.headers["x-amz-copy-source"].removesuffix("?versionId=null")
    bucket, _, key = unquote(text, errors="surrogateescape").removeprefix("/").partition("/")
    try:
        key_bytes(key)
    except InvalidArgument as error:
        raise S3Error("InvalidArgument", "x-amz-copy-source must be /bucket/key, percent-encoded") from error
    if bucket not in physical.buckets:
        raise S3Error("NoSuchBucket", f"The specified bucket does not exist: {bucket}")
    return Location(bucket, key)
