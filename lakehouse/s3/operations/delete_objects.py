# SPDX-License-Identifier: Apache-2.0
"""DeleteObjects: remove up to 1,000 objects in one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.core.errors import LakehouseError
from lakehouse.objects.address import key_bytes
from lakehouse.objects.port import Location
from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.errors import code_of
from lakehouse.s3.xml import NAMESPACE, document, element, parent
from lakehouse.s3.xml_reader import children, malformed, read_document, text_of

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request

MOST = 1000


async def delete_objects(physical: Physical, request: S3Request) -> Answer:
    """Keys that cannot exist are told one by one; those that are not there count as deleted."""
    root = await read_document(request.body, "Delete")
    keys = [text_of(item, "Key") for item in children(root, "Object")]
    if not keys or len(keys) > MOST or None in keys:
        raise malformed()
    quiet = (text_of(root, "Quiet") or "").strip().lower() == "true"
    deleted: list[Location] = []
    lines: list[str] = []
    for key in keys:
        try:
            key_bytes(key or "")
        except LakehouseError as error:
            told = (element("Key", key or ""), element("Code", code_of(error)), element("Message", error.message))
            lines.append(parent("Error", *told))
        else:
            deleted.append(Location(request.bucket, key or ""))
    await physical.store.delete(deleted)
    request.outcomes = {place.key: 204 for place in deleted}
    if not quiet:
        lines += [parent("Deleted", element("Key", place.key)) for place in deleted]
    return xml_answer(document("DeleteResult", *lines, namespace=NAMESPACE))
