# SPDX-License-Identifier: Apache-2.0
"""ListBuckets: the buckets of the embedded store that the caller may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakehouse.s3.answer import Answer, xml_answer
from lakehouse.s3.xml import NAMESPACE, document, element, parent, timestamp

if TYPE_CHECKING:
    from lakehouse.s3.context import Physical
    from lakehouse.s3.request import S3Request


async def list_buckets(physical: Physical, request: S3Request, *, allowed: bool, user: str) -> Answer:
    """`prefix` of the query selects by name."""
    prefix = request.query.get("prefix", "")
    names = [name for name in physical.buckets.names if allowed and name.startswith(prefix)]
    buckets = [parent("Bucket", element("Name", name), element("CreationDate", timestamp(0))) for name in names]
    owner = parent("Owner", element("ID", user), element("DisplayName", user))
    return xml_answer(document("ListAllMyBucketsResult", owner, parent("Buckets", *buckets), namespace=NAMESPACE))
